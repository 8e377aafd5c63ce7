package guard

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/access"
)

// TestStreamsEndWithTheirSession: an answer that goes on ends seconds after its
// session, and no other one does. While the database is away all go on; what ended
// meanwhile ends then. All streams cost one question to the database at a time,
// and none cost none.
func TestStreamsEndWithTheirSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		var mu sync.Mutex
		ended := map[string]error{}
		s := newSite(t, Config{}, Route{Pattern: "GET /stream/{name}", Needs: access.View, Stream: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			mu.Lock()
			defer mu.Unlock()
			ended[r.PathValue("name")] = context.Cause(r.Context())
		})})
		open := func(name string, b browser) {
			all.Go(func() { s.do(s.request("GET", "/stream/"+name, b), 200) })
		}
		wait := func(d time.Duration, want ...string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(ended) != len(want) {
				t.Errorf("ended are %v, not %v", ended, want)
			}
			for _, name := range want {
				if !errors.Is(ended[name], errSessionEnded) {
					t.Errorf("%s ended because of %v", name, ended[name])
				}
			}
		}
		ann, bob, eve := s.signIn(access.Admin, access.ViaSession), s.signIn(access.Operator, access.ViaSession), s.signIn(access.Viewer, access.ViaSession)
		wait(time.Minute)
		if s.memory.looks != 0 {
			t.Errorf("%d looks while nobody watches", s.memory.looks)
		}
		open("ann", ann)
		open("bob", bob)
		open("bob-too", bob)
		open("eve", eve)
		wait(10 * streamLook)
		if s.memory.looks > 10 {
			t.Errorf("%d looks for four streams in the time of ten", s.memory.looks)
		}
		s.memory.end(access.Operator)
		wait(streamLook, "bob", "bob-too")
		s.memory.setAway(true)
		s.memory.end(access.Viewer)
		wait(5*streamLook, "bob", "bob-too")
		s.memory.setAway(false)
		wait(streamLook, "bob", "bob-too", "eve")
		time.Sleep(StreamTime)
		all.Wait()
		if !errors.Is(ended["ann"], context.DeadlineExceeded) {
			t.Errorf("ann's stream ended because of %v", ended["ann"])
		}
		looks := s.memory.looks
		time.Sleep(time.Minute)
		if s.memory.looks != looks {
			t.Errorf("%d looks after the last stream", s.memory.looks-looks)
		}
	})
}

// end ends the sessions of a role's account, as another server would.
func (m *memory) end(role access.Role) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, stored := range m.sessions {
		if stored.Account == string(role)+"-name" {
			delete(m.sessions, hash)
		}
	}
}

func (m *memory) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}
