package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

// desk is a handler with its store, behind the mux that names the source.
type desk struct {
	http.Handler
	handler *Handler
	store   *fakeStore
	seen    []string // "source status" of each request
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	router := NewRouter()
	router.Swap(table(t, 1, document(t, "c", `sources:
  - {name: am, kind: alertmanager, token: env:TOKEN}
  - {name: open, kind: generic}
  - {name: absent, kind: generic, token: env:ABSENT}`)))
	s := newFakeStore()
	d := &desk{store: s}
	d.handler = &Handler{Gate: NewGate(Config{Store: s, Router: router}), Router: router}
	d.handler.Observe.Request = func(source string, status int) { d.seen = append(d.seen, fmt.Sprint(source, " ", status)) }
	mux := http.NewServeMux()
	mux.Handle(Pattern, d.handler)
	d.Handler = mux
	return d
}

// post sends a body and returns the answer.
func (d *desk) post(t *testing.T, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	return d.do(t, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)), header...)
}

func (d *desk) do(t *testing.T, r *http.Request, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" || p.Status != w.Code {
		t.Errorf("status %d in the body, %d outside; content type %q", p.Status, w.Code, got)
	}
	return p
}

const webhook = `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"}},{"status":"resolved","labels":{"alertname":"B"}}]}`

func TestServeTakesAlertsIn(t *testing.T) {
	d := newDesk(t)
	for i, want := range []Answer{{Alerts: 2, Raised: 1, Closed: 1}, {Alerts: 2, Repeated: 2}} {
		w := d.post(t, "/v1/sources/am", webhook, "Authorization", "Bearer hunter2")
		var got Answer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answer %d (-want +got):\n%s", i, diff)
		}
	}
	if len(d.store.latest) != 2 {
		t.Errorf("%d alerts are stored, want 2", len(d.store.latest))
	}
}

func TestServeAsksForTheToken(t *testing.T) {
	d := newDesk(t)
	basic := httptest.NewRequest(http.MethodPost, "/", nil)
	basic.SetBasicAuth("anybody", "hunter2")
	tests := map[string]struct {
		header []string
		want   int
	}{
		"none":         {nil, 401},
		"bearer":       {[]string{"Authorization", "Bearer hunter2"}, 200},
		"lower case":   {[]string{"Authorization", "bearer hunter2"}, 200},
		"basic":        {[]string{"Authorization", basic.Header.Get("Authorization")}, 200},
		"own header":   {[]string{"X-Tieline-Token", "hunter2"}, 200},
		"wrong":        {[]string{"Authorization", "Bearer hunter3"}, 401},
		"prefix":       {[]string{"Authorization", "Bearer hunter"}, 401},
		"empty bearer": {[]string{"Authorization", "Bearer "}, 401},
		"other scheme": {[]string{"Authorization", "Digest hunter2"}, 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := d.post(t, "/v1/sources/am", webhook, test.header...)
			if w.Code != test.want {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, test.want)
			}
			if w.Code != 401 {
				return
			}
			if p := problemOf(t, w); !strings.Contains(p.Detail, "source am") || strings.Contains(w.Body.String(), "hunter") {
				t.Errorf("detail = %q", p.Detail)
			}
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestServeRefuses(t *testing.T) {
	d := newDesk(t)
	d.handler.Limits = source.Limits{Bytes: 1000, Alerts: 3}
	chunked := httptest.NewRequest(http.MethodPost, "/v1/sources/open", io.MultiReader(strings.NewReader(strings.Repeat(" ", 1001))))
	broken := httptest.NewRequest(http.MethodPost, "/v1/sources/open", iotest.ErrReader(errors.New("reset")))
	tests := map[string]struct {
		request  *http.Request
		header   []string
		status   int
		detail   string
		problems []fault.Problem
	}{
		"unknown source": {request(t, "nobody", "{}"), nil, 404, "there is no source of this name", nil},
		"closed door":    {request(t, "absent", "{}"), nil, 503, "its token cannot be read", nil},
		"wrong field": {request(t, "open", `[{"key":"a"},{"key":"b","starts_at":"soon"}]`), nil, 400, "nothing of it was taken",
			[]fault.Problem{{Path: "[1].starts_at", Message: `expected a time such as "2026-01-31T12:00:00Z", found "soon"`}}},
		"not JSON":        {request(t, "open", "key=a"), nil, 400, "the body is not JSON", nil},
		"too long":        {request(t, "open", strings.Repeat(" ", 1001)), nil, 413, "more than 1000 bytes", nil},
		"chunked":         {chunked, nil, 413, "more than 1000 bytes", nil},
		"too many":        {request(t, "open", `[{"key":"a"},{"key":"b"},{"key":"c"},{"key":"d"}]`), nil, 413, "4 alerts; at most 3", nil},
		"compressed":      {request(t, "open", "{}"), []string{"Content-Encoding", "gzip"}, 400, "must not be compressed", nil},
		"broken off":      {broken, nil, 400, "the body broke off", nil},
		"refused by rows": {request(t, "open", `[{"key":"a"},{"key":"bad"}]`), nil, 400, "1 of the request's 2 alerts was refused; the others are stored", []fault.Problem{{Path: "[1]", Message: "the database refuses the alert"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := len(d.store.batches)
			w := d.do(t, test.request, test.header...)
			p := problemOf(t, w)
			if w.Code != test.status || !strings.Contains(p.Detail, test.detail) {
				t.Errorf("%d %q, want %d %q", w.Code, p.Detail, test.status, test.detail)
			}
			if diff := cmp.Diff(test.problems, p.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if stored := len(d.store.batches) > before; stored != (name == "refused by rows") {
				t.Errorf("something was stored: %v", stored)
			}
			if retry := w.Header().Get("Retry-After"); (retry != "") != (w.Code == 503) {
				t.Errorf("Retry-After %q with %d", retry, w.Code)
			}
		})
	}
}

func request(t *testing.T, source, body string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/sources/"+source, strings.NewReader(body))
}

func TestServeKnowsOneMethod(t *testing.T) {
	d := newDesk(t)
	w := d.do(t, httptest.NewRequest(http.MethodGet, "/v1/sources/open", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestServeWithTheDatabaseAway(t *testing.T) {
	d := newDesk(t)
	d.store.err = errors.New("dial tcp: connection refused by secret-host")
	w := d.post(t, "/v1/sources/open", `{"key":"a"}`)
	if p := problemOf(t, w); w.Code != 503 || w.Header().Get("Retry-After") != "1" || strings.Contains(p.Detail, "secret-host") {
		t.Errorf("%d, Retry-After %q, %q", w.Code, w.Header().Get("Retry-After"), p.Detail)
	}
}

func TestServeDraining(t *testing.T) {
	d := newDesk(t)
	d.handler.Drain()
	w := d.post(t, "/v1/sources/open", `{"key":"a"}`)
	if p := problemOf(t, w); w.Code != 503 || w.Header().Get("Connection") != "close" || !strings.Contains(p.Detail, "stopping") {
		t.Errorf("%d %q", w.Code, p.Detail)
	}
}

// TestServeWithABrokenDocument: a source that is not known here may be known to
// another server, so that the sender must not give up.
func TestServeWithABrokenDocument(t *testing.T) {
	d := newDesk(t)
	d.handler.Router.Swap(NewTable(TableConfig{Generation: 1, Broken: []string{"b"}}))
	if w := d.post(t, "/v1/sources/open", `{"key":"a"}`); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type brokenGate struct{}

func (brokenGate) Accept(context.Context, []alert.Observation) ([]Accepted, error) {
	return nil, errors.New("a bug with a secret")
}

func TestServeHidesUnforeseenErrors(t *testing.T) {
	d := newDesk(t)
	d.handler.Gate = brokenGate{}
	w := d.post(t, "/v1/sources/open", `{"key":"a"}`)
	if p := problemOf(t, w); w.Code != 500 || strings.Contains(p.Detail, "secret") {
		t.Errorf("%d %q", w.Code, p.Detail)
	}
}

func TestServeCountsRequests(t *testing.T) {
	d := newDesk(t)
	var changes []string
	d.handler.Observe.Accepted = func(source string, c alert.Change) { changes = append(changes, source+" "+string(c)) }
	d.post(t, "/v1/sources/open", `[{"key":"a"},{"key":"a"}]`)
	d.post(t, "/v1/sources/made-up-name", `{}`)
	d.post(t, "/v1/sources/am", webhook)
	if diff := cmp.Diff([]string{"open 200", " 404", "am 401"}, d.seen); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"open raised", "open repeated"}, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
