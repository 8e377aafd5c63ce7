package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/fault"
)

// TestNoChangeWithoutItsEntry: the entry of what may change something is there
// before its handler runs, and without it the handler is not called.
func TestNoChangeWithoutItsEntry(t *testing.T) {
	var s *site
	var seen []access.Entry
	s = newSite(t, Config{}, Route{Pattern: "POST /change", Needs: access.Public, Action: "change it", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		seen = append(seen, s.memory.entries...)
	})})
	b := s.stranger()
	s.do(s.request("POST", "/change", b), 200)
	if len(seen) != 1 || seen[0].Outcome != access.Begun || seen[0].Action != "change it" || seen[0].Address != "192.0.2.1" {
		t.Errorf("while it is done the audit has %+v", seen)
	}
	if e := s.memory.last(t); e.Outcome != access.Done {
		t.Errorf("then it has %+v", e)
	}
	seen, s.memory.away = nil, true
	s.do(s.request("POST", "/change", b), http.StatusServiceUnavailable)
	if seen != nil || len(s.memory.entries) != 0 {
		t.Error("it was done although the audit could not be written")
	}
}

func (s *site) stranger() browser {
	s.Helper()
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, s.request("GET", "/public", browser{}))
	return browser{cookie: strings.Split(w.Header().Get("Set-Cookie"), ";")[0], csrf: lastWord(w.Body.String())}
}

// TestWhatAnEntrySays: a page that tells that it could not be done, or that there
// was nothing to do, looks as if it had been done.
func TestWhatAnEntrySays(t *testing.T) {
	var tell func(context.Context)
	s := newSite(t, Config{}, Route{Pattern: "POST /change", Needs: access.Public, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tell(r.Context())
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})})
	b := s.stranger()
	for name, c := range map[string]struct {
		tell    func(context.Context)
		outcome access.Outcome
		detail  string
	}{
		"done":      {func(context.Context) {}, access.Done, ""},
		"unchanged": {access.NothingChanged, access.Unchanged, "nothing changed"},
		"failed": {func(ctx context.Context) {
			access.NotDone(ctx, fault.New(fault.Refused, "it is the first already").WithNext("Move another."))
		}, access.Failed, "it is the first already"},
		"refused": {func(ctx context.Context) { access.NotDone(ctx, fault.New(fault.Forbidden, "not yours")) }, access.Refused, "not yours"},
	} {
		tell = c.tell
		s.do(s.request("POST", "/change", b), http.StatusSeeOther)
		if e := s.memory.last(t); e.Outcome != c.outcome || e.Detail != c.detail {
			t.Errorf("%s: entry %+v", name, e)
		}
	}
}
