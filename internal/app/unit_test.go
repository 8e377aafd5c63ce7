package app

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tieline/internal/remotetest"
)

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

// What cannot be run is tried again whenever the documents are read, and said
// once for each version.
func TestADocumentThatCannotRunIsLoggedOnce(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	broken := strings.Replace(d.document, "  settings:", "  token: file:"+filepath.Join(dir, "none")+"\n  settings:", 1)
	apply(t, dir, broken)
	var log journal
	a := startLogging(t, settings(dir, "one"), &log)
	const said = "the document cannot be run here"
	read := func() {
		read := make(chan struct{})
		a.asked <- read
		<-read
	}
	for want := 1; want <= 2; want++ {
		for range 5 {
			read()
		}
		if n := log.count(said); n != want {
			t.Errorf("said %d times of %d versions", n, want)
		}
		apply(t, dir, broken+"description: another version\n")
	}
}

// While the remote system refuses us, the heartbeats tell why, and that it ended.
func TestAnOpenBreakerIsReported(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document+"high_availability: {polling_interval: 1s}\n")
	a := start(t, settings(dir, "one"))
	d.Always(func(*http.Request) remotetest.Fault { return remotetest.Fault{Status: http.StatusUnauthorized} })
	for i := range 10 {
		post(t, a, "shop", alertNamed(fmt.Sprint("x", i), "open"))
	}
	reason := func() string {
		g, err := a.db.ReadGroup(t.Context())
		if err != nil || len(g.Members) != 1 || !g.Members[0].Reaches {
			t.Fatalf("the group is %+v, %v", g, err)
		}
		return g.Members[0].Reason
	}
	eventually(t, "the breaker is reported", func() bool { return strings.Contains(reason(), "breaker is open since ") })
	d.Always(nil)
	eventually(t, "its recovery is reported", func() bool { return reason() == "" })
}
