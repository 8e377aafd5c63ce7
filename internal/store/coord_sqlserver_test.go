package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"

	"tieline/internal/ha"
	"tieline/internal/hatest"
	"tieline/internal/store/sqlserver"
	"tieline/internal/storetest/tds"
)

// sqlserverDSN is where the tests find a SQL Server; none can be installed here.
const sqlserverDSN = "TIELINE_TEST_SQLSERVER_DSN"

func TestSQLServerCoordinatorConforms(t *testing.T) {
	server := os.Getenv(sqlserverDSN)
	if server == "" {
		t.Skip("NOT RUN: " + sqlserverDSN + " names no SQL Server, and none can be installed here")
	}
	runSQLServerCoordinator(t, func(t *testing.T) string { return tds.Given(t, server) })
}

// TestSQLServerCoordinatorConformsByVersions runs the same where readers see row
// versions, as Azure's databases have it.
func TestSQLServerCoordinatorConformsByVersions(t *testing.T) {
	server := os.Getenv(sqlserverDSN)
	if server == "" {
		t.Skip("NOT RUN: " + sqlserverDSN + " names no SQL Server, and none can be installed here")
	}
	if !tds.Takes(t, tds.Given(t, server), byVersions) {
		t.Skip("NOT RUN: the server has no READ_COMMITTED_SNAPSHOT")
	}
	runSQLServerCoordinator(t, func(t *testing.T) string {
		url := tds.Given(t, server)
		if !tds.Takes(t, url, byVersions) {
			t.Fatal("READ_COMMITTED_SNAPSHOT was taken before, and is not now")
		}
		return url
	})
}

const byVersions = "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON"

// TestPlayedSQLServerCoordinatorConforms runs the same on a server that plays one.
func TestPlayedSQLServerCoordinatorConforms(t *testing.T) {
	server := tds.Play(t, freshPostgres(t))
	runSQLServerCoordinator(t, func(t *testing.T) string { return server.URL(freshPostgres(t)) })
}

func runSQLServerCoordinator(t *testing.T, fresh func(t *testing.T) string) {
	hatest.RunCoordinator(t, func(t *testing.T) hatest.Harness {
		h := newHarness(t, fresh(t))
		answers := h.answers()
		answers.Kill = func(t *testing.T, s ha.Session) { killSQLServer(t, h.db, s) }
		answers.LockLease = func(t *testing.T, connector string) func() {
			return lockSQLServer(t, h.url, "UPDATE lease SET wish = 'nobody' WHERE connector = $1", connector)
		}
		return answers
	})
}

// killSQLServer ends a session's connection from the server's side. It is found
// by the name of the server in its program's name.
func killSQLServer(t *testing.T, db *DB, s ha.Session) {
	t.Helper()
	g, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	like := "tieline coordination %" // it has not published its presence yet
	for _, server := range g.Servers {
		if server.Presence == s.Presence() {
			like = "tieline coordination " + server.Name
		}
	}
	var ids []int
	err = each(t.Context(), db.engine.Read, func(rows *sql.Rows) error {
		var id int
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT session_id FROM sys.dm_exec_sessions WHERE program_name LIKE $1 AND database_id = DB_ID()", like)
	if err != nil || len(ids) == 0 {
		t.Fatalf("found sessions %v: %v", ids, err)
	}
	for _, id := range ids {
		run(t, db, fmt.Sprintf("KILL %d", id))
	}
}

// lockSQLServer runs a statement in a transaction that stays open until unlock is
// called.
func lockSQLServer(t *testing.T, url, statement string, args ...any) (unlock func()) {
	t.Helper()
	raw, err := sqlserver.OpenDB(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	tx, err := raw.BeginTx(context.Background(), nil) // a test's context ends before its clean-ups
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Errorf("unlock: %v", err)
		}
	}
}
