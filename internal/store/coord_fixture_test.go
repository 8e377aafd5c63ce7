package store

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tieline/internal/ha"
)

// postgresURL is where the tests find a PostgreSQL server.
const postgresURL = "TIELINE_TEST_POSTGRES_URL"

// onEach runs a test on a fresh database of each engine; url opens it again.
func onEach(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, freshSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, freshPostgres(t)) })
	t.Run("mariadb", func(t *testing.T) { f(t, freshMariaDB(t)) })
}

// onTelling does the same on the engines that carry wake-ups themselves; how the
// others are nudged is in nudged_test.go.
func onTelling(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, freshSQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, freshPostgres(t)) })
}

func freshSQLite(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tieline.db") }

// freshPostgres makes a database for the test and returns its URL.
func freshPostgres(t *testing.T) string {
	server := os.Getenv(postgresURL)
	if server == "" {
		t.Fatalf("%s is not set: these tests need a PostgreSQL server where they may create databases, "+
			"as test/peers or shared/peers/postgres.sh start one", postgresURL)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", postgresURL, err)
	}
	name := "coord_" + strings.ToLower(time.Now().Format("150405.000000")[7:]) + fmt.Sprint(os.Getpid())
	onServer(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { onServer(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u.Path = "/" + name
	return u.String()
}

func onServer(t *testing.T, url, statement string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect to %s: %v", postgresURL, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// open opens the database as one process of the group does.
func open(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url, Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// run runs a statement of the test's own.
func run(t *testing.T, db *DB, text string, args ...any) {
	t.Helper()
	if _, err := db.engine.Write.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// addConnector puts in a connector as an applied document does.
func addConnector(t *testing.T, db *DB, name string) {
	t.Helper()
	run(t, db, `INSERT INTO connector (name, version, polling, tolerance, failback, send_window, settle, changed_at)
		SELECT $1, 1, 30000000, 3, 'manual', 20000000, 5000000, now FROM clock`, name)
}

// join lets a server join with high availability, under boot id name+"-boot".
func join(t *testing.T, db *DB, server string, connectors ...string) {
	t.Helper()
	if err := db.Join(t.Context(), joining(server, connectors...)); err != nil {
		t.Fatalf("join %s: %v", server, err)
	}
}

func joining(server string, connectors ...string) Join {
	return Join{
		Server: server, Address: server + ":7000", Boot: server + "-boot", Version: "test", Group: "plant",
		HighAvailability: true, Connectors: connectors, Promised: 90 * time.Second,
	}
}

// session opens a coordination session for a server that joined.
func openSession(t *testing.T, db *DB, server string) ha.Session {
	t.Helper()
	s, err := db.Coordinator().Open(t.Context(), server, server+"-boot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func beatOf(server string, number int64, s ha.Session) ha.Beat {
	return ha.Beat{
		Server: server, Boot: server + "-boot", Number: number, Presence: s.Presence(), Version: "test",
		Promised: 90 * time.Second,
	}
}

func mustBeat(t *testing.T, s ha.Session, b ha.Beat) ha.Group {
	t.Helper()
	g, err := s.Beat(t.Context(), b)
	if err != nil {
		t.Fatalf("beat: %v", err)
	}
	return g
}

// mustTake takes a connector's lease for a server as its row now is.
func mustTake(t *testing.T, s ha.Session, connector, server string) ha.Lease {
	t.Helper()
	g, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Take(t.Context(), takeOf(g, connector, server))
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return l
}

func takeOf(g ha.Group, connector, server string) ha.Take {
	l := leaseOf(g, connector)
	return ha.Take{
		Connector: connector, Epoch: l.Epoch, Beat: l.Beat, Server: server, Boot: server + "-boot",
		Promised: 90 * time.Second, Identity: g.Identity, Reason: ha.ReasonFirst,
	}
}

func leaseOf(g ha.Group, connector string) ha.Lease {
	for _, l := range g.Leases {
		if l.Connector == connector {
			return l
		}
	}
	return ha.Lease{}
}

func serverOf(g ha.Group, name string) ha.Server {
	for _, s := range g.Servers {
		if s.Name == name {
			return s
		}
	}
	return ha.Server{}
}

func orderOf(t *testing.T, db *DB, connector string) (servers []string, positions []int) {
	t.Helper()
	g, err := db.ReadGroup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range g.Members {
		if m.Connector == connector {
			servers, positions = append(servers, m.Server), append(positions, m.Position)
		}
	}
	return servers, positions
}

// within waits for a signal and fails when it does not come within a time that
// no load of the machine explains.
func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

func releaseOf(l ha.Lease) ha.Release {
	return ha.Release{Connector: l.Connector, Epoch: l.Epoch, Boot: l.Boot, Reason: ha.ReasonStop}
}
