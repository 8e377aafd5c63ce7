package mysql_test

import (
	"testing"

	"tieline/internal/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) string { return storetest.FreshMariaDB(t) })
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, storetest.FreshMariaDB) }
