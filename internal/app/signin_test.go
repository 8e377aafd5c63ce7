package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/config"
	"tieline/internal/store"
)

const password = "correct horse battery"

// person is somebody with a browser: it keeps cookies, follows redirects and
// sends the token of the form that a page has.
type person struct {
	*testing.T
	http.Client
}

func newPerson(t *testing.T) *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{T: t, Client: http.Client{Jar: jar}}
}

// open loads a page and returns where it led and what it says.
func (p *person) open(address string) (status int, path, page string) {
	p.Helper()
	resp, err := p.Get(address)
	if err != nil {
		p.Fatal(err)
	}
	return p.read(resp)
}

func (p *person) read(resp *http.Response) (status int, path, page string) {
	p.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL.Path, string(text)
}

var formToken = regexp.MustCompile(`name="` + guard.FormField + `" value="([^"]+)"`)

// send loads a page and sends a form of it.
func (p *person) send(page, action string, fields url.Values) (status int, path, answer string) {
	p.Helper()
	_, _, text := p.open(page)
	found := formToken.FindStringSubmatch(text)
	if found == nil {
		p.Fatalf("%s has no form: %s", page, text)
	}
	fields.Set(guard.FormField, found[1])
	u, err := url.Parse(page)
	if err != nil {
		p.Fatal(err)
	}
	resp, err := p.PostForm(u.Scheme+"://"+u.Host+action, fields)
	if err != nil {
		p.Fatal(err)
	}
	return p.read(resp)
}

var setUpLink = regexp.MustCompile(`http://\S+/set-up\?token=\S+`)

// TestFirstRun goes the way of somebody who starts a server for the first time,
// and of their session when that server stops.
func TestFirstRun(t *testing.T) {
	dir := t.TempDir()
	one, two := start(t, settings(dir, "one")), start(t, settings(dir, "two"))
	link := setUpLink.FindString(two.Welcome())
	if setUpLink.FindString(one.Welcome()) == "" || link == "" || strings.Contains(one.Welcome(), link) {
		t.Fatalf("the servers do not print a link each:\n%s%s", one.Welcome(), two.Welcome())
	}
	p := newPerson(t)
	if _, path, page := p.open("http://" + one.Addr() + "/"); path != "/sign-in" || !strings.Contains(page, "no administrator yet") {
		t.Errorf("a stranger is led to %s", path)
	}
	// Any server takes the link of any other.
	link = strings.Replace(link, two.Addr(), one.Addr(), 1)
	u, _ := url.Parse(link)
	fields := url.Values{"token": {u.Query().Get("token")}, "name": {"Ann"}, "password": {password}, "again": {"something else"}}
	if status, _, page := p.send(link, "/set-up", fields); status != 400 || !strings.Contains(page, "Must be the same as above") {
		t.Errorf("typed differently twice: %d", status)
	}
	fields.Set("again", password)
	if status, path, page := p.send(link, "/set-up", fields); status != 200 || path != "/" || !strings.Contains(page, "first administrator") {
		t.Fatalf("after the set-up: %d at %s: %s", status, path, page)
	}
	if status, _, _ := newPerson(t).open(link); status != http.StatusForbidden {
		t.Errorf("the link is good twice: %d", status)
	}
	// The session is the group's, not the server's.
	stop(t, one)
	base := "http://" + two.Addr()
	if status, path, page := p.open(base + "/settings/accounts"); status != 200 || path != "/settings/accounts" || !strings.Contains(page, "ann") {
		t.Errorf("on the other server: %d at %s", status, path)
	}
	if strings.Contains(start(t, settings(dir, "three")).Welcome(), "set-up") {
		t.Error("a link is printed while there is an administrator")
	}
	if status, path, _ := p.send(base+"/", "/sign-out", url.Values{}); status != 200 || path != "/sign-in" {
		t.Errorf("signed out: %d at %s", status, path)
	}
	if _, path, _ := p.open(base + "/"); path != "/sign-in" {
		t.Errorf("after the sign-out %s opens", path)
	}
	if status, _, page := p.send(base+"/sign-in", "/sign-in", url.Values{"name": {"ann"}, "password": {"wrong"}}); status != 401 || !strings.Contains(page, "name or the password is wrong") {
		t.Errorf("with a wrong password: %d", status)
	}
	for next, want := range map[string]string{"/history?x=1": "/history", "//evil.example/": "/", "https://evil.example/": "/"} {
		status, path, _ := p.send(base+"/sign-in", "/sign-in", url.Values{"name": {"ann"}, "password": {password}, "next": {next}})
		if status != 200 || path != want {
			t.Errorf("signed in to %q: %d at %s", next, status, path)
		}
	}
	if _, _, page := p.open(base + "/settings/audit"); !strings.Contains(page, "sign in") || !strings.Contains(page, "set up the first administrator") || strings.Contains(page, password) {
		t.Error("the audit does not tell of it, or of too much")
	}
}

// TestAccountsAndTokens: what an administrator does on the settings pages, and
// what becomes of those concerned.
func TestAccountsAndTokens(t *testing.T) {
	dir := t.TempDir()
	a := start(t, settings(dir, "one"))
	base := "http://" + a.Addr()
	if _, err := a.web.services.access.AddAccount(t.Context(), "ann", password, access.Admin); err != nil {
		t.Fatal(err)
	}
	signIn := func(name string) *person {
		p := newPerson(t)
		if status, path, page := p.send(base+"/sign-in", "/sign-in", url.Values{"name": {name}, "password": {password}}); status != 200 || path != "/" {
			t.Fatalf("%s signs in: %d at %s: %s", name, status, path, page)
		}
		return p
	}
	ann := signIn("ann")
	add := url.Values{"name": {"bob"}, "role": {"viewer"}, "password": {password}, "again": {password}}
	if status, _, page := ann.send(base+"/settings/accounts", "/settings/accounts", add); status != 200 || !strings.Contains(page, "Added bob as viewer") {
		t.Fatalf("add bob: %d: %s", status, page)
	}
	if status, _, page := ann.send(base+"/settings/accounts", "/settings/accounts", add); status != 409 || !strings.Contains(page, "an account bob already") || strings.Contains(page, password) {
		t.Errorf("add bob again: %d", status)
	}
	bob := signIn("bob")
	if status, _, page := bob.open(base + "/settings/accounts"); status != 403 || !strings.Contains(page, "role admin") {
		t.Errorf("bob opens the accounts: %d", status)
	}
	if status, _, page := ann.send(base+"/settings/accounts/bob", "/settings/accounts/bob/role", url.Values{"role": {"operator"}}); status != 200 || !strings.Contains(page, "Changed the role of bob") {
		t.Errorf("bob becomes an operator: %d", status)
	}
	if _, path, _ := bob.open(base + "/"); path != "/sign-in" {
		t.Errorf("bob's session had the old role, and %s opens", path)
	}
	if status, _, page := ann.send(base+"/settings/accounts/ann", "/settings/accounts/ann/role", url.Values{"role": {"viewer"}}); status != 409 || !strings.Contains(page, "last administrator") {
		t.Errorf("the last administrator gives up: %d", status)
	}
	status, _, page := ann.send(base+"/settings/tokens", "/settings/tokens", url.Values{"name": {"ci"}, "role": {"operator"}, "days": {"7"}})
	token := regexp.MustCompile(`tieline_[\w-]{43}`).FindString(page)
	if status != 201 || token == "" {
		t.Fatalf("make a token: %d: %s", status, page)
	}
	if _, _, page := ann.open(base + "/settings/tokens"); strings.Contains(page, token) || !strings.Contains(page, "ci") {
		t.Error("the token is shown a second time")
	}
	for _, c := range []struct {
		method, path string
		want         int
	}{{"GET", "/api/v1/me", 200}, {"GET", "/api/v1/accounts", 403}, {"GET", "/api/v1/openapi.json", 200}, {"GET", "/api/v1/nothing", 404}} {
		if got := call(t, c.method, base+c.path, token, "").StatusCode; got != c.want {
			t.Errorf("%s %s with the token: %d, not %d", c.method, c.path, got, c.want)
		}
	}
	if status, _, _ := ann.send(base+"/settings/tokens/ci/revoke", "/settings/tokens/ci/revoke", url.Values{}); status != 200 {
		t.Errorf("revoke: %d", status)
	}
	if got := call(t, "GET", base+"/api/v1/me", token, "").StatusCode; got != 401 {
		t.Errorf("with the revoked token: %d", got)
	}
	bob = signIn("bob")
	change := url.Values{"present": {password}, "password": {password + " two"}, "again": {password + " two"}}
	if status, _, page := bob.send(base+"/settings/password", "/settings/password", change); status != 200 || !strings.Contains(page, "Changed your password") {
		t.Errorf("bob's new password: %d: %s", status, page)
	}
	if status, _, page := ann.send(base+"/settings/accounts/bob/remove", "/settings/accounts/bob/remove", url.Values{}); status != 200 || !strings.Contains(page, "Removed the account bob") {
		t.Errorf("remove bob: %d", status)
	}
	if _, path, _ := bob.open(base + "/"); path != "/sign-in" {
		t.Errorf("bob is removed, and %s opens", path)
	}
}

func call(t *testing.T, method, address, token, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestSignInByOpenID goes to a provider and back.
func TestSignInByOpenID(t *testing.T) {
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	t.Setenv("OIDC_TEST_SECRET", m.ClientSecret)
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/tieline.db", store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	server := httptest.NewUnstartedServer(nil)
	origin := "http://" + server.Listener.Addr().String()
	cfg := config.Default()
	cfg.Console.URL, _ = url.Parse(origin)
	cfg.OIDC.Issuer, cfg.OIDC.ClientID, cfg.OIDC.ClientSecret = m.Issuer(), m.ClientID, "env:OIDC_TEST_SECRET"
	cfg.OIDC.Scopes, cfg.OIDC.Admins, cfg.OIDC.Label = []string{"profile", "groups"}, []string{"leads"}, "Sign in at work"
	group, err := db.Group(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	newWeb(db, group, cfg, "one", nil).mount(mux)
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)

	p := newPerson(t)
	if _, path, page := p.open(origin + "/settings/accounts"); path != "/sign-in" || !strings.Contains(page, `href="/sign-in/oidc/begin?next=%2fsettings%2faccounts"`) || !strings.Contains(page, "Sign in at work") {
		t.Errorf("the sign-in page at %s does not lead to the provider: %s", path, page)
	}
	m.QueueUser(&mockoidc.MockUser{Subject: "7", PreferredUsername: "ida", Groups: []string{"leads"}})
	if status, path, page := p.open(origin + "/sign-in/oidc/begin?next=/settings/accounts"); status != 200 || path != "/settings/accounts" || !strings.Contains(page, "at the OpenID provider") {
		t.Fatalf("signed in: %d at %s: %s", status, path, page)
	}
	m.QueueUser(&mockoidc.MockUser{Subject: "8", PreferredUsername: "eve", Groups: []string{"guests"}})
	if status, path, page := newPerson(t).open(origin + "/sign-in/oidc/begin"); status != 403 || path != "/sign-in/oidc" || !strings.Contains(page, "has no role here") {
		t.Errorf("somebody without a role: %d at %s", status, path)
	}
	if status, _, _ := newPerson(t).open(origin + "/sign-in/oidc?code=x&state=y"); status != 401 {
		t.Errorf("a sign-in nobody began: %d", status)
	}
	entries, err := db.Entries(t.Context(), access.Query{Text: "OpenID"})
	if err := m.Shutdown(); err != nil {
		t.Fatal(err)
	}
	cfg.OIDC.Label = "Sign in at work, later" // another process, which has not reached the provider
	late := http.NewServeMux()
	newWeb(db, group, cfg, "two", nil).mount(late)
	rec := httptest.NewRecorder()
	late.ServeHTTP(rec, httptest.NewRequest("GET", "/sign-in/oidc/begin?next=/history", nil))
	for _, want := range []string{"The OpenID provider does not answer", "sign in with a password", `name="password"`, `value="/history"`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("with the provider away the page lacks %q", want)
		}
	}
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Refresh") != "" || strings.Contains(rec.Body.String(), "database does not answer") {
		t.Errorf("with the provider away: %d %v: %s", rec.Code, rec.Header(), rec.Body)
	}
	if err != nil || len(entries) != 3 || entries[2].Who != "ida" || entries[2].Via != access.ViaOIDC || entries[2].Outcome != access.Done || entries[1].Outcome != access.Refused {
		t.Errorf("entries %+v: %v", entries, err)
	}
	if c := p.Jar.Cookies(cfg.Console.URL); len(c) == 0 || strings.Contains(fmt.Sprint(c), "openid") {
		t.Errorf("cookies after the sign-in: %v", c)
	}
}

// TestAccountsByAPI: errors as problems, ETags, pages.
func TestAccountsByAPI(t *testing.T) {
	dir := t.TempDir()
	a := start(t, settings(dir, "one"))
	s := a.web.services.access
	if _, err := s.AddAccount(t.Context(), "ann", password, access.Admin); err != nil {
		t.Fatal(err)
	}
	_, text, err := s.CreateToken(t.Context(), access.NewToken{Name: "root", Role: access.Admin, Valid: access.MaxTokenTime, Who: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + a.Addr() + "/api/v1"
	do := func(want int, method, path, body string, headers ...string) (*http.Response, string) {
		t.Helper()
		resp := call(t, method, base+path, text.Reveal(), body, headers...)
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s %s: %d, not %d: %s", method, path, resp.StatusCode, want, answer)
		}
		if kind := resp.Header.Get("Content-Type"); want >= 400 && kind != "application/problem+json" {
			t.Errorf("%s %s: an error as %q", method, path, kind)
		}
		return resp, string(answer)
	}
	made, _ := do(201, "POST", "/accounts", `{"name":"bob","password":"`+password+`","role":"viewer"}`)
	do(409, "POST", "/accounts", `{"name":"bob","password":"`+password+`","role":"viewer"}`)
	if _, answer := do(422, "POST", "/accounts", `{"name":"eve","password":"hunter2","role":"king"}`); strings.Contains(answer, "hunter2") || !strings.Contains(answer, `"path":"body.role"`) {
		t.Errorf("the problem is %s", answer)
	}
	etag := made.Header.Get("ETag")
	do(428, "PATCH", "/accounts/bob", `{"role":"operator"}`)
	do(400, "PATCH", "/accounts/bob", `{"role":"operator"}`, "If-Match", "nonsense")
	changed, _ := do(200, "PATCH", "/accounts/bob", `{"role":"operator"}`, "If-Match", etag)
	do(412, "PATCH", "/accounts/bob", `{"role":"viewer"}`, "If-Match", etag)
	if changed.Header.Get("ETag") == etag {
		t.Error("a change kept the ETag")
	}
	do(428, "DELETE", "/accounts/ann", "")
	do(412, "DELETE", "/accounts/bob", "", "If-Match", etag)
	do(409, "DELETE", "/accounts/ann", "", "If-Match", "*")
	do(404, "GET", "/accounts/nobody", "")
	do(204, "DELETE", "/accounts/bob", "", "If-Match", changed.Header.Get("ETag"))
	first, page := do(200, "GET", "/audit?limit=2&outcome=failed", "")
	if strings.Count(page, `"id":`) != 2 || strings.Contains(page, password) || strings.Contains(page, "hunter2") {
		t.Errorf("the audit's page is %s", page)
	}
	next := regexp.MustCompile(`^</api/v1(/audit\?\S+)>; rel="next"$`).FindStringSubmatch(first.Header.Get("Link"))
	if next == nil {
		t.Fatalf("the next page is at %q", first.Header.Get("Link"))
	}
	if _, second := do(200, "GET", next[1], ""); strings.Count(second, `"id":`) != 2 || second == page || !strings.Contains(second, `"outcome":"failed"`) {
		t.Errorf("the next page is %s", second)
	}
	do(400, "GET", "/audit?cursor=nonsense", "")
	do(422, "GET", "/audit?limit=0", "")
	do(422, "GET", "/audit?outcome=maybe", "")
}
