package sqlite_test

import (
	"path/filepath"
	"testing"

	"tieline/internal/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) string { return fresh(t) })
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, fresh) }

func fresh(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "tieline.db") }
