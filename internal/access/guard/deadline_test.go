package guard

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/access"
	"tieline/internal/fault"
)

// silent is a database that takes questions and answers none.
type silent struct{ *memory }

func (silent) Session(ctx context.Context, _ string) ([]byte, bool, error) {
	return nil, false, unanswered(ctx)
}

func (silent) Bearer(ctx context.Context, _ string) (access.Principal, error) {
	return access.Principal{}, unanswered(ctx)
}

func unanswered(ctx context.Context) error {
	<-ctx.Done()
	return fault.Wrap(fault.Unavailable, ctx.Err(), "cannot do it: the database does not answer")
}

// TestADatabaseThatSaysNothing: whoever asks is told within seconds, however many
// ask at once, and whether or not it is known who they are.
func TestADatabaseThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{}, Route{Pattern: "GET /stream", Needs: access.View, Stream: true, Handler: http.NotFoundHandler()})
		b := s.signIn(access.Admin, access.ViaSession)
		s.guard.Access = silent{s.memory}
		s.guard.sessions.Store = sessionStore{silent{s.memory}}
		began := time.Now()
		var all sync.WaitGroup
		for range 3 * places {
			for _, path := range []string{"/view", "/api/v1/view", "/stream"} {
				all.Go(func() {
					rec := httptest.NewRecorder()
					s.mux.ServeHTTP(rec, s.request("GET", path, b))
					if rec.Code != http.StatusServiceUnavailable {
						t.Errorf("%s answers %d: %s", path, rec.Code, rec.Body)
					}
					if strings.HasPrefix(path, "/api/") && rec.Header().Get("Retry-After") == "" {
						t.Errorf("%s does not say when to try again: %v", path, rec.Header())
					}
				})
			}
		}
		all.Wait()
		if took := time.Since(began); took > admitTime {
			t.Errorf("they were told after %s", took)
		}
		s.do(s.request("GET", "/public", browser{}), http.StatusOK)
	})
}

// TestTheTimeOfAHandler: one that waits for a database that has fallen silent is
// given up; a change may then have been made, and the answer and the audit say so.
func TestTheTimeOfAHandler(t *testing.T) {
	wait := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		err, unsure := Late(r.Context(), r.Context().Err())
		if unsure != (r.Method != "GET") {
			t.Errorf("%s: unsure %v", r.URL.Path, unsure)
		}
		WriteProblem(w, err)
	})
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{},
			Route{Pattern: "GET /api/v1/read", Needs: access.View, Handler: wait},
			Route{Pattern: "GET /api/v1/ask", Needs: access.View, Work: Patient, Handler: wait},
			Route{Pattern: "POST /api/v1/change", Needs: access.View, Handler: wait})
		for _, c := range []struct {
			method, path string
			time         time.Duration
			want         string
		}{
			{"GET", "/api/v1/read", readTime, "given up"},
			{"GET", "/api/v1/ask", patientTime, "given up"},
			{"POST", "/api/v1/change", changeTime, "may have been done all the same"},
		} {
			began := time.Now()
			r := httptest.NewRequest(c.method, c.path, nil)
			r.Header.Set("Authorization", "Bearer token-of-admin")
			if body := s.do(r, http.StatusServiceUnavailable); !strings.Contains(body, c.want) {
				t.Errorf("%s says %s", c.path, body)
			}
			if took := time.Since(began); took != c.time {
				t.Errorf("%s is answered after %s, not %s", c.path, took, c.time)
			}
		}
		if e := s.memory.last(t); e.Outcome != access.Begun || !strings.Contains(e.Detail, "it may have been done") {
			t.Errorf("the audit has %+v", e)
		}
	})
}

// TestPlaces: no more than the places ask the database at once, and whoever waits
// for something else takes none.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most int
		go1 := make(chan struct{})
		count := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-go1
			mu.Lock()
			now--
			mu.Unlock()
		})
		s := newSite(t, Config{}, Route{Pattern: "GET /count", Needs: access.Public, Handler: count},
			Route{Pattern: "GET /patient", Needs: access.Public, Work: Patient, Handler: count})
		var all sync.WaitGroup
		ask := func(path string) {
			all.Go(func() { s.mux.ServeHTTP(httptest.NewRecorder(), s.request("GET", path, browser{})) })
		}
		for range 3 * places {
			ask("/count")
		}
		synctest.Wait()
		if most != places {
			t.Errorf("%d ask at once, not %d", most, places)
		}
		ask("/patient")
		synctest.Wait()
		if most != places+1 {
			t.Error("one who does not wait for the database waits for a place")
		}
		close(go1)
		all.Wait()
	})
}

// TestASlowLineTakesNothing: the body is waited for before the time begins and
// before a place is taken.
func TestASlowLineTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{}, Route{Pattern: "POST /api/v1/read", Needs: access.View, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil || string(text) != "{}" || r.Context().Err() != nil {
				t.Errorf("the handler reads %q: %v, %v", text, err, r.Context().Err())
			}
		})})
		in, out := io.Pipe()
		r := httptest.NewRequest("POST", "/api/v1/read", in)
		r.Header.Set("Authorization", "Bearer token-of-admin")
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = -1
		go func() {
			time.Sleep(2 * changeTime)
			if len(s.guard.places) != 0 {
				t.Errorf("a slow line takes %d places", len(s.guard.places))
			}
			_, _ = out.Write([]byte("{}"))
			_ = out.Close()
		}()
		s.do(r, http.StatusOK)
	})
}
