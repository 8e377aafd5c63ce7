package storetest

import (
	"net/url"
	"os"
	"testing"
)

// BouncerURL is the environment variable that says where tests find pgbouncer,
// in transaction mode, in front of the server of PostgresURL.
const BouncerURL = "TIELINE_TEST_PGBOUNCER_URL"

// FreshBehindPooler makes an empty database and returns its URL by way of
// pgbouncer. It fails the test when there is none.
func FreshBehindPooler(tb testing.TB) string {
	tb.Helper()
	bouncer := os.Getenv(BouncerURL)
	if bouncer == "" {
		tb.Fatalf("%s is not set: these tests need pgbouncer, which the test command starts", BouncerURL)
	}
	b, err := url.Parse(bouncer)
	if err != nil {
		tb.Fatalf("%s: %v", BouncerURL, err)
	}
	u, err := url.Parse(FreshPostgres(tb))
	if err != nil {
		tb.Fatal(err)
	}
	u.Host = b.Host
	q := u.Query()
	q.Set("default_query_exec_mode", "exec") // for what the suite itself asks
	u.RawQuery = q.Encode()
	return u.String()
}

// RunBriefly runs the part of the suite that the way to the database could
// change: opening, claims, and many stores at once.
func RunBriefly(t *testing.T, fresh Fresh) {
	runGroups(t, fresh, opening, contention)
}
