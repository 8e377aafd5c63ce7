package storetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tieline/internal/store/mysql"
)

// MariaDBURL and MySQLURL are the environment variables that say where tests
// find a MariaDB and a MySQL server on which they may create databases.
const (
	MariaDBURL = "TIELINE_TEST_MARIADB_URL"
	MySQLURL   = "TIELINE_TEST_MYSQL_DSN"
)

// FreshMariaDB makes an empty database and returns its URL. It fails the test
// when there is no server: a suite that skips reads as passed.
func FreshMariaDB(tb testing.TB) string {
	tb.Helper()
	if os.Getenv(MariaDBURL) == "" {
		tb.Fatalf("%s is not set: these tests need a MariaDB server, which the test command starts", MariaDBURL)
	}
	return freshMySQL(tb, MariaDBURL)
}

// FreshMySQL does the same with a MySQL server, which nobody starts for the
// tests: ask for it only where MySQLURL is set.
func FreshMySQL(tb testing.TB) string {
	tb.Helper()
	return freshMySQL(tb, MySQLURL)
}

func freshMySQL(tb testing.TB, variable string) string {
	tb.Helper()
	server := os.Getenv(variable)
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("%s is no URL", variable)
	}
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	adminMySQL(tb, server, "CREATE DATABASE "+name)
	tb.Cleanup(func() { adminMySQL(tb, server, "DROP DATABASE "+name) })
	u.Path = "/" + name
	return u.String()
}

func adminMySQL(tb testing.TB, url, statement string) {
	tb.Helper()
	ctx := context.Background() // also after the test's own has ended
	db, err := mysql.OpenRaw(ctx, url)
	if err != nil {
		tb.Fatalf("connect to the server: %v", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		tb.Fatal(fmt.Errorf("%s: %w", statement, err))
	}
}
