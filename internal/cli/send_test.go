package cli

import (
	"encoding/json"
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

func TestAlertFromArgsReportsEveryProblem(t *testing.T) {
	_, err := alertFromArgs([]string{"severity", "=x"})
	if got := len(fault.ProblemsOf(err)); got != 3 || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%d problems in %v, want 3: two words without a name or value, and no key", got, err)
	}
}
