package postgres_test

import (
	"testing"

	"tieline/internal/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) string { return storetest.FreshPostgres(t) })
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, storetest.FreshPostgres) }

// TestConformanceBehindAPooler runs what could differ where no connection has a session
// of its own.
func TestConformanceBehindAPooler(t *testing.T) {
	storetest.RunBriefly(t, func(t *testing.T) string { return storetest.FreshBehindPooler(t) })
}
