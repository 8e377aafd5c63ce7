package storetest

import (
	"testing"
	"time"

	"tieline/internal/retention"
)

// oldAlerts is how many alerts there are to be forgotten in the benchmark.
const oldAlerts = 100_000

// benchForget forwards as benchClaim does, beside a Keeper that removes old
// alerts, or with them only lying there.
func benchForget(b *testing.B, url string, forgetting bool) {
	db := benchOpen(b, url)
	for n := 0; n < oldAlerts; n += batchSize {
		if _, err := db.Accept(b.Context(), benchBatch(n, batchSize)); err != nil {
			b.Fatal(err)
		}
	}
	term := benchTerm(b, url)
	raw, err := openRaw(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	ago := (100 * 24 * time.Hour).Microseconds()
	for text, args := range map[string][]any{
		"UPDATE alert SET status = 'closed', latest_key = NULL, behind = NULL, accepted_at = accepted_at - $1, changed_at = changed_at - $1": {ago},
		"UPDATE link SET stage = 'settled', delivered = wanted, due_at = NULL, changed_at = changed_at - $1":                                 {ago},
	} {
		if _, err := raw.ExecContext(b.Context(), text, args...); err != nil {
			b.Fatal(err)
		}
	}
	for n := range 2 {
		if _, err := db.Accept(b.Context(), benchBatch(oldAlerts+n*batchSize, batchSize)); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	began := time.Now()
	if forgetting {
		k := retention.New(retention.Config{Connector: tickets, Store: db,
			Policy: func() (retention.Policy, <-chan struct{}) { return keeping(nil), nil }})
		go func() { _, _ = k.Once(b.Context(), term) }() // it goes on until the benchmark ends
	}
	for range b.N {
		if err := benchForward(b.Context(), db, term); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	perSecond(b, b.N*batchSize, "links/s")
	var left int
	if err := raw.QueryRowContext(b.Context(), "SELECT count(*) FROM alert WHERE status = 'closed'").Scan(&left); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(oldAlerts-left)/time.Since(began).Seconds(), "forgotten/s")
}
