// Package storetest is the conformance suite of package store: what every
// engine must do, asked in the same words of each. An engine's test is ten
// lines that make fresh databases and call Run.
//
// Wherever contention matters, several stores are opened on one database, as
// several processes do. Nothing here depends on how fast the machine is.
package storetest

import (
	"context"
	"database/sql"
	"maps"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver the suite looks into PostgreSQL with

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/store"
	"tieline/internal/store/mysql"
	"tieline/internal/store/sqlite"
	"tieline/internal/store/sqlserver"
)

// Fresh makes an empty database for a test, which is removed when the test
// ends, and returns its URL.
type Fresh func(t *testing.T) string

// The connectors of every fixture.
const (
	tickets = "tickets"
	files   = "files"
)

// Run runs the suite.
func Run(t *testing.T, fresh Fresh) {
	runGroups(t, fresh, opening, documents, drafts, accepting, claiming, recording, mail, absences, people, editing, searching, contention, forgetting, copying, shut, accessing, auditing, watching, random)
}

// RunStatements runs the tests that bring every statement of the store about, and
// leaves out those in which many contend or chance decides, and those that ask for
// much: they bring no other.
func RunStatements(t *testing.T, fresh Fresh) {
	runGroups(t, fresh, opening, documents, drafts, accepting, claiming, recording, mail, absences, people, editing, searching, brief(), copying, shut, accessing, auditing, watching)
}

// RunOwn runs those of them that bring about what an engine may write in full.
func RunOwn(t *testing.T, fresh Fresh) {
	runGroups(t, fresh, opening, documents, accepting, claiming, recording, mail, absences, people, editing, brief())
}

// brief is forgetting but for the two that ask for much.
func brief() map[string]func(*testing.T, Fresh) {
	tests := maps.Clone(forgetting)
	delete(tests, "forget/in pages, and not before a backlog")
	delete(tests, "forget/claims and intake go on beside it")
	return tests
}

func runGroups(t *testing.T, fresh Fresh, groups ...map[string]func(*testing.T, Fresh)) {
	for _, group := range groups {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, fresh)
			})
		}
	}
}

// fixture is one management group's database with two connectors, and one term
// of each.
type fixture struct {
	*testing.T
	url   string
	db    *store.DB
	raw   *sql.DB // past the store: to bring about what only time or failure does
	clock *handClock
	key   int
}

func setup(t *testing.T, fresh Fresh) *fixture {
	t.Helper()
	f := &fixture{T: t, url: fresh(t), clock: &handClock{}}
	f.db = f.open()
	f.raw = rawOpen(t, f.url)
	for _, name := range []string{tickets, files} {
		if _, err := f.db.SaveDocument(t.Context(), document(name)); err != nil {
			t.Fatalf("save document: %v", err)
		}
	}
	return f
}

func document(name string) store.SaveDocument {
	return store.SaveDocument{
		Connector: name, Text: "name: " + name + "\n", Who: "ann", Comment: "first",
		Settings: ha.Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Window: 20 * time.Second, Settle: 5 * time.Second},
	}
}

// open opens one more store on the fixture's database, as another process does.
func (f *fixture) open() *store.DB { return openStore(f.T, f.url) }

func openStore(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Migrate: true, MaxConns: 4})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func rawOpen(t *testing.T, url string) *sql.DB {
	t.Helper()
	raw, err := openRaw(t.Context(), url)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// openRaw opens an engine's URL for statements of the suite's own.
func openRaw(ctx context.Context, url string) (*sql.DB, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return sql.Open("sqlite", sqlite.DSN(path))
	}
	if mysql.IsURL(url) {
		return mysql.OpenRaw(ctx, url)
	}
	if sqlserver.IsURL(url) {
		return sqlserver.OpenDB(url)
	}
	return sql.Open("pgx", url)
}

func (f *fixture) exec(text string, args ...any) {
	f.Helper()
	if _, err := f.raw.ExecContext(f.Context(), f.said(text), args...); err != nil {
		f.Fatalf("%s: %v", text, err)
	}
}

// rawBegin begins a transaction that no statement of the store knows of.
func rawBegin(f *fixture) (*sql.Tx, error) {
	if f.db.Engine() == "sqlite" {
		// The suite's data source begins writing at once; a reader must not.
		return f.raw.BeginTx(f.Context(), &sql.TxOptions{ReadOnly: true})
	}
	return f.raw.BeginTx(f.Context(), nil)
}

func (f *fixture) count(text string, args ...any) int {
	f.Helper()
	var n int
	if err := f.raw.QueryRowContext(f.Context(), f.said(text), args...).Scan(&n); err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	return n
}

// handClock is moved by hand: terms of the suite age when a test says so.
type handClock struct{ boot time.Duration }

func (c *handClock) Now() ha.Instant { return ha.Instant{Boot: c.boot} }

// term makes a server Active of a connector, by the next epoch.
func (f *fixture) term(connector, server string) ha.Term {
	f.Helper()
	f.exec(`UPDATE lease SET epoch = epoch + 1, beat = 0, server = $2, boot = $3, identity = (SELECT identity FROM history)
		WHERE connector = $1`, connector, server, server+"-boot")
	l := ha.Lease{Connector: connector, Server: server, Boot: server + "-boot"}
	err := f.raw.QueryRowContext(f.Context(), f.said("SELECT epoch, identity FROM lease WHERE connector = $1"), connector).
		Scan(&l.Epoch, &l.Identity)
	if err != nil {
		f.Fatalf("read the lease: %v", err)
	}
	return ha.NewTerm(l, ha.Settings{}, f.clock, nil)
}

func observe(key string, status alert.Status, summary string) alert.Observation {
	return alert.Observation{Source: "prom", Key: key, Status: status, Content: alert.Content{
		Severity: "critical", Summary: summary, Labels: map[string]string{"alertname": "DiskFull", "instance": key},
	}}
}

// to routes every alert to connectors.
func to(connectors ...string) func(*alert.Alert) []intake.Routing {
	return func(*alert.Alert) []intake.Routing {
		out := make([]intake.Routing, len(connectors))
		for i, c := range connectors {
			out[i].Connector = c
		}
		return out
	}
}

// accept stores observations, routed alike, and expects none to be refused.
func (f *fixture) accept(route func(*alert.Alert) []intake.Routing, observations ...alert.Observation) []intake.Accepted {
	f.Helper()
	b := intake.Batch{Server: "alpha", Generation: 2}
	for _, o := range observations {
		b.Items = append(b.Items, intake.Observed{Observation: o, Route: route})
	}
	answers, err := f.db.Accept(f.Context(), b)
	if err != nil {
		f.Fatalf("accept: %v", err)
	}
	for i, a := range answers {
		if a.Err != nil {
			f.Fatalf("accept %s: %v", observations[i].Key, a.Err)
		}
	}
	return answers
}

// raise stores n new alerts for the connectors and returns their ids.
func (f *fixture) raise(n int, connectors ...string) []alert.ID {
	f.Helper()
	var os []alert.Observation
	for range n {
		f.key++
		os = append(os, observe("key-"+time.Duration(f.key).String(), alert.Open, "disk full"))
	}
	ids := make([]alert.ID, n)
	for i, a := range f.accept(to(connectors...), os...) {
		ids[i] = a.ID
	}
	return ids
}

func (f *fixture) detail(id alert.ID) store.AlertDetail {
	f.Helper()
	d, err := f.db.Alert(f.Context(), id)
	if err != nil {
		f.Fatalf("alert: %v", err)
	}
	return d
}

// link returns one link of an alert, with what storage knows of it.
func (f *fixture) link(id alert.ID, connector string, side alert.Side) store.LinkDetail {
	f.Helper()
	for _, l := range f.detail(id).Links {
		if l.LinkID.Connector == connector && l.LinkID.Side == side {
			return l
		}
	}
	f.Fatalf("alert %s has no %s link of %s", id, side, connector)
	return store.LinkDetail{}
}

// claim claims up to limit links in a term and returns the claim's work.
func (f *fixture) claim(db *store.DB, term ha.Term, limit int) (alert.ClaimID, []forward.Work) {
	f.Helper()
	r := forward.ClaimRequest{Term: term, View: alert.TermView{Epoch: term.Epoch, Age: term.Age()}, Claim: alert.NewID(), Limit: limit}
	n, err := db.Claim(f.Context(), r)
	if err != nil {
		f.Fatalf("claim: %v", err)
	}
	works, err := db.Claimed(f.Context(), term.Connector, r.Claim)
	if err != nil {
		f.Fatalf("claimed: %v", err)
	}
	if len(works) != n {
		f.Fatalf("claimed %d links, %d carry the claim", n, len(works))
	}
	return r.Claim, works
}

// sent is the outcome of a write that the remote answered with a ticket.
func sent(w forward.Work, claim alert.ClaimID, ticket string) forward.Entry {
	o := alert.Outcome{LinkID: w.Link.LinkID, Claim: claim, Progress: w.Link.Progress, Answered: true}
	o.Stage, o.Ticket, o.Delivered = alert.Settled, ticket, w.Alert.Revision
	return forward.Entry{Outcome: o}
}

func (f *fixture) record(term ha.Term, entries ...forward.Entry) []alert.Recorded {
	f.Helper()
	answers, err := f.db.Record(f.Context(), term, entries)
	if err != nil {
		f.Fatalf("record: %v", err)
	}
	return answers
}

// settle sends everything due of a connector: ticket ids are made of the alert's.
func (f *fixture) settle(term ha.Term) {
	f.Helper()
	claim, works := f.claim(f.db, term, 1000)
	var entries []forward.Entry
	for _, w := range works {
		entries = append(entries, sent(w, claim, "T-"+w.Alert.ID.String()))
	}
	f.record(term, entries...)
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func timeline(f *fixture, id alert.ID) []string {
	f.Helper()
	var kinds []string
	for _, e := range must(f.db.Timeline(context.WithoutCancel(f.Context()), id))(f.T) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}
