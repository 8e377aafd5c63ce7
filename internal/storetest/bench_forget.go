package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/retention"
	"tieline/internal/store"
)

const (
	oldAlerts = 100_000 // to be forgotten in the benchmark
	// besides is how many batches are forwarded beside a Keeper, and then as many
	// without: whatever else slows the machine down slows both down.
	besides = 40
)

// benchForget forwards as benchClaim does, by turns beside a Keeper that removes
// old alerts and with them only lying there, and tells how long a batch takes.
func benchForget(b *testing.B, url string) {
	db := benchOpen(b, url)
	for n := 0; n < oldAlerts; n += batchSize {
		if _, err := db.Accept(b.Context(), benchBatch(n, batchSize)); err != nil {
			b.Fatal(err)
		}
	}
	term := benchTerm(b, url)
	benchAge(b, url)
	for n := range 2 {
		if _, err := db.Accept(b.Context(), benchBatch(oldAlerts+n*batchSize, batchSize)); err != nil {
			b.Fatal(err)
		}
	}
	var took [2][]time.Duration // without and with
	var beside time.Duration
	b.ResetTimer()
	for range b.N {
		for with := range 2 {
			began := time.Now()
			stop := func() {}
			if with == 1 {
				stop = benchKeep(b, db, term)
			}
			for range besides {
				at := time.Now()
				if err := benchForward(b.Context(), db, term); err != nil {
					b.Fatal(err)
				}
				took[with] = append(took[with], time.Since(at))
			}
			stop()
			if with == 1 {
				beside += time.Since(began)
			}
		}
	}
	b.StopTimer()
	for with, name := range []string{"alone", "beside"} {
		slices.Sort(took[with])
		b.ReportMetric(milliseconds(took[with][len(took[with])/2]), "ms-p50-"+name)
		b.ReportMetric(milliseconds(took[with][len(took[with])*99/100]), "ms-p99-"+name)
	}
	b.ReportMetric(float64(oldAlerts-benchLeft(b, url))/beside.Seconds(), "forgotten/s")
}

// benchKeep lets a Keeper remove old alerts until stop is called.
func benchKeep(b *testing.B, db *store.DB, term ha.Term) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	k := retention.New(retention.Config{Connector: tickets, Store: db,
		Policy: func() (retention.Policy, <-chan struct{}) { return keeping(nil), nil }})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = k.Once(ctx, term) // it is interrupted
	}()
	return func() { cancel(); <-ended }
}

// benchAge closes and delivers all that is stored, long ago.
func benchAge(b *testing.B, url string) {
	b.Helper()
	raw, err := openRaw(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	ago := (100 * 24 * time.Hour).Microseconds()
	for _, text := range []string{
		"UPDATE alert SET status = 'closed', latest_key = NULL, behind = NULL, accepted_at = accepted_at - $1, changed_at = changed_at - $1",
		"UPDATE link SET stage = 'settled', delivered = wanted, due_at = NULL, changed_at = changed_at - $1",
	} {
		if _, err := raw.ExecContext(b.Context(), text, ago); err != nil {
			b.Fatal(err)
		}
	}
}

func benchLeft(b *testing.B, url string) (left int) {
	b.Helper()
	raw, err := openRaw(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	if err := raw.QueryRowContext(b.Context(), "SELECT count(*) FROM alert WHERE status = 'closed'").Scan(&left); err != nil {
		b.Fatal(err)
	}
	return left
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
