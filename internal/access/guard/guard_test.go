package guard

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"tieline/internal/access"
	"tieline/internal/fault"
)

// memory is what a guard needs of package access, without a database.
type memory struct {
	mu       sync.Mutex
	sessions map[string]access.Session
	entries  []access.Entry
	ids      int64
	looks    int // at which sessions go on
	away     bool
}

func (m *memory) Bearer(_ context.Context, text string) (access.Principal, error) {
	role, ok := strings.CutPrefix(text, "token-of-")
	if !ok {
		return access.Principal{}, fault.New(fault.Unauthorized, "no such token")
	}
	return access.Principal{Name: "token:" + role, Role: access.Role(role), Via: access.ViaToken}, nil
}

func (m *memory) Session(_ context.Context, hash string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, false, fault.New(fault.Unavailable, "the database does not answer")
	}
	s, found := m.sessions[hash]
	return s.Data, found, nil
}

func (m *memory) LiveSessions(_ context.Context, hashes []string) (map[string]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	if m.away {
		return nil, fault.New(fault.Unavailable, "the database does not answer")
	}
	live := map[string]bool{}
	for _, hash := range hashes {
		_, live[hash] = m.sessions[hash]
	}
	return live, nil
}

func (m *memory) SaveSession(_ context.Context, s access.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[s.Hash] = s
	return nil
}

func (m *memory) EndSession(_ context.Context, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, hash)
	return nil
}

func (m *memory) Record(_ context.Context, e access.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, e)
	return nil
}

func (m *memory) Begin(_ context.Context, e access.Entry) (access.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return e, fault.New(fault.Unavailable, "the database does not answer")
	}
	m.ids++
	e.ID, e.Outcome = m.ids, access.Begun
	m.entries = append(m.entries, e)
	return e, nil
}

func (m *memory) End(_ context.Context, e access.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.entries, func(begun access.Entry) bool { return begun.ID == e.ID && begun.Outcome == access.Begun })
	if i < 0 {
		return fault.New(fault.NotFound, "no such entry")
	}
	if e.Outcome == "" {
		m.entries = slices.Delete(m.entries, i, i+1)
		return nil
	}
	m.entries[i] = e
	return nil
}

// last returns the newest audit entry and forgets all.
func (m *memory) last(t *testing.T) access.Entry {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.entries) != 1 {
		t.Errorf("%d audit entries, not 1: %+v", len(m.entries), m.entries)
	}
	var e access.Entry
	if n := len(m.entries); n > 0 {
		e = m.entries[n-1]
	}
	m.entries = nil
	return e
}

// site is a guard with a few routes, served.
type site struct {
	*testing.T
	memory *memory
	guard  *Guard
	mux    *http.ServeMux
}

func newSite(t *testing.T, c Config, more ...Route) *site {
	s := &site{T: t, memory: &memory{sessions: map[string]access.Session{}}, mux: http.NewServeMux()}
	c.Access = s.memory
	s.guard = New(c)
	say := func(w http.ResponseWriter, r *http.Request) {
		p, _ := access.From(r.Context())
		fmt.Fprintf(w, "%s %s %s", p.Name, p.Role, Token(r.Context()))
	}
	routes := []Route{
		{Pattern: "GET /public", Needs: access.Public}, {Pattern: "GET /view", Needs: access.View},
		{Pattern: "GET /operate", Needs: access.Operate}, {Pattern: "GET /admin"},
		{Pattern: "POST /public", Needs: access.Public, Action: "do it"}, {Pattern: "POST /operate/{what}", Needs: access.Operate, Action: "operate"},
		{Pattern: "GET /api/v1/view", Needs: access.View}, {Pattern: "POST /api/v1/operate", Needs: access.Operate},
		{Pattern: "GET /live", Needs: access.View, Stream: true},
	}
	for i := range routes {
		routes[i].Handler = http.HandlerFunc(say)
	}
	s.guard.Mount(s.mux, append(routes, more...))
	return s
}

// browser is a signed-in browser: its cookie and its forms' token.
type browser struct{ cookie, csrf string }

func (s *site) signIn(role access.Role, via string) browser {
	s.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/sign-in", nil)
	if err := s.guard.SignIn(w, r, access.Account{Name: string(role) + "-name", Role: role, Generation: 7}, via); err != nil {
		s.Fatal(err)
	}
	b := browser{cookie: strings.Split(w.Header().Get("Set-Cookie"), ";")[0]}
	b.csrf = lastWord(s.do(s.request("GET", "/view", b), 200))
	return b
}

func lastWord(text string) string { return text[strings.LastIndex(text, " ")+1:] }

func (s *site) request(method, path string, b browser) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	if b.cookie != "" {
		r.Header.Set("Cookie", b.cookie)
	}
	if method == "POST" {
		r = httptest.NewRequest(method, path, strings.NewReader(url.Values{FormField: {b.csrf}}.Encode()))
		r.Header.Set("Cookie", b.cookie)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (s *site) do(r *http.Request, want int) string {
	s.Helper()
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	if w.Code != want {
		s.Errorf("%s %s: %d, not %d: %s", r.Method, r.URL, w.Code, want, w.Body)
	}
	for name, value := range Headers() {
		if got := w.Header().Get(name); got != value {
			s.Errorf("%s %s: the header %s is %q", r.Method, r.URL, name, got)
		}
	}
	return w.Body.String()
}

func TestRoles(t *testing.T) {
	s := newSite(t, Config{})
	for role, may := range map[access.Role]string{access.Viewer: "view", access.Operator: "view operate", access.Admin: "view operate admin"} {
		b := s.signIn(role, access.ViaSession)
		for _, need := range []string{"view", "operate", "admin"} {
			want := http.StatusForbidden
			if strings.Contains(may, need) {
				want = http.StatusOK
			}
			if body := s.do(s.request("GET", "/"+need, b), want); want == 200 && !strings.HasPrefix(body, string(role)+"-name "+string(role)) {
				t.Errorf("the handler was told %q", body)
			}
			if want == http.StatusForbidden {
				if e := s.memory.last(t); e.Outcome != access.Refused || e.Who != string(role)+"-name" || e.Target != "/"+need || e.Address != "192.0.2.1" {
					t.Errorf("the refusal's entry is %+v", e)
				}
			}
		}
	}
	s.do(s.request("GET", "/public", browser{}), 200)
	s.do(s.request("GET", "/view", browser{}), http.StatusSeeOther)
	s.do(s.request("GET", "/view", browser{cookie: "tieline-session=made-up"}), http.StatusSeeOther)
	s.do(s.request("GET", "/live", browser{}), http.StatusUnauthorized)
	if len(s.memory.entries) != 0 {
		t.Errorf("being led to the sign-in stands in the audit: %+v", s.memory.entries)
	}
}

func TestForms(t *testing.T) {
	s := newSite(t, Config{})
	b := s.signIn(access.Operator, access.ViaOIDC)
	s.do(s.request("POST", "/operate/it", b), 200)
	if e := s.memory.last(t); e.Outcome != access.Done || e.Action != "operate" || e.Target != "/operate/it" || e.Via != access.ViaOIDC || e.Role != access.Operator {
		t.Errorf("entry %+v", e)
	}
	other := s.signIn(access.Operator, access.ViaSession)
	for name, change := range map[string]func(*http.Request){
		"no token":               func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("")) },
		"another session's":      func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(FormField + "=" + other.csrf)) },
		"a wrong one as header":  func(r *http.Request) { r.Header.Set(FormHeader, "x") },
		"from another site":      func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"from a sibling's site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"from another origin":    func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"nobody, with the token": func(r *http.Request) { r.Header.Del("Cookie") },
	} {
		r := s.request("POST", "/operate/it", b)
		change(r)
		want := http.StatusForbidden
		if r.Header.Get("Cookie") == "" {
			want = http.StatusUnauthorized
		}
		s.do(r, want)
		if e := s.memory.last(t); e.Outcome != access.Refused || e.Detail == "" {
			t.Errorf("%s: entry %+v", name, e)
		}
	}
	r := s.request("POST", "/api/v1/operate", browser{cookie: b.cookie})
	if body := s.do(r, http.StatusForbidden); !strings.Contains(body, FormHeader) || !strings.Contains(body, "field "+FormField) {
		t.Errorf("a script is not told which header it lacks: %s", body)
	}
	r = s.request("POST", "/api/v1/operate", browser{cookie: b.cookie})
	r.Header.Set(FormHeader, b.csrf)
	s.do(r, 200)
}

func TestFormsOfNobody(t *testing.T) {
	s := newSite(t, Config{})
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, s.request("GET", "/public", browser{}))
	b := browser{cookie: strings.Split(w.Header().Get("Set-Cookie"), ";")[0], csrf: lastWord(w.Body.String())}
	if b.csrf == "" || !strings.Contains(b.cookie, b.csrf) || !strings.Contains(w.Header().Get("Set-Cookie"), "HttpOnly") {
		t.Fatalf("cookie %q, token %q", w.Header().Get("Set-Cookie"), b.csrf)
	}
	s.do(s.request("POST", "/public", b), 200)
	if e := s.memory.last(t); e.Who != "" || e.Outcome != access.Done || e.Action != "do it" {
		t.Errorf("entry %+v", e)
	}
	s.do(s.request("POST", "/public", browser{csrf: b.csrf}), http.StatusForbidden)
	s.do(s.request("POST", "/public", browser{cookie: b.cookie}), http.StatusForbidden)
	s.do(s.request("POST", "/public", browser{cookie: "tieline-form=", csrf: ""}), http.StatusForbidden)
	if again := s.do(s.request("GET", "/public", b), 200); lastWord(again) != b.csrf {
		t.Error("the next page has another token: forms in two tabs would refuse each other")
	}
}

func TestTokens(t *testing.T) {
	s := newSite(t, Config{})
	bearer := func(method, path, token string) *http.Request {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return r
	}
	s.do(bearer("POST", "/api/v1/operate", "token-of-operator"), 200) // no form's token is needed
	if e := s.memory.last(t); e.Who != "token:operator" || e.Via != access.ViaToken || e.Outcome != access.Done {
		t.Errorf("entry %+v", e)
	}
	lower := bearer("GET", "/api/v1/view", "token-of-viewer")
	lower.Header.Set("Authorization", "bearer token-of-viewer")
	s.do(lower, 200) // RFC 9110: a scheme is of any case
	body := s.do(bearer("POST", "/api/v1/operate", "token-of-viewer"), http.StatusForbidden)
	if !strings.Contains(body, `"status":403`) || !strings.Contains(body, `"next":`) {
		t.Errorf("the problem is %s", body)
	}
	s.do(bearer("GET", "/api/v1/view", "nonsense"), http.StatusUnauthorized)
	s.do(bearer("GET", "/view", "token-of-admin"), http.StatusSeeOther) // pages are for people
	basic := httptest.NewRequest("GET", "/api/v1/view", nil)
	basic.SetBasicAuth("ann", "secret")
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, basic)
	if w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("basic authentication: %d %v", w.Code, w.Header())
	}
}

func TestSessions(t *testing.T) {
	s := newSite(t, Config{Group: "0123456789ab", URL: &url.URL{Scheme: "https", Host: "tieline.example"}})
	b := s.signIn(access.Viewer, access.ViaSession)
	if !strings.HasPrefix(b.cookie, "__Host-tieline-session-01234567=") {
		t.Errorf("cookie %q", b.cookie)
	}
	for hash, stored := range s.memory.sessions {
		if strings.Contains(b.cookie, hash) || stored.Account != "viewer-name" || stored.Generation != 7 || stored.Lifetime > access.SessionLifetime {
			t.Errorf("stored %+v under %q", stored, hash)
		}
	}
	w := httptest.NewRecorder()
	r := s.request("GET", "/", b)
	if err := s.guard.SignIn(w, r, access.Account{Name: "ann", Role: access.Admin, Generation: 8}, access.ViaSession); err != nil {
		t.Fatal(err)
	}
	cookie := w.Header().Get("Set-Cookie")
	if strings.HasPrefix(cookie, b.cookie) || len(s.memory.sessions) != 1 {
		t.Errorf("a sign-in kept the session's id, or %d sessions", len(s.memory.sessions))
	}
	for _, want := range []string{"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q is not %s", cookie, want)
		}
	}
	s.do(s.request("GET", "/view", b), http.StatusSeeOther) // the old id is no longer good
	ann := browser{cookie: strings.Split(cookie, ";")[0]}
	s.do(s.request("GET", "/admin", ann), 200)
	w = httptest.NewRecorder()
	if err := s.guard.SignOut(w, s.request("POST", "/sign-out", ann)); err != nil || len(s.memory.sessions) != 0 {
		t.Errorf("signed out: %v, %d sessions", err, len(s.memory.sessions))
	}
	if !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("the browser keeps %q", w.Header().Get("Set-Cookie"))
	}
	s.do(s.request("GET", "/view", ann), http.StatusSeeOther)
}

func TestHTTPSOnly(t *testing.T) {
	for scheme, want := range map[string]string{"https": "max-age=31536000", "http": ""} {
		s := newSite(t, Config{URL: &url.URL{Scheme: scheme, Host: "tieline.example"}})
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, s.request("GET", "/public", browser{}))
		if got := w.Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: Strict-Transport-Security %q", scheme, got)
		}
		if secure := strings.Contains(w.Header().Get("Set-Cookie"), "Secure"); secure != (scheme == "https") {
			t.Errorf("%s: the cookie is %q", scheme, w.Header().Get("Set-Cookie"))
		}
	}
}

func TestDatabaseAway(t *testing.T) {
	s := newSite(t, Config{})
	b := s.signIn(access.Admin, access.ViaSession)
	s.memory.away = true
	s.do(s.request("GET", "/public", b), 200)
	s.do(s.request("GET", "/view", b), http.StatusServiceUnavailable)
	s.do(s.request("GET", "/api/v1/view", b), http.StatusServiceUnavailable)
}

func TestPanicsAndLargeForms(t *testing.T) {
	s := newSite(t, Config{},
		Route{Pattern: "GET /panic", Needs: access.Public, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret text") })},
		Route{Pattern: "POST /small", Needs: access.Public, Body: 100, Handler: http.NotFoundHandler()})
	if body := s.do(s.request("GET", "/panic", browser{}), 500); strings.Contains(body, "secret text") {
		t.Errorf("the page shows %q", body)
	}
	s.do(s.request("POST", "/small", browser{csrf: strings.Repeat("x", 200)}), http.StatusRequestEntityTooLarge)
}

func TestOutcomes(t *testing.T) {
	status := http.StatusOK
	s := newSite(t, Config{}, Route{Pattern: "GET /back", Needs: access.Public, Audit: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		access.Remark(r.Context(), "status %d", status)
		w.WriteHeader(status)
	})})
	for code, want := range map[int]access.Outcome{200: access.Done, 303: access.Done, 400: access.Failed, 401: access.Refused, 403: access.Refused, 409: access.Failed, 429: access.Refused, 503: access.Failed} {
		status = code
		s.do(s.request("GET", "/back", browser{}), code)
		if e := s.memory.last(t); e.Outcome != want || e.Detail != fmt.Sprintf("status %d", code) {
			t.Errorf("%d: entry %+v", code, e)
		}
	}
}

func TestDamper(t *testing.T) {
	s := newSite(t, Config{})
	for range 200 {
		s.do(s.request("POST", "/public", browser{}), http.StatusForbidden)
	}
	if n := len(s.memory.entries); n != dampFrom+3 {
		t.Errorf("200 refusals of a minute fill %d entries, not %d", n, dampFrom+3)
	}
	if last := s.memory.entries[len(s.memory.entries)-1].Detail; !strings.Contains(last, "refusal 160") {
		t.Errorf("the last one says %q", last)
	}
	s.memory.entries = nil
	r := s.request("POST", "/public", browser{})
	r.RemoteAddr = "198.51.100.9:1"
	s.do(r, http.StatusForbidden)
	s.memory.last(t)
}

func TestAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		remote, forwarded, want string
	}{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.1", "192.0.2.1"}, // no proxy of ours: not believed
		{"10.0.0.1:5", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "203.0.113.66, 198.51.100.1, 10.0.0.2", "198.51.100.1"}, // what the client itself wrote is not believed
		{"10.0.0.1:5", "nonsense", "10.0.0.1"},
		{"[2001:db8::1]:5", "", "2001:db8::1"},
		{"10.0.0.1:5", "::ffff:198.51.100.1", "198.51.100.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := New(Config{Proxies: proxies}).Address(r); got != c.want {
			t.Errorf("%s, forwarded for %q: %s, not %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestTheTableIsComplete(t *testing.T) {
	ok := http.NotFoundHandler()
	for name, routes := range map[string][]Route{
		"a duplicate":  {{Pattern: "GET /a", Handler: ok}, {Pattern: "GET /a", Handler: ok}},
		"no method":    {{Pattern: "/a", Handler: ok}},
		"no handler":   {{Pattern: "GET /a"}},
		"other method": {{Pattern: "GET", Handler: ok}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is mounted", name)
				}
			}()
			New(Config{}).Mount(http.NewServeMux(), routes)
		}()
	}
	if (Route{}).Needs != access.Administer {
		t.Error("a route that does not say what it needs is not the administrator's")
	}
}
