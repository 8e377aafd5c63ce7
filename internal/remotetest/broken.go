package remotetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// quick is the timeout of calls that are to time out.
const quick = 300 * time.Millisecond

// victim is an adapter at endpoints that misbehave.
type victim struct {
	Harness
	remote.Adapter
}

func (v victim) writes() map[string]func(context.Context) error {
	d := Draft(NewKey(), 2, v.Fields)
	d.State = v.Closed
	calls := map[string]func(context.Context) error{
		"create": func(ctx context.Context) error { _, err := v.Create(ctx, d); return err },
		"update": func(ctx context.Context) error { _, err := v.Update(ctx, "7", d); return err },
	}
	if n, ok := v.Adapter.(remote.Noter); ok {
		calls["note"] = func(ctx context.Context) error {
			return n.Note(ctx, "7", d.Key, alert.Note{Seq: 1, Text: "x"})
		}
	}
	return calls
}

func (v victim) reads() map[string]func(context.Context) error {
	d := Draft(NewKey(), 2, v.Fields)
	calls := map[string]func(context.Context) error{"probe": v.Probe}
	if l, ok := v.Adapter.(remote.Looker); ok {
		calls["look"] = func(ctx context.Context) error { _, err := l.Look(ctx, d.Key); return err }
	}
	if c, ok := v.Adapter.(remote.Comparer); ok {
		calls["compare"] = func(ctx context.Context) error { _, _, err := c.Compare(ctx, "7", d); return err }
	}
	if p, ok := v.Adapter.(remote.Poller); ok {
		calls["news"] = func(ctx context.Context) error { _, _, err := p.News(ctx, ""); return err }
	}
	if l, ok := v.Adapter.(remote.Lister); ok {
		calls["list"] = func(ctx context.Context) error { _, _, err := l.List(ctx, ""); return err }
	}
	return calls
}

// server answers with a handler; for writes, the reads before them go to the
// harness's prelude.
func (h Harness) server(t *testing.T, writes bool, handler http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// net/http notices that a caller went away only after the body was read.
		_, _ = io.Copy(io.Discard, r.Body)
		if writes && h.Prelude != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			h.Prelude.ServeHTTP(w, r)
			return
		}
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// each runs a check for every write, then every read, with the handler behind
// the adapter.
func (h Harness) each(t *testing.T, timeout time.Duration, handler http.HandlerFunc, check func(t *testing.T, write bool, err error)) {
	t.Helper()
	for _, write := range []bool{true, false} {
		v := victim{h, h.Broken(t, timeout, h.server(t, write, handler).URL)}
		calls := v.reads()
		if write {
			calls = v.writes()
		}
		for name, call := range calls {
			t.Run(name, func(t *testing.T) { check(t, write, call(t.Context())) })
		}
	}
}

func runBroken(t *testing.T, h Harness) {
	t.Run("status", func(t *testing.T) { testStatuses(t, h) })
	t.Run("refused connection", func(t *testing.T) { testRefused(t, h) })
	t.Run("no answer", func(t *testing.T) { testNoAnswer(t, h) })
	t.Run("cut", func(t *testing.T) { testCut(t, h) })
	t.Run("oversized", func(t *testing.T) { testOversized(t, h) })
	t.Run("hostile", func(t *testing.T) { testHostileAnswers(t, h) })
	t.Run("echo", func(t *testing.T) { testEcho(t, h) })
	t.Run("fallback", func(t *testing.T) { testFallback(t, h) })
	t.Run("no second send", func(t *testing.T) { testNoSecondSend(t, h) })
}

// want is what a status must be classified as.
type want struct {
	status int
	header map[string]string
	write  remote.Class
	read   remote.Class
	shared bool
	after  time.Duration
}

func testStatuses(t *testing.T, h Harness) {
	wait := map[string]string{"Retry-After": "7"}
	for _, w := range []want{
		{status: 400, write: remote.Permanent, read: remote.Permanent},
		{status: 403, write: remote.Permanent, read: remote.Permanent},
		{status: 422, write: remote.Permanent, read: remote.Permanent},
		{status: 401, write: remote.Retry, read: remote.Retry, shared: true},
		{status: 429, write: remote.Retry, read: remote.Retry, shared: true},
		{status: 429, header: wait, write: remote.Retry, read: remote.Retry, shared: true, after: 7 * time.Second},
		{status: 503, header: wait, write: remote.Retry, read: remote.Retry, shared: true, after: 7 * time.Second},
		{status: 503, write: remote.Unknown, read: remote.Retry, shared: true},
		{status: 408, write: remote.Unknown, read: remote.Retry},
		{status: 500, write: remote.Unknown, read: remote.Retry},
		{status: 502, write: remote.Unknown, read: remote.Retry, shared: true},
		{status: 504, write: remote.Unknown, read: remote.Retry, shared: true},
		{status: 301, header: map[string]string{"Location": "http://127.0.0.1:1/"}, write: remote.Retry, read: remote.Retry, shared: true},
	} {
		t.Run(fmt.Sprintf("%d %v", w.status, w.header["Retry-After"]), func(t *testing.T) {
			handler := func(rw http.ResponseWriter, _ *http.Request) {
				for name, value := range w.header {
					rw.Header().Set(name, value)
				}
				rw.WriteHeader(w.status)
			}
			h.each(t, patience, handler, func(t *testing.T, write bool, err error) { w.check(t, h, write, err) })
		})
	}
}

func (w want) check(t *testing.T, h Harness, write bool, err error) {
	f := failure(t, err, h.Secrets)
	class := w.read
	if write {
		class = w.write
	}
	if f.Class != class || f.Shared != w.shared || f.After != w.after || f.Connect || f.Status != w.status {
		t.Errorf("got class %v, shared %v, after %v, connect %v, status %d; want %v, %v, %v, false, %d: %v",
			f.Class, f.Shared, f.After, f.Connect, f.Status, class, w.shared, w.after, w.status, f)
	}
}

// closedPort returns an address at which nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func testRefused(t *testing.T, h Harness) {
	v := victim{h, h.Broken(t, patience, closedPort(t), closedPort(t))}
	for _, calls := range []map[string]func(context.Context) error{v.writes(), v.reads()} {
		for name, call := range calls {
			f := failure(t, call(t.Context()), h.Secrets)
			if f.Class != remote.Retry || !f.Connect || !f.Shared {
				t.Errorf("%s: class %v, connect %v, shared %v; want retry, true, true", name, f.Class, f.Connect, f.Shared)
			}
		}
	}
}

func testNoAnswer(t *testing.T, h Harness) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	handler := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
	h.each(t, quick, handler, func(t *testing.T, write bool, err error) { unanswered(t, h, write, err) })
}

func testCut(t *testing.T, h Harness) {
	h.each(t, patience, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(t *testing.T, write bool, err error) { unanswered(t, h, write, err) })
}

func unanswered(t *testing.T, h Harness, write bool, err error) {
	f := failure(t, err, h.Secrets)
	class := remote.Retry
	if write {
		class = remote.Unknown
	}
	if f.Class != class || f.Connect || !f.Shared {
		t.Errorf("class %v, connect %v, shared %v; want %v, false, true: %v", f.Class, f.Connect, f.Shared, class, f)
	}
}

func testOversized(t *testing.T, h Harness) {
	for _, status := range []int{200, 400} {
		handler := func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			chunk := []byte(strings.Repeat(`"a":"`+strings.Repeat("x", 1000)+`",`, 64))
			_, _ = w.Write([]byte("{"))
			for range 160 { // 10 MiB
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			h.each(t, patience, handler, func(t *testing.T, write bool, err error) {
				f := failure(t, err, h.Secrets)
				if status == 200 && write && f.Class == remote.Retry || status == 400 && f.Class != remote.Permanent {
					t.Errorf("status %d, write %v: class %v", status, write, f.Class)
				}
			})
		})
	}
}

func testHostileAnswers(t *testing.T, h Harness) {
	bodies := map[string]string{
		"html":     "<html><body>Please log in</body></html>",
		"broken":   `{"id": "7`,
		"deep":     strings.Repeat("[", 100000),
		"binary":   "\x00\xff\xfe\x1b[2J",
		"wrong":    `{"id": {"id": {"id": []}}, "items": {"a": 1}, "tickets": "none", "state": []}`,
		"list":     `[1, "two", null, {"id": null}]`,
		"null":     "null",
		"terminal": "\"\x1b[2J\u202e\"",
	}
	for name, body := range bodies {
		handler := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
		t.Run(name, func(t *testing.T) {
			h.each(t, patience, handler, func(t *testing.T, write bool, err error) {
				if err == nil {
					return // calls that need nothing of the answer
				}
				f := failure(t, err, h.Secrets)
				if write && f.Class == remote.Retry {
					t.Errorf("a write that was answered with success counts as not carried out: %v", f)
				}
				if !write && f.Class == remote.Unknown {
					t.Errorf("a read is of unknown outcome: %v", f)
				}
			})
			v := victim{h, h.Broken(t, patience, h.server(t, true, handler).URL)}
			ticket, err := v.Create(t.Context(), Draft(NewKey(), 1, h.Fields))
			if err == nil {
				t.Errorf("a create with this answer gave ticket %q", ticket.ID)
			}
		})
	}
}

// testEcho: a remote that repeats everything it was sent, as debug pages do.
func testEcho(t *testing.T, h Harness) {
	for _, status := range []int{200, 400, 401, 500} {
		handler := func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"message": %q, "error": %q}`, fmt.Sprint(r.Header), fmt.Sprint(r.URL, r.Header))
		}
		h.each(t, patience, handler, func(t *testing.T, _ bool, err error) {
			if err != nil {
				failure(t, err, h.Secrets)
			}
		})
	}
}

func testFallback(t *testing.T, h Harness) {
	var hits atomic.Int64
	second := h.server(t, false, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.WriteHeader(http.StatusBadRequest)
	})
	down := h.server(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	for name, first := range map[string]string{"nobody listens": closedPort(t), "under maintenance": down.URL} {
		t.Run(name, func(t *testing.T) {
			hits.Store(0)
			v := victim{h, h.Broken(t, patience, first, second.URL)}
			_, err := v.Create(t.Context(), Draft(NewKey(), 1, h.Fields))
			if f := failure(t, err, h.Secrets); f.Class != remote.Permanent || f.Connect || f.Status != 400 {
				t.Errorf("the second endpoint's refusal was not the answer: %v", f)
			}
			if hits.Load() == 0 {
				t.Error("the second endpoint was not tried")
			}
		})
	}
}

// testNoSecondSend: a write that may have left must reach no second endpoint.
func testNoSecondSend(t *testing.T, h Harness) {
	var wrote, second atomic.Int64
	cut := h.server(t, true, func(http.ResponseWriter, *http.Request) {
		wrote.Add(1)
		panic(http.ErrAbortHandler)
	})
	other := h.server(t, true, func(w http.ResponseWriter, _ *http.Request) {
		second.Add(1)
		w.WriteHeader(http.StatusBadRequest)
	})
	v := victim{h, h.Broken(t, patience, cut.URL, other.URL)}
	_, err := v.Create(t.Context(), Draft(NewKey(), 1, h.Fields))
	if f := failure(t, err, h.Secrets); f.Class != remote.Unknown {
		t.Errorf("class %v, want unknown: %v", f.Class, f)
	}
	if wrote.Load() != 1 || second.Load() != 0 {
		t.Errorf("the first endpoint got %d writes and the second %d, want 1 and 0", wrote.Load(), second.Load())
	}
}
