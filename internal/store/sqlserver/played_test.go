package sqlserver_test

import (
	"os"
	"testing"

	"tieline/internal/storetest"
	"tieline/internal/storetest/tds"
)

// TestPlayedConformance runs the suite's statements by the driver, through a
// server that speaks the protocol and has PostgreSQL do what they mean.
func TestPlayedConformance(t *testing.T) {
	postgres := os.Getenv(storetest.PostgresURL)
	if postgres == "" {
		t.Fatalf("%s names no PostgreSQL server", storetest.PostgresURL)
	}
	server := tds.Play(t, postgres)
	storetest.RunOwn(t, func(t *testing.T) string { return server.URL(storetest.FreshPostgres(t)) })
}
