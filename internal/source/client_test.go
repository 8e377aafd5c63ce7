package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

const password = "hunter2"

// newClient returns a client of a server that answers as told, with credentials
// both ways.
func newClient(t *testing.T, answer http.HandlerFunc, client *http.Client) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := NewClient(strings.Replace(server.URL, "http://", "http://user:"+password+"@", 1)+"/base/", secret.New(password), client)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientClassesAnswers(t *testing.T) {
	for status, want := range map[int]fault.Kind{
		400: fault.Invalid, 401: fault.Unauthorized, 403: fault.Forbidden, 404: fault.NotFound, 409: fault.Invalid, 410: fault.NotFound,
		422: fault.Invalid, 408: fault.Unavailable, 429: fault.Unavailable, 500: fault.Unavailable, 503: fault.Unavailable, 302: fault.Unavailable,
	} {
		c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.WriteHeader(status)
			fmt.Fprint(w, "no\nsuch\x00 \"thing\" "+strings.Repeat("x", 1000))
		}, nil)
		err := c.Do(t.Context(), Call{Method: "GET", Path: "/thing"})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != want {
			t.Errorf("%d: %v, want kind %v", status, err, want)
			continue
		}
		if after := f.After; (after == 7*time.Second) != (want == fault.Unavailable) {
			t.Errorf("%d: try again after %v", status, after)
		}
		if msg := fault.Message(err); !strings.Contains(msg, "/base/thing answered "+fmt.Sprint(status)) || strings.ContainsAny(msg, "\x00\n") || len(msg) > 400 {
			t.Errorf("%d: message %q", status, msg)
		}
		wantNoSecret(t, err)
	}
}

func wantNoSecret(t *testing.T, err error) {
	t.Helper()
	if text := fmt.Sprintf("%v %+v %s", err, err, fault.Message(err)); strings.Contains(text, password) {
		t.Errorf("the error has the password: %s", text)
	}
}

func TestClientSendsCredentialsAndJSON(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+password || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("X-More") != "y" || r.URL.String() != "/base/x?q=a+b" {
			t.Errorf("request %s %v", r.URL, r.Header)
		}
		fmt.Fprint(w, `{"n": 3}`)
	}, nil)
	var out struct{ N int }
	err := c.Do(t.Context(), Call{
		Method: "POST", Path: "/x", Query: map[string][]string{"q": {"a b"}}, In: []int{1}, Out: &out, Header: http.Header{"X-More": {"y"}},
	})
	if err != nil || out.N != 3 {
		t.Errorf("out = %+v, %v", out, err)
	}
}

func TestClientFailures(t *testing.T) {
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"not JSON": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "answered something else than expected"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
		}, "broke off its answer"},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-stuck:
			case <-r.Context().Done():
			}
		}, "it took too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, test.answer, &http.Client{Timeout: 200 * time.Millisecond})
			err := c.Do(t.Context(), Call{Method: "GET", Path: "/x", Out: new(any)})
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), test.want) {
				t.Errorf("err = %v", err)
			}
			wantNoSecret(t, err)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := newClient(t, func(http.ResponseWriter, *http.Request) {}, nil)
	if err := c.Do(ctx, Call{Method: "GET"}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want the cause kept", err)
	}
}

func TestNewClientRefusesOddAddresses(t *testing.T) {
	for _, address := range []string{"", "host:80", "ftp://user:" + password + "@x", "http://", "http://user:" + password + "@[::1", "/path"} {
		_, err := NewClient(address, secret.String{}, nil)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", address, err)
		}
		wantNoSecret(t, err)
	}
}
