package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/config"
	"tieline/internal/store"
)

// openToAll are the routes that need no sign-in. Whoever adds one says so here.
var openToAll = []string{
	"GET /", "GET /assets/{name}", "GET /favicon.ico", "GET /sign-in", "POST /sign-in", "GET /sign-in/oidc", "GET /sign-in/oidc/begin", "GET /set-up", "POST /set-up",
}

// ownMatters are the forms that any role may send: they change what is the
// sender's own, or only ask the servers for a sign of life.
var ownMatters = []string{
	"POST /theme", "POST /sign-out", "POST /settings/password", "POST /settings/password/sign-out",
	"POST /servers/refresh", "POST /connectors/{connector}/refresh", "POST /api/v1/refresh",
	"POST /api/v1/me/password", "DELETE /api/v1/me/sessions",
}

// wall is the console and API of a database, and the accounts that try them.
type wall struct {
	*testing.T
	db  *store.DB
	web *web
}

func newWall(t *testing.T) *wall {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "tieline.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	apply(t, dir, newDesk(t).document)
	group, err := db.Group(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.DataDir = dir
	w := &wall{T: t, db: db, web: newWeb(db, group, cfg, "one", slog.New(slog.NewTextHandler(t.Output(), nil)))}
	for _, role := range access.Roles() {
		if _, err := db.AddAccount(t.Context(), access.Account{Name: string(role), Kind: access.Local, Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// visitor is one who asks: with a cookie and the token of its forms, or with an API token.
type visitor struct {
	access.Principal
	cookie, csrf, bearer string
}

func (w *wall) session(role access.Role) visitor {
	w.Helper()
	a, err := w.db.Account(w.Context(), string(role))
	if err != nil {
		w.Fatal(err)
	}
	rec := httptest.NewRecorder()
	if err := w.web.guard.SignIn(rec, httptest.NewRequest("POST", "/sign-in", nil), a, access.ViaSession); err != nil {
		w.Fatal(err)
	}
	v := visitor{Principal: access.Principal{Name: string(role), Role: role, Via: access.ViaSession}, cookie: cookieOf(rec)}
	mux := http.NewServeMux()
	w.web.guard.Mount(mux, []guard.Route{{Pattern: "GET /token", Needs: access.View, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprint(rw, guard.Token(r.Context()))
	})}})
	rec = httptest.NewRecorder()
	mux.ServeHTTP(rec, v.request("GET", "/token"))
	if v.csrf = rec.Body.String(); rec.Code != 200 || v.csrf == "" {
		w.Fatalf("the session of %s is no session: %d", role, rec.Code)
	}
	return v
}

func cookieOf(rec *httptest.ResponseRecorder) string {
	text, _, _ := strings.Cut(rec.Header().Get("Set-Cookie"), ";")
	return text
}

func (w *wall) token(role access.Role) visitor {
	w.Helper()
	_, text, err := w.web.services.access.CreateToken(w.Context(), access.NewToken{Name: string(role), Role: role, Valid: access.MaxTokenTime, Who: "admin"})
	if err != nil {
		w.Fatal(err)
	}
	return visitor{Principal: access.Principal{Name: "token:" + string(role), Role: role, Via: access.ViaToken}, bearer: text.Reveal()}
}

func (v visitor) request(method, path string) *http.Request {
	form := url.Values{guard.FormField: {v.csrf}}
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(path, "/api/") && v.csrf != "" {
		r.Header.Set(guard.FormHeader, v.csrf)
	}
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	if v.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+v.bearer)
	}
	return r
}

var parameter = regexp.MustCompile(`\{([a-z]+)(\.\.\.)?\$?\}`)

// address is a path that a route's pattern matches.
func address(r guard.Route) (method, path string) {
	method, pattern, _ := strings.Cut(r.Pattern, " ")
	if strings.HasSuffix(pattern, "/") { // everything below it
		pattern += "no-such-thing"
	}
	path = strings.ReplaceAll(pattern, "{$}", "")
	return method, parameter.ReplaceAllStringFunc(path, func(p string) string {
		switch name := strings.Trim(p, "{}."); name {
		case "connector":
			return "desk"
		case "id", "alert":
			return "00000000-0000-4000-8000-000000000000"
		case "name":
			return "viewer"
		case "version", "revision", "number":
			return "1"
		default:
			return name
		}
	})
}

// stubbed is the table with handlers that only tell that they were reached.
func (w *wall) stubbed() (mux *http.ServeMux, reached *bool) {
	mux, reached = http.NewServeMux(), new(bool)
	routes := slices.Clone(w.web.routes)
	for i := range routes {
		routes[i].Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { *reached = true })
	}
	w.web.guard.Mount(mux, routes)
	return mux, reached
}

// TestEveryRouteSaysWhatItNeeds walks the table itself.
func TestEveryRouteSaysWhatItNeeds(t *testing.T) {
	w := newWall(t)
	if len(w.web.routes) < 40 {
		t.Fatalf("the table has %d routes: it is not the whole", len(w.web.routes))
	}
	for _, r := range w.web.routes {
		if open := slices.Contains(openToAll, r.Pattern); open != (r.Needs == access.Public) {
			t.Errorf("%s needs %s: openToAll says otherwise", r.Pattern, r.Needs)
		}
		if r.Unsafe() && r.Needs == access.View && !slices.Contains(ownMatters, r.Pattern) {
			t.Errorf("%s may change something, and any role may send it", r.Pattern)
		}
		if r.Unsafe() && r.Action == "" {
			t.Errorf("%s has no name for the audit", r.Pattern)
		}
	}
}

// TestEveryRouteByRole asks every route as nobody, and as each role by session
// and by API token: the handler is reached by those alone who may.
func TestEveryRouteByRole(t *testing.T) {
	w := newWall(t)
	mux, reached := w.stubbed()
	visitors := []visitor{{}}
	for _, role := range access.Roles() {
		visitors = append(visitors, w.session(role), w.token(role))
	}
	for _, route := range w.web.routes {
		method, path := address(route)
		for _, v := range visitors {
			may := v.May(route.Needs) && (v.Via != access.ViaToken || route.API() || route.Needs == access.Public)
			if route.Needs == access.Public && route.Unsafe() {
				may = false // without the form's cookie; TestEveryFormNeedsItsToken has it
			}
			*reached = false
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, v.request(method, path))
			if *reached != may {
				t.Errorf("%s by %q (%s %s): reached %t, may %t: %d", route.Pattern, v.Name, v.Role, v.Via, *reached, may, rec.Code)
			}
			if !may {
				w.refused(route, v, rec)
			}
			w.headers(route, rec)
		}
	}
}

// refused checks the answer of a route that was not reached.
func (w *wall) refused(route guard.Route, v visitor, rec *httptest.ResponseRecorder) {
	w.Helper()
	want, kind := []int{http.StatusForbidden}, "text/html"
	switch {
	case route.API():
		kind = "application/problem+json"
		if v.Role == "" {
			want = []int{http.StatusUnauthorized}
		}
	case v.Role == "" || v.Via == access.ViaToken:
		want = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusSeeOther}
		if rec.Code == http.StatusSeeOther && (route.Unsafe() || !strings.HasPrefix(rec.Header().Get("Location"), guard.SignInPath)) {
			w.Errorf("%s leads to %q", route.Pattern, rec.Header().Get("Location"))
		}
	}
	if !slices.Contains(want, rec.Code) {
		w.Errorf("%s refuses %q with %d, not %v", route.Pattern, v.Name, rec.Code, want)
	}
	if rec.Code != http.StatusSeeOther && !strings.HasPrefix(rec.Header().Get("Content-Type"), kind) {
		w.Errorf("%s refuses as %q, not %s", route.Pattern, rec.Header().Get("Content-Type"), kind)
	}
}

// headers checks those of every answer. An asset may be kept.
func (w *wall) headers(route guard.Route, rec *httptest.ResponseRecorder) {
	w.Helper()
	for name, want := range guard.Headers() {
		got := rec.Header().Get(name)
		if name == "Cache-Control" && strings.HasPrefix(route.Pattern, "GET /assets/") {
			continue
		}
		if got != want {
			w.Errorf("%s: %d has the header %s: %q", route.Pattern, rec.Code, name, got)
		}
	}
}

// TestEveryFormNeedsItsToken sends every unsafe request as somebody who may, but
// as another site would have the browser send it.
func TestEveryFormNeedsItsToken(t *testing.T) {
	w := newWall(t)
	mux, reached := w.stubbed()
	admin, other := w.session(access.Admin), w.session(access.Operator)
	for _, route := range w.web.routes {
		if !route.Unsafe() {
			continue
		}
		method, path := address(route)
		v := admin
		if route.Needs == access.Public {
			rec := httptest.NewRecorder()
			mux2 := http.NewServeMux()
			w.web.guard.Mount(mux2, []guard.Route{{Pattern: "GET /form", Needs: access.Public, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				fmt.Fprint(rw, guard.Token(r.Context()))
			})}})
			mux2.ServeHTTP(rec, httptest.NewRequest("GET", "/form", nil))
			v = visitor{cookie: cookieOf(rec), csrf: rec.Body.String()}
		}
		for name, c := range map[string]struct {
			csrf, header, value string
			want                bool
		}{
			"as it should be":       {v.csrf, "Sec-Fetch-Site", "same-origin", true},
			"no token":              {"", "", "", false},
			"another session's":     {other.csrf, "", "", false},
			"from another site":     {v.csrf, "Sec-Fetch-Site", "cross-site", false},
			"from a sibling's site": {v.csrf, "Sec-Fetch-Site", "same-site", false},
			"from another origin":   {v.csrf, "Origin", "https://evil.example", false},
		} {
			*reached = false
			from := v
			from.csrf = c.csrf
			r := from.request(method, path)
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, r)
			if *reached != c.want || !c.want && rec.Code != http.StatusForbidden {
				t.Errorf("%s, %s: reached %t, %d", route.Pattern, name, *reached, rec.Code)
			}
		}
	}
}

// TestEveryRefusalIsAudited counts what the walk by role leaves in the audit.
func TestEveryRefusalIsAudited(t *testing.T) {
	w := newWall(t)
	mux, _ := w.stubbed()
	viewer := w.session(access.Viewer)
	for _, route := range w.web.routes {
		if viewer.May(route.Needs) {
			continue
		}
		method, path := address(route)
		// An address of its own each, so that the entries are not damped.
		r := viewer.request(method, path)
		r.RemoteAddr = fmt.Sprintf("[2001:db8::%x]:1", len(route.Pattern)*7919+len(path))
		mux.ServeHTTP(httptest.NewRecorder(), r)
		page, err := w.db.Entries(t.Context(), access.Query{Limit: 1})
		if err != nil || len(page) != 1 {
			t.Fatal(page, err)
		}
		e := page[0]
		if e.Outcome != access.Refused || e.Who != "viewer" || e.Role != access.Viewer || e.Target != path || e.Detail == "" || e.Server != "one" {
			t.Errorf("%s: the newest entry is %+v", route.Pattern, e)
		}
	}
}

// What no page may have, whatever its data: the policy would stop the first
// three, and the last would reach another host.
var (
	scriptTag   = regexp.MustCompile(`<script[^>]*>`)
	inlineStyle = regexp.MustCompile(`<style|<[^>]+\sstyle="`)
	inlineEvent = regexp.MustCompile(`<[^>]+\son[a-z]+="`)
	loadedFrom  = regexp.MustCompile(`<(?:link|img|script|iframe|source)\b[^>]*(?:src|href)="(?:https?:)?//`)
	postForm    = regexp.MustCompile(`(?s)<form[^>]*method="post".*?</form>`)
)

// maxPage is the most bytes a page may have.
const maxPage = 100 << 10

// TestEveryPage opens every page as an administrator, and as nobody where that
// is possible: no failure, no inline script or style, nothing from another host,
// a token in every form.
func TestEveryPage(t *testing.T) {
	w := newWall(t)
	mux := http.NewServeMux()
	w.web.mount(mux)
	admin := w.session(access.Admin)
	for _, route := range w.web.routes {
		if route.Unsafe() {
			continue
		}
		method, path := address(route)
		ctx, leave := context.WithCancel(t.Context())
		r, rec := admin.request(method, path).WithContext(ctx), httptest.NewRecorder()
		if route.Stream { // it goes on until the browser leaves
			mux.ServeHTTP(&leaver{rec, leave}, r)
		} else {
			mux.ServeHTTP(rec, r)
		}
		leave()
		if rec.Code >= 500 {
			t.Errorf("%s: %d: %s", path, rec.Code, rec.Body)
		}
		w.headers(route, rec)
		if strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
			w.page(path, rec.Body.String())
		}
	}
}

// leaver is a browser that leaves when the answer has begun.
type leaver struct {
	*httptest.ResponseRecorder
	leave func()
}

// Flush implements http.Flusher.
func (l *leaver) Flush() {
	l.ResponseRecorder.Flush()
	l.leave()
}

func (w *wall) page(path, html string) {
	w.Helper()
	if len(html) > maxPage {
		w.Errorf("%s has %d bytes", path, len(html))
	}
	for _, tag := range scriptTag.FindAllString(html, -1) {
		if !strings.Contains(tag, ` src="/assets/`) {
			w.Errorf("%s has the script %s", path, tag)
		}
	}
	for what, found := range map[string]*regexp.Regexp{"a style": inlineStyle, "a script in an attribute": inlineEvent, "something from another host": loadedFrom} {
		if tag := found.FindString(html); tag != "" {
			w.Errorf("%s has %s: %s", path, what, tag)
		}
	}
	for _, form := range postForm.FindAllString(html, -1) {
		if !regexp.MustCompile(`name="` + guard.FormField + `" value="[A-Z2-7]{26}"`).MatchString(form) {
			w.Errorf("%s has a form without a token: %.300s", path, form)
		}
	}
}
