package storetest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// PostgresURL is the environment variable that says where tests find a
// PostgreSQL server on which they may create databases.
const PostgresURL = "TIELINE_TEST_POSTGRES_URL"

// FreshPostgres makes an empty database and returns its URL. It fails the test
// when there is no server: a suite that skips reads as passed.
func FreshPostgres(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(PostgresURL)
	if server == "" {
		tb.Fatalf("%s is not set: these tests need a PostgreSQL server, which the test command starts", PostgresURL)
	}
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("%s: %v", PostgresURL, err)
	}
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	admin(tb, server, fmt.Sprintf("CREATE DATABASE %s", name))
	tb.Cleanup(func() { admin(tb, server, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)) })
	u.Path = "/" + name
	return u.String()
}

func admin(tb testing.TB, url, statement string) {
	tb.Helper()
	ctx := context.Background() // also after the test's own has ended
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatalf("connect to %s: %v", PostgresURL, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}
