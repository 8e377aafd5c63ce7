package remote

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

func newClient(t *testing.T, o ClientOptions, s Settings, urls ...string) *Client {
	t.Helper()
	e, problems := ParseEndpoints(urls)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c, err := NewClient(s, e, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

var write = Request{Method: http.MethodPost, Path: "/x", Body: []byte("body"), Write: true, What: "write"}

// A remote that answers each request of a call, but all of them too slowly, is not
// said to be silent: other limits are to be changed then.
func TestACallThatTookTooLongAsAWhole(t *testing.T) {
	gone := make(chan struct{})
	c := newClient(t, ClientOptions{}, Settings{Timeout: time.Minute}, serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-gone
	}))
	defer close(gone)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, CallTime(50*time.Millisecond))
	defer cancel()
	_, err := c.Do(ctx, write)
	if f := AsFailure(err); f.Class != Unknown || !strings.Contains(f.Msg, "limits.window") || strings.Contains(f.Msg, "did not answer") {
		t.Errorf("%+v", f)
	}
}

// A connection that was made but is not usable yet (TLS never answers) has
// carried nothing: the request certainly did not leave.
func TestNothingLeftBeforeTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newClient(t, ClientOptions{}, Settings{Timeout: 200 * time.Millisecond}, "https://"+l.Addr().String())
	_, err = c.Do(t.Context(), write)
	if f := AsFailure(err); f.Class != Retry || !f.Connect || !f.Shared {
		t.Errorf("%+v", f)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake is meant to fail
	s.StartTLS()
	defer s.Close()
	c := newClient(t, ClientOptions{}, Settings{}, s.URL)
	_, err := c.Do(t.Context(), write)
	if f := AsFailure(err); f.Class != Retry || !f.Connect || !strings.Contains(f.Msg, "not trusted") {
		t.Errorf("%+v", f)
	}
}

func TestCAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, _ := ParseEndpoints([]string{"https://x"})
	for _, path := range []string{file, file + ".missing"} {
		_, err := NewClient(Settings{}, e, ClientOptions{CAFile: path})
		if fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) != 1 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// net/http itself repeats a request that carries an idempotency key when the
// connection breaks; a write must not be.
func TestNetHTTPRepeatsNoWrite(t *testing.T) {
	var hits atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if hits.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	})
	c := newClient(t, ClientOptions{}, Settings{}, url)
	r := write
	r.Header = http.Header{"Idempotency-Key": {"k"}}
	if _, err := c.Do(t.Context(), r); err != nil { // makes the connection that is used again
		t.Fatal(err)
	}
	_, err := c.Do(t.Context(), r)
	if f := AsFailure(err); f.Class != Unknown {
		t.Errorf("%+v", f)
	}
	if hits.Load() != 2 {
		t.Errorf("the remote got %d requests, want 2", hits.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var leaked atomic.Bool
	other := serve(t, func(http.ResponseWriter, *http.Request) { leaked.Store(true) })
	for status, class := range map[int]Class{301: Retry, 302: Unknown, 303: Unknown, 307: Retry, 308: Retry} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, status) })
		c := newClient(t, ClientOptions{}, Settings{Client: &http.Client{}}, url)
		_, err := c.Do(t.Context(), write)
		if f := AsFailure(err); f.Class != class || !f.Shared || !strings.Contains(f.Msg, "redirect") {
			t.Errorf("%d: %+v", status, f)
		}
	}
	if leaked.Load() {
		t.Error("a redirect was followed")
	}
}

func TestPathsStayAtTheEndpoint(t *testing.T) {
	var paths []string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { paths = append(paths, r.URL.String()) })
	c := newClient(t, ClientOptions{}, Settings{}, url+"/base?k=1")
	for _, path := range []string{"/../admin", "/a/%2e%2e/b", ".evil.example/x", "@evil.example/", "/%zz", "/a/./b"} {
		r := write
		r.Path = path
		_, err := c.Do(t.Context(), r)
		if f := AsFailure(err); f.Class != Permanent {
			t.Errorf("%s: %+v", path, f)
		}
	}
	r := write
	r.Path = "/t/a%2Fb?x=y"
	if _, err := c.Do(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/base/t/a%2Fb?k=1&x=y"}; !slices.Equal(paths, want) {
		t.Errorf("requested %q, want %q", paths, want)
	}
}

func TestHeadersCannotBeSplit(t *testing.T) {
	c := newClient(t, ClientOptions{}, Settings{}, "http://127.0.0.1:1")
	r := write
	r.Header = http.Header{"X-Subject": {"a\r\nX-Admin: 1"}}
	_, err := c.Do(t.Context(), r)
	if f := AsFailure(err); f.Class != Permanent || f.Connect {
		t.Errorf("%+v", f)
	}
}

func TestSecretsAreScrubbed(t *testing.T) {
	token := secret.New("s3cret-token")
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(400)
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+" "+user+":"+password+" \x1b[31mdenied\n")
	})
	c := newClient(t, ClientOptions{
		User: "connector", Secrets: []secret.String{token, {}},
		Authorize: func(r *http.Request) { r.SetBasicAuth("connector", token.Reveal()) },
	}, Settings{}, url+"/T0KEN/path?key=hidden")
	_, err := c.Do(t.Context(), write)
	f := AsFailure(err)
	if strings.ContainsAny(f.Msg, "\x1b\n") || !strings.Contains(f.Msg, "denied") || !strings.Contains(f.Msg, "[redacted]") {
		t.Errorf("message %q", f.Msg)
	}
	for _, s := range []string{"s3cret", "Y29ubmVjdG9yOnMzY3JldC10b2tlbg", "T0KEN", "hidden"} {
		if strings.Contains(f.Error(), s) {
			t.Errorf("%q is in %q", s, f.Error())
		}
	}
}

func TestCanceledIsNobodysFault(t *testing.T) {
	arrived := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	})
	c := newClient(t, ClientOptions{}, Settings{}, url, "http://127.0.0.1:1")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := c.Do(ctx, write)
	f := AsFailure(err)
	if f.Class != Unknown || f.Shared || f.Connect || !errors.Is(err, f) || !errors.Is(f.Err, context.Canceled) {
		t.Errorf("%+v", f)
	}
	if c.endpoints.current != 0 {
		t.Error("the endpoint was given up although the caller ended the call")
	}
}

// order is the endpoints' hosts in the order of a call that begins now.
func order(e *Endpoints) string {
	var hosts []string
	for _, i := range e.round(time.Now()) {
		hosts = append(hosts, e.list[i].Host)
	}
	return strings.Join(hosts, "")
}

// TestAVisitNamesTheEndpointThatAnswered: without what follows the host, and also
// when none answered.
func TestAVisitNamesTheEndpointThatAnswered(t *testing.T) {
	busy := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	good := serve(t, func(http.ResponseWriter, *http.Request) {})
	ctx, visit := WithVisit(t.Context())
	if got := visit.Endpoint(); got != "" {
		t.Errorf("before any call: %q", got)
	}
	c := newClient(t, ClientOptions{}, Settings{}, busy+"/hooks/hunter2", good+"/hooks/hunter2?token=hunter2")
	if _, err := c.Do(ctx, write); err != nil {
		t.Fatal(err)
	}
	if got := visit.Endpoint(); got != good {
		t.Errorf("visited %q, want %q", got, good)
	}
	c = newClient(t, ClientOptions{}, Settings{}, busy+"/hooks/hunter2")
	if _, err := c.Do(ctx, write); err == nil || visit.Endpoint() != busy {
		t.Errorf("visited %q, want %q; err = %v", visit.Endpoint(), busy, err)
	}
}

func TestEndpointOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := ParseEndpoints([]string{"http://a", "http://b", "http://c"})
		expect := func(want string) {
			t.Helper()
			if got := order(e); got != want {
				t.Errorf("order %s, want %s", got, want)
			}
		}
		expect("abc")
		e.bad(0, time.Now())
		e.good(1, time.Now())
		expect("bca") // sticks to the last good one
		time.Sleep(59 * time.Second)
		expect("bca")
		time.Sleep(time.Second)
		expect("abc") // a minute later the first is tried again, by one call
		expect("bca")
		e.bad(0, time.Now())
		expect("bca") // it still failed: the good one stays
		e.bad(1, time.Now())
		e.good(2, time.Now())
		expect("cab")
		time.Sleep(time.Minute)
		expect("acb") // after the first, the one known good
		e.good(0, time.Now())
		expect("abc")
	})
}

func TestRetryAfter(t *testing.T) {
	date := "Sun, 22 Nov 2026 15:00:00 GMT"
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-5": 0, "99999999": maxAfter, "soon": 0, "1e9": 0,
		"Sun, 22 Nov 2026 15:00:30 GMT": 30 * time.Second, "Sun, 22 Nov 2026 14:00:00 GMT": 0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {text}, "Date": {date}}); got != want {
			t.Errorf("Retry-After %q gives %v, want %v", text, got, want)
		}
	}
	if got := RetryAfter(http.Header{"Retry-After": {date}}); got != 0 {
		t.Errorf("a date without the remote's own gives %v", got)
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"  a\n\tb  c \x00\x1b[2J ": "a b c [2J", "ok\xffok": "ok ok", "\u202eevil": "evil", "": "",
		strings.Repeat("é", 500): strings.Repeat("é", shown) + "…",
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestParseEndpoints(t *testing.T) {
	_, problems := ParseEndpoints([]string{"https://ok", "rt.test", "http://", "https://u:pass@x", "http://x/#f", "http://x:y", ""})
	if len(problems) != 6 {
		t.Errorf("problems: %v", problems)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Path, "remote.endpoints[") || strings.Contains(p.Message, "pass@") {
			t.Errorf("problem %+v", p)
		}
	}
	if _, problems := ParseEndpoints(nil); len(problems) != 1 {
		t.Errorf("no endpoints: %v", problems)
	}
}

func TestReader(t *testing.T) {
	r := NewReader(map[string]any{
		"text": "a", "number": 5, "flag": "yes", "list": []any{"a", 1}, "map": map[string]any{"x": 1, "y": []any{}},
		"sub": map[string]any{"known": "v", "typo": 1}, "wait": "5 minutes", "mode": "c", "ref": "hunter2", "big": 900, "nested": "no",
	})
	if r.Text("text", "") != "a" || r.Text("number", "") != "5" || r.Text("none", "d") != "d" {
		t.Error("texts are not read")
	}
	r.Bool("flag")
	r.Texts("list")
	r.TextMap("map")
	r.Duration("wait", time.Second)
	r.OneOf("mode", "a", "a", "b")
	r.Ref("ref")
	r.Int("big", 1, 1, 100)
	r.Required("name", "it names the thing")
	sub, ok := r.Sub("sub")
	if !ok || sub.Text("known", "") != "v" {
		t.Error("the nested map is not read")
	}
	sub.Done()
	r.Sub("nested")
	r.Done()
	var paths []string
	for _, p := range r.Problems() {
		paths = append(paths, strings.TrimPrefix(p.Path, "remote.settings."))
		if strings.Contains(p.Message, "hunter2") {
			t.Error("a secret pasted in the wrong place is repeated")
		}
	}
	want := []string{"big", "flag", "list[1]", "map.y", "mode", "name", "nested", "ref", "sub.typo", "wait"}
	if !slices.Equal(paths, want) {
		t.Errorf("problems at %q, want %q", paths, want)
	}
}

func TestSecretNamesItsPlace(t *testing.T) {
	_, err := Settings{}.Secret("remote.token", "env:TIELINE_SURELY_NOT_SET")
	if fault.KindOf(err) != fault.Invalid || fault.ProblemsOf(err)[0].Path != "remote.token" {
		t.Errorf("%v", err)
	}
}

func TestErrorsThatAreNoFailures(t *testing.T) {
	if f := AsFailure(errors.New("x")); f.Class != Unknown {
		t.Errorf("%+v", f)
	}
	if f := Gone("7\n"); !errors.Is(f, ErrGone) || f.Class != Permanent || strings.Contains(f.Msg, "\n") {
		t.Errorf("%+v", f)
	}
}
