package openid

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/secret"
)

const redirect = "https://tieline.example/sign-in/oidc"

// mock is a provider whose ID tokens a test can change.
type mock struct {
	*mockoidc.MockOIDC
	tamper func(claims map[string]any) string // nil = none
}

// newMock runs a provider and returns it with ours for it.
func newMock(t *testing.T) (*mock, *Provider) {
	t.Helper()
	server, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &mock{MockOIDC: server}
	for _, change := range []func(http.Handler) http.Handler{m.tokens, m.userInfo} {
		if err := m.AddMiddleware(change); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	t.Setenv("OIDC_TEST_SECRET", m.ClientSecret)
	return m, New(Config{
		Issuer: m.Issuer(), ClientID: m.ClientID, Secret: "env:OIDC_TEST_SECRET", Redirect: redirect,
		Scopes: []string{"profile", "groups"}, NameClaim: "preferred_username", RoleClaim: "groups",
		Viewers: []string{"*"}, Operators: []string{"ops"}, Admins: []string{"leads"},
	})
}

// tokens changes the ID token of an answer.
func (m *mock) tokens(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != mockoidc.TokenEndpoint || m.tamper == nil {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		answer, claims := map[string]any{}, jwt.MapClaims{}
		if json.Unmarshal(rec.Body.Bytes(), &answer) != nil {
			http.Error(w, "no answer to change", http.StatusInternalServerError)
			return
		}
		text, _ := answer["id_token"].(string)
		if _, _, err := jwt.NewParser().ParseUnverified(text, &claims); err != nil {
			http.Error(w, "no ID token to change", http.StatusInternalServerError)
			return
		}
		answer["id_token"] = m.tamper(claims)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// userInfo adds the subject, which the mock leaves out of its user info.
func (m *mock) userInfo(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != mockoidc.UserinfoEndpoint {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		info := map[string]any{}
		if json.Unmarshal(rec.Body.Bytes(), &info) != nil {
			http.Error(w, "no user info to change", http.StatusInternalServerError)
			return
		}
		info["sub"] = "42"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(info)
	})
}

// visit follows an address of the provider as a browser does, and returns what
// it is sent back with.
func visit(t *testing.T, address string) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil || !strings.HasPrefix(back.String(), redirect+"?") {
		t.Fatalf("sent to %v: %v", back, err)
	}
	return back.Query()
}

func TestSignIn(t *testing.T) {
	m, p := newMock(t)
	for groups, want := range map[string]access.Role{"": access.Viewer, "ops": access.Operator, "ops leads": access.Admin, "other": access.Viewer} {
		m.QueueUser(&mockoidc.MockUser{Subject: "42", PreferredUsername: "ida", Groups: strings.Fields(groups)})
		address, flow, err := p.Begin(t.Context(), "/alerts")
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(address)
		if q := u.Query(); q.Get("state") == "" || q.Get("nonce") == "" || q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != redirect ||
			strings.Contains(address, flow.Verifier) || flow.Next != "/alerts" {
			t.Errorf("the browser is sent to %s", address)
		}
		id, err := p.Finish(t.Context(), flow, visit(t, address))
		if err != nil || id != (access.Identity{Subject: m.Issuer() + "#42", Name: "ida", Role: want}) {
			t.Errorf("with groups %q: %+v: %v", groups, id, err)
		}
	}
}

func TestFinishRefuses(t *testing.T) {
	_, p := newMock(t)
	for name, change := range map[string]func(*Flow, url.Values){
		"another state":    func(_ *Flow, q url.Values) { q.Set("state", "x") },
		"no flow":          func(f *Flow, q url.Values) { *f = Flow{}; q.Del("state") },
		"another nonce":    func(f *Flow, _ url.Values) { f.Nonce = "x" },
		"another verifier": func(f *Flow, _ url.Values) { f.Verifier = "x" },
		"a code made up":   func(_ *Flow, q url.Values) { q.Set("code", "x") },
		"refused at provider": func(_ *Flow, q url.Values) {
			q.Set("error", "access_denied")
			q.Set("error_description", "<b>text</b>")
		},
	} {
		address, flow, err := p.Begin(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		q := visit(t, address)
		change(&flow, q)
		_, err = p.Finish(t.Context(), flow, q)
		if fault.KindOf(err) != fault.Unauthorized || strings.Contains(fault.Message(err), "<b>") {
			t.Errorf("%s: %v", name, err)
		}
	}
	address, flow, err := p.Begin(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	q := visit(t, address)
	if _, err := p.Finish(t.Context(), flow, q); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(t.Context(), flow, q); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("a code used twice: %v", err)
	}
}

// TestUntrusted: an ID token that the provider did not sign, that is for another
// client, of another issuer or of long ago signs nobody in.
func TestUntrusted(t *testing.T) {
	m, p := newMock(t)
	for name, c := range map[string]struct {
		change func(claims map[string]any)
		sign   func(claims map[string]any) string
		want   bool
	}{
		"as it came":          {want: true},
		"without groups":      {change: func(c map[string]any) { delete(c, "groups") }, want: true}, // asked for by user info
		"for another client":  {change: func(c map[string]any) { c["aud"] = []string{"somebody-else"} }},
		"of another issuer":   {change: func(c map[string]any) { c["iss"] = "https://evil.example" }},
		"expired":             {change: func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }},
		"signed by nobody":    {sign: func(c map[string]any) string { return unsigned(t, c) }},
		"signed by another":   {sign: func(c map[string]any) string { return signed(t, newKey(t), c) }},
		"of another subject":  {change: func(c map[string]any) { c["sub"] = "43"; delete(c, "groups") }}, // whose user info is another's
		"no ID token at all":  {sign: func(map[string]any) string { return "" }},
		"for another sign-in": {change: func(c map[string]any) { c["nonce"] = "x" }},
	} {
		m.QueueUser(&mockoidc.MockUser{Subject: "42", PreferredUsername: "ida", Groups: []string{"leads"}})
		address, flow, err := p.Begin(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		m.tamper = func(claims map[string]any) string {
			if c.change != nil {
				c.change(claims)
			}
			if c.sign != nil {
				return c.sign(claims)
			}
			return signed(t, m.Keypair, claims)
		}
		id, err := p.Finish(t.Context(), flow, visit(t, address))
		switch {
		case c.want && (err != nil || id.Role != access.Admin || id.Name != "ida"):
			t.Errorf("%s: %+v: %v", name, id, err)
		case !c.want && fault.KindOf(err) != fault.Unauthorized:
			t.Errorf("%s: %+v: %v", name, id, err)
		}
	}
}

func signed(t *testing.T, key *mockoidc.Keypair, claims map[string]any) string {
	t.Helper()
	text, err := key.SignJWT(jwt.MapClaims(claims))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func unsigned(t *testing.T, claims map[string]any) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims(claims)).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func newKey(t *testing.T) *mockoidc.Keypair {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, err := mockoidc.NewKeypair(private) // of nil it would be the one they all share
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestIdentity(t *testing.T) {
	p := New(Config{Issuer: "https://idp", NameClaim: "email", RoleClaim: "role", Operators: []string{"ops"}, Admins: []string{"lead"}})
	for text, want := range map[string]access.Role{
		`{"email": "a@b", "role": "ops"}`: access.Operator, `{"email": "a@b", "role": ["x", "lead", 7]}`: access.Admin,
		`{"email": "a@b", "role": ["x"]}`: "", `{"email": "a@b"}`: "", `{"role": "ops"}`: "", `{"email": 7, "role": "ops"}`: "", `{"email": "a@b", "role": {"ops": true}}`: "",
	} {
		claims := map[string]any{}
		if err := json.Unmarshal([]byte(text), &claims); err != nil {
			t.Fatal(err)
		}
		id, err := p.identity("1", claims)
		if want == "" {
			if fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s: %+v: %v", text, id, err)
			}
		} else if err != nil || id.Role != want || id.Subject != "https://idp#1" {
			t.Errorf("%s: %+v: %v", text, id, err)
		}
	}
}

func TestProviderAway(t *testing.T) {
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	for name, p := range map[string]*Provider{
		"away":      New(Config{Issuer: "http://127.0.0.1:1", ClientID: "x"}),
		"no such":   New(Config{Issuer: broken.URL, ClientID: "x"}),
		"no secret": func() *Provider { _, p := newMock(t); p.Secret = secret.Ref("env:NOT_SET_ANYWHERE"); return p }(),
	} {
		_, _, err := p.Begin(context.Background(), "/")
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
