package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/fault"
)

func TestAlertFromArgs(t *testing.T) {
	body, err := alertFromArgs([]string{"key=k", "severity=critical", "summary=a = b", "host=db3", "label.key=l", "annotation.runbook=http://x/"})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"key": "k", "status": "open", "severity": "critical", "summary": "a = b",
		"labels": map[string]any{"host": "db3", "key": "l"}, "annotations": map[string]any{"runbook": "http://x/"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestSendKeepsToItsGroup: where a database was named and is away, the alert must
// not go to whatever server listens on this host: it may be another group's.
func TestSendKeepsToItsGroup(t *testing.T) {
	s := newSite(t)
	var called atomic.Bool
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	defer stranger.Close()
	s.env["TIELINE_LISTEN"] = strings.TrimPrefix(stranger.URL, "http://")
	if r := s.run("send", "key=x", "--database", "postgres://u@127.0.0.1:1/d"); r.code != 6 || called.Load() {
		t.Errorf("the stranger was called: %v; %+v", called.Load(), r)
	}
	if r := s.run("send", "key=x"); !called.Load() { // no database is named, and none lies here
		t.Errorf("this host's server was not called: %+v", r)
	}
}

func TestAlertFromArgsReportsEveryProblem(t *testing.T) {
	_, err := alertFromArgs([]string{"severity", "=x", "host=a", "host=b"})
	if got := len(fault.ProblemsOf(err)); got != 4 || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%d problems in %v, want 4: two words without a name or value, one given twice, and no key", got, err)
	}
}
