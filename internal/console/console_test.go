package console_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/console"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/service/alerts"
	"tieline/internal/service/availability"
	"tieline/internal/service/documents"
	"tieline/internal/service/overview"
	"tieline/internal/store"
	"tieline/internal/store/sqlite"
)

// desk is the connector of the tests.
const desk = `name: desk
sources:
  - {name: shop, kind: generic}
remote: {kind: files, settings: {directory: /tmp}}
`

// bench is a console over a database of its own, without the guard before it:
// whoever asks is an operator.
type bench struct {
	testing.TB
	db        *store.DB
	url       string
	breakable *breakable
	access    *access.Service
	console   *console.Console
	mux       *http.ServeMux
	role      access.Role
	paths     map[string]string // of every page, by its pattern; see walk
}

func settings(doc *connector.Document) ha.Settings {
	return ha.Settings{
		Polling: time.Duration(doc.Availability.Polling), Tolerance: doc.Availability.Tolerance,
		Failback: ha.Failback(doc.Availability.Failback), Window: 30 * time.Second, Settle: time.Second,
	}
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{TB: t, url: "sqlite:" + filepath.Join(t.TempDir(), "tieline.db"), role: access.Operator}
	db, err := store.Open(context.Background(), b.url, store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b.db, b.breakable, b.access = db, &breakable{DB: db}, access.New(db, "one", nil)
	check := func(*connector.Document) []fault.Problem { return nil }
	shown := overview.New(b.breakable)
	b.console = console.New(console.Config{Version: "test", Database: "sqlite", Services: console.Services{
		Overview:     shown,
		Availability: availability.New(b.breakable, shown, availability.Documents{Check: check, Settings: settings}),
		Documents:    documents.New(b.breakable, documents.Kinds{Check: check, Settings: settings, Notes: check}),
		Alerts:       alerts.New(b.breakable),
		Access:       b.access,
	}})
	t.Cleanup(b.console.Close)
	b.mux = http.NewServeMux()
	for _, r := range b.console.Routes() {
		b.mux.Handle(r.Pattern, r.Handler)
	}
	return b
}

// connector applies the desk's document, and has three servers join.
func (b *bench) connector() {
	b.Helper()
	b.apply(desk)
	for _, server := range []string{"ams1", "fra1", "lon1"} {
		err := b.db.Join(b.Context(), store.Join{Server: server, Address: "http://" + server, Boot: server, Version: "1", HighAvailability: true, Promised: 90 * time.Second})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.sql(`UPDATE membership SET runs = 1, eligible = 1, reaches = 1, reason = ''`)
	b.active("ams1")
}

func (b *bench) apply(text string) {
	b.Helper()
	doc, err := connector.Parse([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.db.SaveDocument(b.Context(), store.SaveDocument{Connector: doc.Name, Text: text, Who: "ann", Comment: "test", Settings: settings(doc)}); err != nil {
		b.Fatal(err)
	}
}

// active gives a server the desk's lease, past the protocol.
func (b *bench) active(server string) {
	b.sql(`UPDATE lease SET server = '` + server + `', boot = '` + server + `', epoch = epoch + 1, promised = 90000000, wish = '', since = (SELECT now FROM clock)`)
	b.sql(`INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
		SELECT connector, epoch, since, '', server, 'first start', '' FROM lease`)
}

func (b *bench) sql(text string) {
	b.Helper()
	raw, err := sql.Open("sqlite", sqlite.DSN(strings.TrimPrefix(b.url, "sqlite:")))
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.ExecContext(b.Context(), text); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) request(method, path string, form url.Values) *http.Request {
	r := httptest.NewRequestWithContext(access.With(b.Context(), access.Principal{Name: "ann", Role: b.role, Via: access.ViaSession}),
		method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// get returns a page, which must have that status.
func (b *bench) get(path string, status int) string {
	b.Helper()
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, b.request(http.MethodGet, path, nil))
	if w.Code != status {
		b.Fatalf("GET %s: %d, want %d\n%s", path, w.Code, status, text(w.Body.String()))
	}
	return w.Body.String()
}

// post sends a form and follows where it leads, with the notice.
func (b *bench) post(path string, form url.Values) string {
	b.Helper()
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, b.request(http.MethodPost, path, form))
	if w.Code != http.StatusSeeOther {
		return w.Body.String()
	}
	r := b.request(http.MethodGet, w.Header().Get("Location"), nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	next := httptest.NewRecorder()
	b.mux.ServeHTTP(next, r)
	if next.Code != http.StatusOK {
		b.Fatalf("POST %s led to %s, which answers %d", path, r.URL, next.Code)
	}
	return next.Body.String()
}

var tags = regexp.MustCompile(`(?s)<(script|style|head).*?</(script|style|head)>|<[^>]*>`)

// text is what a page says, without its tags.
func text(html string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("&#39;", "'", "&amp;", "&", "&#34;", `"`).Replace(tags.ReplaceAllString(html, " "))), " ")
}

func (b *bench) says(html string, wants ...string) {
	b.Helper()
	said := text(html)
	for _, want := range wants {
		if !strings.Contains(said, want) {
			b.Errorf("the page does not say %q:\n%s", want, said)
		}
	}
}

// breakable is a database that can be away for the services.
type breakable struct {
	*store.DB
	away atomic.Bool
}

func (c *breakable) reach() error {
	if c.away.Load() {
		f := fault.New(fault.Unavailable, "cannot read the management group: the database db.example does not answer")
		f.After = 2 * time.Second
		return f
	}
	return nil
}

func (c *breakable) Glance(ctx context.Context) (store.Glance, error) {
	if err := c.reach(); err != nil {
		return store.Glance{}, err
	}
	return c.DB.Glance(ctx)
}

func (c *breakable) Backlog(ctx context.Context) (map[string]store.Backlog, error) {
	if err := c.reach(); err != nil {
		return nil, err
	}
	return c.DB.Backlog(ctx)
}

func (c *breakable) Throughput(ctx context.Context) (map[string]int64, error) {
	if err := c.reach(); err != nil {
		return nil, err
	}
	return c.DB.Throughput(ctx)
}

func (c *breakable) Document(ctx context.Context, name string, version int64) (store.StoredDocument, error) {
	if err := c.reach(); err != nil {
		return store.StoredDocument{}, err
	}
	return c.DB.Document(ctx, name, version)
}

func (c *breakable) AvailabilityEvents(ctx context.Context, q store.HistoryQuery) ([]store.AvailabilityEvent, error) {
	if err := c.reach(); err != nil {
		return nil, err
	}
	return c.DB.AvailabilityEvents(ctx, q)
}

func (c *breakable) DocumentLog(ctx context.Context, q store.HistoryQuery) ([]store.StoredDocument, error) {
	if err := c.reach(); err != nil {
		return nil, err
	}
	return c.DB.DocumentLog(ctx, q)
}

// many makes so many connectors with three servers each, and links.
func (b *bench) many(connectors, links int) {
	b.Helper()
	b.connector()
	rows := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, connectors-1)
	b.sql(`INSERT INTO connector SELECT 'c' || printf('%04d', i), version, polling, tolerance, failback, send_window, settle, changed_at
		FROM (` + rows + `SELECT i FROM n), connector WHERE name = 'desk'`)
	b.sql(`INSERT INTO lease SELECT c.name, 1, 0, 'ams1', 'ams1', 90000000, '', '', l.identity, l.since FROM connector c, lease l WHERE c.name <> 'desk' AND l.connector = 'desk'`)
	b.sql(`INSERT INTO membership SELECT c.name, m.server, m.position, 1, 1, 1, '' FROM connector c, membership m WHERE c.name <> 'desk' AND m.connector = 'desk'`)
	b.sql(`INSERT INTO link SELECT printf('%08x-0000-4000-8000-000000000000', i), 'c' || printf('%04d', 1 + i % ` + fmt.Sprint(max(1, connectors-1)) + `), 'ticket', 'settled', 'T' || i, '', '',
		'', 1, 0, 0, '', CASE WHEN i % 100 = 0 THEN 'refused' ELSE '' END, '', 1, 0, '', NULL, 0, 0, 0, '',
		CASE WHEN i % 10 = 0 THEN 1 END, 0, 0, 0, 0 FROM (` + strings.Replace(rows, fmt.Sprint(connectors-1), fmt.Sprint(links), 1) + `SELECT i FROM n)`)
}
