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

// counted is a database that answers nothing until it is let, and counts who asks.
type counted struct {
	*memory
	mu        sync.Mutex
	now, most int
	answer    chan struct{}
}

// ask asks it, and returns when it has answered or ctx ends.
func (c *counted) ask(ctx context.Context) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	select {
	case <-c.answer:
	case <-ctx.Done():
	}
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
}

// asking is how many ask it now.
func (c *counted) asking() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *counted) Bearer(ctx context.Context, text string) (access.Principal, error) {
	c.ask(ctx)
	return c.memory.Bearer(ctx, text)
}

func (c *counted) Record(ctx context.Context, e access.Entry) error {
	c.ask(ctx)
	return c.memory.Record(ctx, e)
}

func (c *counted) Begin(ctx context.Context, e access.Entry) (access.Entry, error) {
	c.ask(ctx)
	return c.memory.Begin(ctx, e)
}

func (c *counted) End(ctx context.Context, e access.Entry) error {
	c.ask(ctx)
	return c.memory.End(ctx, e)
}

// countedSite is a site over such a database, with a route of each kind of work,
// read and changed, for everybody and for those who are known, under names like
// "/patient" and "/api/v1/ordinary".
func countedSite(t *testing.T) (*site, *counted) {
	c := &counted{answer: make(chan struct{})}
	var routes []Route
	for name, work := range map[string]Work{"ordinary": Ordinary, "patient": Patient, "still": Still} {
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if work != Still {
				c.ask(r.Context())
			}
		})
		for _, method := range []string{"GET", "POST"} {
			routes = append(routes, Route{Pattern: method + " /" + name, Needs: access.Public, Work: work, Handler: handler},
				Route{Pattern: method + " /api/v1/" + name, Needs: access.Operate, Work: work, Handler: handler})
		}
	}
	s := newSite(t, Config{}, routes...)
	c.memory = s.memory
	s.guard.Access = c
	return s, c
}

// call sends a request that anybody, or a program with an API token, may send.
func (s *site) call(method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if strings.HasPrefix(path, "/api/") {
		r.Header.Set("Authorization", "Bearer token-of-operator")
	} else if method == "POST" {
		form := strings.Repeat("x", 26)
		r.Header.Set("Cookie", s.guard.cookieName(formCookie)+"="+form)
		r.Header.Set(FormHeader, form)
	}
	rec := httptest.NewRecorder()
	s.mux.ServeHTTP(rec, r)
	return rec
}

// TestPlaces: of each kind of work no more ask the database at once than have
// places, by its handler, its audit and the look at who asks; and the others are
// told in time, with when to try again.
func TestPlaces(t *testing.T) {
	for path, most := range map[string]int{
		"GET /ordinary": places, "POST /ordinary": places, "GET /api/v1/ordinary": places, "POST /api/v1/ordinary": places,
		"GET /patient": patientPlaces, "POST /patient": patientPlaces, "GET /api/v1/patient": places, "POST /api/v1/patient": places,
		"GET /still": 0, "POST /still": places, "GET /api/v1/still": places, "POST /api/v1/still": places,
	} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := countedSite(t)
				method, at, _ := strings.Cut(path, " ")
				var all sync.WaitGroup
				for range 3 * (places + patientPlaces) {
					all.Go(func() {
						began := time.Now()
						rec := s.call(method, at)
						if rec.Code == http.StatusServiceUnavailable && time.Since(began) > admitTime+placeTime {
							t.Errorf("told after %s", time.Since(began))
						}
						if strings.HasPrefix(at, "/api/") && rec.Code != http.StatusOK && rec.Header().Get("Retry-After") == "" {
							t.Errorf("answers %d without when to try again: %s", rec.Code, rec.Body)
						}
					})
				}
				synctest.Wait()
				if now := c.asking(); now != most {
					t.Errorf("%d ask at once, not %d", now, most)
				}
				time.Sleep(placeTime + time.Second) // those without a place have been told
				close(c.answer)
				all.Wait()
				if c.most > places+patientPlaces {
					t.Errorf("%d ask at once", c.most)
				}
				if len(s.guard.places)+len(s.guard.patient) != 0 {
					t.Error("a place was not given back")
				}
			})
		})
	}
}

// TestPlacesOfAll: whatever is asked for together, and whoever is refused beside,
// the rest of the connections is left to the alerts. All that wait are answered
// once the database is: nobody holds a place and waits for another.
func TestPlacesOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := countedSite(t)
		var all sync.WaitGroup
		for range 2 * places {
			for _, path := range []string{"ordinary", "patient", "still", "api/v1/ordinary", "api/v1/patient", "api/v1/still"} {
				all.Go(func() { s.call("GET", "/"+path) })
				all.Go(func() { s.call("POST", "/"+path) })
			}
			all.Go(func() { s.mux.ServeHTTP(httptest.NewRecorder(), s.request("POST", "/operate/it", browser{})) }) // refused
		}
		synctest.Wait()
		if now := c.asking(); now != places+patientPlaces {
			t.Errorf("%d ask at once, not %d", now, places+patientPlaces)
		}
		close(c.answer)
		began := time.Now()
		all.Wait()
		if took := time.Since(began); took != 0 || c.most != places+patientPlaces {
			t.Errorf("%d asked at once, and it took %s", c.most, took)
		}
		if len(s.guard.places)+len(s.guard.patient) != 0 {
			t.Error("a place was not given back")
		}
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
