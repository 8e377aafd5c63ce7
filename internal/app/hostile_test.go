package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/config"
	"tieline/internal/secret"
)

// answered sends a request to the whole of the console and the API and checks
// what every answer must have: the headers, and as an error the form of the route.
func (w *wall) answered(h http.Handler, route guard.Route, r *http.Request, want int) *httptest.ResponseRecorder {
	w.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != want {
		w.Errorf("%s as %s %s: %d, not %d: %.200s", route.Pattern, r.Method, r.URL, rec.Code, want, rec.Body)
	}
	kind := "text/html"
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		kind = "application/problem+json"
	case strings.HasPrefix(r.URL.Path, "/assets/") && want == http.StatusNotFound && route.Handler == nil:
		kind = "text/plain" // nobody reads it
	}
	if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, kind) {
		w.Errorf("%s as %s %s: %d as %q, not %s", route.Pattern, r.Method, r.URL, rec.Code, got, kind)
	}
	w.headers(guard.Route{Pattern: route.Pattern + " refused"}, rec)
	return rec
}

// browse makes a request one of a browser's.
func browse(r *http.Request) *http.Request {
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	return r
}

// TestEveryRouteRefusesWhatIsNoText sends every route, by a visitor who may, a NUL
// and what is no UTF-8: in each parameter of its path, its query, its form or body.
func TestEveryRouteRefusesWhatIsNoText(t *testing.T) {
	w := newWall(t)
	mux, reached := w.stubbed()
	admin := w.session(access.Admin)
	for _, route := range w.web.routes {
		method, path := address(route)
		v := admin
		if route.Needs == access.Public && route.Unsafe() {
			v = w.stranger()
		}
		for _, bad := range []string{"%00", "%ff", "a%00b", "a%c3"} {
			for _, parameter := range parameter.FindAllString(route.Pattern, -1) {
				_, pattern, _ := strings.Cut(route.Pattern, " ")
				before, after, _ := strings.Cut(pattern, parameter)
				hurt := guard.Route{Pattern: method + " " + before + "BAD" + after}
				_, bent := address(hurt)
				w.answered(mux, route, browse(v.request(method, strings.Replace(bent, "BAD", bad, 1))), http.StatusNotFound)
			}
			w.answered(mux, route, browse(v.request(method, path+"?text="+bad)), http.StatusBadRequest)
			w.answered(mux, route, browse(v.request(method, path+"?"+bad+"=1")), http.StatusBadRequest)
			if route.Unsafe() {
				w.answered(mux, route, browse(v.hurt(method, path, bad)), http.StatusBadRequest)
			}
		}
		if *reached {
			t.Errorf("%s: its handler was reached", route.Pattern)
			*reached = false
		}
	}
}

// hurt is a request whose form, or JSON body, has what is no text.
func (v visitor) hurt(method, path, bad string) *http.Request {
	r := v.request(method, path)
	body := guard.FormField + "=" + v.csrf + "&name=" + bad
	if strings.HasPrefix(path, "/api/") {
		raw, _ := url.QueryUnescape(bad)
		body = `{"list":[{"name":"` + strings.ReplaceAll(raw, "\x00", `\u0000`) + `"}]}`
	}
	hurt := httptest.NewRequest(method, path, strings.NewReader(body))
	hurt.Header = r.Header
	return hurt
}

// stranger is a browser without a session, with the token of its forms.
func (w *wall) stranger() visitor {
	w.Helper()
	mux, rec := http.NewServeMux(), httptest.NewRecorder()
	w.web.guard.Mount(mux, []guard.Route{{Pattern: "GET /form", Needs: access.Public, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write([]byte(guard.Token(r.Context())))
	})}})
	mux.ServeHTTP(rec, httptest.NewRequest("GET", "/form", nil))
	return visitor{cookie: cookieOf(rec), csrf: rec.Body.String()}
}

// TestEveryRouteByAnotherMethod asks every address by the methods it has not.
func TestEveryRouteByAnotherMethod(t *testing.T) {
	w := newWall(t)
	mux, _ := w.stubbed()
	all := w.web.guard.Around(mux)
	admin := w.session(access.Admin)
	has := map[string][]string{} // methods by address
	for _, route := range w.web.routes {
		method, path := address(route)
		has[path] = append(has[path], method)
	}
	for _, route := range w.web.routes {
		_, path := address(route)
		if strings.HasSuffix(path, "/no-such-thing") {
			continue
		}
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			if slices.Contains(has[path], method) {
				continue
			}
			r := browse(admin.request(method, path))
			allow := w.answered(all, route, r, http.StatusMethodNotAllowed).Header().Get("Allow")
			for _, other := range has[path] {
				if !strings.Contains(allow, other) {
					t.Errorf("%s: the answer to %s allows %q", route.Pattern, method, allow)
				}
			}
		}
	}
}

// TestNothingThere asks for what no route has: pages as pages, all else as problems.
func TestNothingThere(t *testing.T) {
	w := newWall(t)
	mux := http.NewServeMux()
	w.web.mount(mux)
	all := w.web.guard.Around(mux)
	for _, c := range []struct{ method, path string }{
		{"GET", "/nothing"}, {"POST", "/nothing"}, {"GET", "/assets/nothing.js"}, {"GET", "/assets/%2e%2e%2fconsole.go"},
		{"GET", "/api/v2/connectors"}, {"POST", "/api/v1/nothing"}, {"GET", "/api/"}, {"DELETE", "/api/v1/"}, {"GET", "/%00"}, {"POST", "/api/%ff"},
	} {
		w.answered(all, guard.Route{Pattern: "nothing"}, browse(httptest.NewRequest(c.method, c.path, nil)), http.StatusNotFound)
	}
	for _, path := range []string{"//api/v1/me", "/settings/../api/v1/me"} { // cleaned by a redirect
		rec := httptest.NewRecorder()
		all.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if to := rec.Header().Get("Location"); to != "/api/v1/me" {
			t.Errorf("%s: %d to %q", path, rec.Code, to)
		}
		w.headers(guard.Route{Pattern: path}, rec)
	}
	r := httptest.NewRequest("POST", "/alerts", nil) // a program, at a page
	rec := httptest.NewRecorder()
	all.ServeHTTP(rec, r)
	if rec.Code != 405 || rec.Header().Get("Content-Type") != "application/problem+json" || rec.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /alerts of a program: %d %v", rec.Code, rec.Header())
	}
}

// TestTooMuch sends every form and every operation more than it may have.
func TestTooMuch(t *testing.T) {
	w := newWall(t)
	mux, reached := w.stubbed()
	admin := w.session(access.Admin)
	for _, route := range w.web.routes {
		if !route.Unsafe() {
			continue
		}
		method, path := address(route)
		v := admin
		if route.Needs == access.Public {
			v = w.stranger()
		}
		r := v.request(method, path)
		large := httptest.NewRequest(method, path, strings.NewReader(guard.FormField+"="+v.csrf+"&text="+strings.Repeat("x", int(max(route.Body, guard.MaxBody)))))
		large.Header = r.Header
		w.answered(mux, route, browse(large), http.StatusRequestEntityTooLarge)
		if *reached {
			t.Errorf("%s: its handler was reached", route.Pattern)
			*reached = false
		}
	}
}

// TestEveryAnswerOfAServer: what is no page and no operation has the headers too.
func TestEveryAnswerOfAServer(t *testing.T) {
	a := start(t, settings(t.TempDir(), "one"))
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/healthz", 200}, {"GET", "/readyz", 200}, {"GET", "/metrics", 200}, {"GET", "/active/none", 404}, {"DELETE", "/healthz", 405},
		{"GET", "/v1/sources/none", 405}, {"GET", "/no/such", 404}, {"POST", "/sign-out", 401}, {"GET", "/assets/none.css", 404},
		{"GET", "/api/v1/me", 401}, {"BREW", "/api/v1/me", 405}, {"GET", "/api/v1/me?x=%00", 400},
	} {
		resp := call(t, c.method, "http://"+a.Addr()+c.path, "none", "")
		if resp.StatusCode != c.want {
			t.Errorf("%s %s: %d, not %d", c.method, c.path, resp.StatusCode, c.want)
		}
		for name, want := range guard.Headers() {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s %s: the header %s is %q", c.method, c.path, name, got)
			}
		}
	}
}

// TestConsoleBeforeItsDatabase: until the database answers for the first time, a
// console says so, to programs as to people.
func TestConsoleBeforeItsDatabase(t *testing.T) {
	cfg := config.Default()
	cfg.Listen, cfg.Database.URL = "127.0.0.1:0", secret.New("postgres://nobody@127.0.0.1:1/none")
	c := NewConsole(Options{Config: cfg})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for _, p := range []struct {
		method, path, kind string
		want               int
	}{
		{"GET", "/", "text/html; charset=utf-8", 503}, {"GET", "/sign-in", "text/html; charset=utf-8", 503}, {"POST", "/sign-in", "text/html; charset=utf-8", 503},
		{"GET", "/api/v1/connectors", "application/problem+json", 503}, {"DELETE", "/api/v1/x", "application/problem+json", 503},
		{"GET", "/healthz", "application/json", 200},
	} {
		resp := call(t, p.method, "http://"+c.Addr()+p.path, "none", "")
		if resp.StatusCode != p.want || resp.Header.Get("Content-Type") != p.kind {
			t.Errorf("%s %s: %d as %q", p.method, p.path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		for name, want := range guard.Headers() {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s %s: the header %s is %q", p.method, p.path, name, got)
			}
		}
		if p.want == 503 && resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s %s does not say when to try again", p.method, p.path)
		}
	}
}
