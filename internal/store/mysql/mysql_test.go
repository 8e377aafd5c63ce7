package mysql_test

import (
	"os"
	"testing"

	"tieline/internal/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) string { return storetest.FreshMariaDB(t) })
}

// TestConformanceOnMySQL needs a server that cannot be installed everywhere;
// test/run.sh tells at its end when it was not run.
func TestConformanceOnMySQL(t *testing.T) {
	if os.Getenv(storetest.MySQLURL) == "" {
		t.Skipf("NOT RUN: %s names no MySQL server", storetest.MySQLURL)
	}
	storetest.Run(t, func(t *testing.T) string { return storetest.FreshMySQL(t) })
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, storetest.FreshMariaDB) }
