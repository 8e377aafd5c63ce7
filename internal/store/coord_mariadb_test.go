package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"tieline/internal/ha"
	"tieline/internal/hatest"
	"tieline/internal/store/mysql"
)

// mariadbURL is where the tests find a MariaDB server.
const mariadbURL = "TIELINE_TEST_MARIADB_URL"

// freshMariaDB makes a database for the test and returns its URL.
func freshMariaDB(t *testing.T) string {
	t.Helper()
	server := os.Getenv(mariadbURL)
	if server == "" {
		t.Fatalf("%s is not set: these tests need a MariaDB server where they may create databases, "+
			"as test/peers/mariadb.sh starts one", mariadbURL)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", mariadbURL, err)
	}
	name := "coord_" + strings.ToLower(rand.Text())
	onMariaDB(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { onMariaDB(t, server, "DROP DATABASE "+name) })
	u.Path = "/" + name
	return u.String()
}

func onMariaDB(t *testing.T, url, statement string) {
	t.Helper()
	db, err := mysql.OpenRaw(context.Background(), url) // also after the test's own has ended
	if err != nil {
		t.Fatalf("connect to %s: %v", mariadbURL, err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestMariaDBCoordinatorConforms(t *testing.T) {
	hatest.RunCoordinator(t, func(t *testing.T) hatest.Harness {
		h := newHarness(t, freshMariaDB(t))
		answers := h.answers()
		answers.Kill = func(t *testing.T, s ha.Session) { killMariaDB(t, h.db, s.Presence()) }
		answers.LockLease = func(t *testing.T, connector string) func() {
			return lockRow(t, h.url, "UPDATE lease SET wish = 'nobody' WHERE connector = '"+connector+"'")
		}
		return answers
	})
}

// killMariaDB ends the connection that holds a presence, from the server's side.
func killMariaDB(t *testing.T, db *DB, presence string) {
	t.Helper()
	var id int64
	err := db.engine.Read.QueryRowContext(t.Context(), "SELECT IS_USED_LOCK($1)", "tieline-"+presence).Scan(&id)
	if err == nil {
		_, err = db.engine.Write.ExecContext(t.Context(), fmt.Sprintf("KILL %d", id))
	}
	if err != nil {
		t.Fatalf("kill the session of presence %s: %v", presence, err)
	}
}

// lockRow runs a statement in a transaction that stays open until unlock is called.
func lockRow(t *testing.T, url, statement string) (unlock func()) {
	t.Helper()
	raw, err := mysql.OpenRaw(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	// Its own context: the test's ends before its clean-ups.
	tx, err := raw.BeginTx(context.Background(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Errorf("unlock: %v", err)
		}
	}
}
