package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/store"
)

// batchSize is how many alerts share a transaction in the benchmarks, and how
// many links a claim takes.
const batchSize = 500

// Bench runs the benchmarks: what budgets of the design are measured by.
func Bench(b *testing.B, fresh func(testing.TB) string) {
	b.Run("accept", func(b *testing.B) { benchAccept(b, fresh(b)) })
	for _, rows := range []int{10, 100} {
		b.Run(fmt.Sprintf("bare inserts, %d a statement", rows), func(b *testing.B) { benchBare(b, fresh(b), rows) })
	}
	for _, backlog := range []int{5_000, 100_000} {
		for _, workers := range []int{1, 3} {
			name := fmt.Sprintf("claim, read and record, %d due, %d at once", backlog, workers)
			b.Run(name, func(b *testing.B) { benchClaim(b, fresh(b), backlog, workers) })
		}
	}
	b.Run("claim, read and record, beside forgetting", func(b *testing.B) { benchForget(b, fresh(b)) })
}

func benchOpen(b *testing.B, url string) *store.DB {
	b.Helper()
	db, err := store.Open(b.Context(), url, store.Options{Migrate: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if _, err := db.SaveDocument(b.Context(), document(tickets)); err != nil {
		b.Fatal(err)
	}
	return db
}

// benchBatch is a batch of new alerts of about 600 bytes each.
func benchBatch(from, n int) intake.Batch {
	b := intake.Batch{Server: "alpha", Generation: 1, Items: make([]intake.Observed, n)}
	for i := range b.Items {
		o := observe(fmt.Sprintf("%016x", uint64(from+i)*0x9e3779b97f4a7c15), alert.Open, "filesystem /var is 97% full")
		o.Description = strings.Repeat("the disk fills at 2% an hour; ", 8)
		o.Annotations = map[string]string{"runbook": "https://wiki.example/runbooks/disk-full", "dashboard": "https://grafana.example/d/abcdef"}
		b.Items[i] = intake.Observed{Observation: o, Route: to(tickets)}
	}
	return b
}

func perSecond(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), unit)
}

func benchAccept(b *testing.B, url string) {
	db := benchOpen(b, url)
	n := 0
	for b.Loop() {
		if _, err := db.Accept(b.Context(), benchBatch(n, batchSize)); err != nil {
			b.Fatal(err)
		}
		n += batchSize
	}
	perSecond(b, n, "alerts/s")
}

// benchBare inserts the same rows, an alert and a link each, by multi-row
// inserts into the same tables and nothing else: what Accept is measured against.
func benchBare(b *testing.B, url string, rows int) {
	db := benchOpen(b, url)
	if _, err := db.Accept(b.Context(), benchBatch(0, batchSize)); err != nil {
		b.Fatal(err)
	}
	raw, err := openRaw(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1)
	alerts, links := sample(b, raw, "alert"), sample(b, raw, "link")
	n := 0
	for b.Loop() {
		for i := range alerts.rows {
			id := alert.NewID()
			alerts.set(i, "id", id.String())
			alerts.set(i, "source_key", id.String())
			alerts.set(i, "latest_key", id.String())
			links.set(i, "alert_id", id.String())
		}
		if err := bareInsert(b.Context(), raw, rows, alerts, links); err != nil {
			b.Fatal(err)
		}
		n += batchSize
	}
	perSecond(b, n, "alerts/s")
}

func bareInsert(ctx context.Context, raw *sql.DB, rows int, tables ...*table) error {
	tx, err := raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, t := range tables {
		for i := 0; i < len(t.rows); i += rows {
			var args []any
			for _, r := range t.rows[i : i+rows] {
				args = append(args, r...)
			}
			if _, err := tx.ExecContext(ctx, t.insert(rows), args...); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// table holds rows as they were read.
type table struct {
	name    string
	columns []string
	rows    [][]any
	text    string
}

func sample(b *testing.B, raw *sql.DB, name string) *table {
	b.Helper()
	rows, err := raw.QueryContext(b.Context(), "SELECT * FROM "+name)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	t := &table{name: name}
	if t.columns, err = rows.Columns(); err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		row := make([]any, len(t.columns))
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			b.Fatal(err)
		}
		t.rows = append(t.rows, row)
	}
	if err := rows.Err(); err != nil || len(t.rows) != batchSize {
		b.Fatalf("%d rows of %s: %v", len(t.rows), name, err)
	}
	return t
}

func (t *table) set(row int, column string, value any) {
	for i, c := range t.columns {
		if c == column {
			t.rows[row][i] = value
		}
	}
}

func (t *table) insert(rows int) string {
	if t.text == "" {
		values := make([]string, rows)
		for r := range values {
			marks := make([]string, len(t.columns))
			for c := range marks {
				marks[c] = fmt.Sprintf("$%d", r*len(marks)+c+1)
			}
			values[r] = "(" + strings.Join(marks, ", ") + ")"
		}
		t.text = "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES " + strings.Join(values, ", ")
	}
	return t.text
}

// benchClaim claims, reads and records batches, as several workers of one
// forwarder do at the same time. What is recorded becomes due again at the end of
// the line: the backlog stays as long as it is.
func benchClaim(b *testing.B, url string, backlog, workers int) {
	db := benchOpen(b, url)
	for n := 0; n < backlog; n += batchSize {
		if _, err := db.Accept(b.Context(), benchBatch(n, batchSize)); err != nil {
			b.Fatal(err)
		}
	}
	term := benchTerm(b, url)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := benchForward(b.Context(), db, term); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	perSecond(b, b.N*batchSize, "links/s")
}

func benchForward(ctx context.Context, db *store.DB, term ha.Term) error {
	r := forward.ClaimRequest{Term: term, View: alert.TermView{Epoch: term.Epoch}, Claim: alert.NewID(), Limit: batchSize}
	if _, err := db.Claim(ctx, r); err != nil {
		return err
	}
	works, err := db.Claimed(ctx, tickets, r.Claim)
	if err != nil {
		return err
	}
	if len(works) != batchSize {
		return fmt.Errorf("claimed %d", len(works))
	}
	entries := make([]forward.Entry, len(works))
	for i, w := range works {
		entries[i] = sent(w, r.Claim, "T-"+w.Alert.ID.String()[:8])
		entries[i].Outcome.Stage = alert.Verify // due again, at the end of the line
		entries[i].Events = []forward.Event{{Kind: "sent", Text: "created", Endpoint: "http://rt", Revision: 1, Ticket: "T"}}
	}
	_, err = db.Record(ctx, term, entries)
	return err
}

func benchTerm(b *testing.B, url string) ha.Term {
	b.Helper()
	raw, err := openRaw(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	_, err = raw.ExecContext(b.Context(), "UPDATE lease SET epoch = 1, server = 'alpha', boot = 'boot', identity = (SELECT identity FROM history)")
	l := ha.Lease{Connector: tickets, Server: "alpha", Boot: "boot", Epoch: 1}
	if err == nil {
		err = raw.QueryRowContext(b.Context(), "SELECT identity FROM lease").Scan(&l.Identity)
	}
	if err != nil {
		b.Fatal(err)
	}
	return ha.NewTerm(l, ha.Settings{}, &handClock{}, nil)
}
