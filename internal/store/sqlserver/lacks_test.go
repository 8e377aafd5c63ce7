package sqlserver_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tieline/internal/fault"
	"tieline/internal/store"
	"tieline/internal/storetest"
	"tieline/internal/storetest/tds"
)

// lack is what a server that speaks the language may do without.
type lack struct {
	what   string
	refuse []string // patterns of the statements that are refused
	number int32    // as what; 0 = 208, an object that is not there
	says   string   // what the check says of it; "" = nothing in particular
	starts string   // what a server that starts logs; "" = nothing in particular
	fatal  string   // what stops it; "" = it works
}

var lacks = []lack{
	{what: "nothing", says: "when the database was made", starts: "may go unnoticed"},
	{what: "settings of a session", refuse: []string{`SET ARITHABORT`, `SET NUMERIC_ROUNDABORT`, `SET LOCK_TIMEOUT`, `SET TRANSACTION ISOLATION`, `SET ANSI`}, number: 195},
	{what: "XACT_ABORT", refuse: []string{`SET XACT_ABORT`}, number: 195, fatal: "XACT_ABORT"},
	{what: "sys.databases", refuse: []string{`sys\.databases`}, says: "nothing that changes", starts: "may go unnoticed"},
	{what: "the right to see databases", refuse: []string{`sys\.databases`}, number: 297, says: "nothing that changes", starts: "may go unnoticed"},
	{what: "every view of the system", refuse: []string{`\bsys\.`}, says: "nothing that changes"},
	{what: "the properties of the server", refuse: []string{`SERVERPROPERTY`}, number: 195, says: "nothing that changes"},
	{what: "its own version", refuse: []string{`SERVERPROPERTY`, `@@VERSION`}, number: 195, says: "does not tell its version"},
	{what: "a way to alter a view", refuse: []string{`^ALTER VIEW`}, number: 33557097, says: "when the database was made"},
	{what: "HAS_PERMS_BY_NAME", refuse: []string{`HAS_PERMS_BY_NAME`}, number: 195, says: "does not tell what the login may do"},
	{what: "application locks", refuse: []string{`applock`, `APPLOCK`}, number: 2812, says: "keeps no lock", starts: "no presence"},
	{what: "APPLOCK_TEST and APPLOCK_MODE", refuse: []string{`APPLOCK_`}, number: 195, says: "keeps no lock", starts: "no presence"},
	{what: "OPENJSON", refuse: []string{`OPENJSON`}, fatal: "COMPATIBILITY_LEVEL = 140"},
	{what: "FOR JSON", refuse: []string{`FOR JSON`}, number: 156, fatal: "COMPATIBILITY_LEVEL = 140"},
	{what: "HASHBYTES", refuse: []string{`HASHBYTES`}, number: 195, fatal: "HASHBYTES"},
	{what: "DATEDIFF_BIG", refuse: []string{`DATEDIFF_BIG`}, number: 195, fatal: "DATEDIFF_BIG"},
	{what: "the right to make tables", refuse: []string{`^CREATE TABLE`}, number: 262, fatal: "db_owner"},
	{what: "the right to make views", refuse: []string{`^CREATE VIEW`}, number: 262, fatal: "db_owner"},
}

// TestServersThatLackSomething: only what safety needs stops a server, and what
// stops it is named; what else is missing is told where it costs something.
func TestServersThatLackSomething(t *testing.T) {
	postgres := givenPostgres(t)
	for _, l := range lacks {
		t.Run(l.what, func(t *testing.T) {
			t.Parallel()
			server := tds.Play(t, postgres)
			for _, pattern := range l.refuse {
				number := l.number
				if number == 0 {
					number = 208
				}
				server.Refuse(pattern, number)
			}
			url := server.URL(storetest.FreshPostgres(t))
			lines, log, err := started(t, url)
			if l.fatal != "" {
				if err == nil || !strings.Contains(fault.Message(err), l.fatal) {
					t.Fatalf("without %s: %v: %s", l.what, err, fault.Message(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(lines, l.says) {
				t.Errorf("the check does not say %q:\n%s", l.says, lines)
			}
			if !strings.Contains(lines, "of unknown size in all") { // nothing here tells bytes
				t.Errorf("sizes that nobody told are summed up:\n%s", lines)
			}
			if strings.Contains(lines, "GRANT VIEW ANY DATABASE") {
				t.Errorf("a right is asked for that shows nothing here:\n%s", lines)
			}
			if !strings.Contains(log, l.starts) {
				t.Errorf("the log does not say %q:\n%s", l.starts, log)
			}
		})
	}
}

func givenPostgres(t *testing.T) string {
	t.Helper()
	url := os.Getenv(storetest.PostgresURL)
	if url == "" {
		t.Fatalf("%s names no PostgreSQL server", storetest.PostgresURL)
	}
	return url
}

// logged is a log that may be written to and read at once.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// started migrates a database, has a server join, and returns what the check of
// the database and the log say.
func started(t *testing.T, url string) (lines, log string, err error) {
	t.Helper()
	out := &logged{}
	db, err := store.Open(t.Context(), url, store.Options{Migrate: true, MaxConns: 2, Log: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil {
		return "", out.String(), err
	}
	defer db.Close()
	join(t, db, "alpha")
	g, err := db.ReadGroup(t.Context())
	if err != nil || g.Identity == "" {
		t.Fatalf("the history has the name %q: %v", g.Identity, err)
	}
	return checked(t, db), out.String(), nil
}

func join(t *testing.T, db *store.DB, name string) {
	t.Helper()
	err := db.Join(t.Context(), store.Join{Server: name, Boot: name + "-1", Promised: time.Minute, HighAvailability: true})
	if err != nil {
		t.Fatalf("join: %v: %s", err, fault.Message(err))
	}
	s, err := db.Coordinator().Open(t.Context(), name, name+"-1")
	if err != nil {
		t.Fatalf("coordinate: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func checked(t *testing.T, db *store.DB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := db.Check(ctx)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	var lines strings.Builder
	for _, l := range found {
		lines.WriteString(l.Name + ": " + l.Text + "; " + l.Next + "\n")
	}
	return lines.String()
}

// TestWhatNamesTheHistory: it is the same for all logins, the best that each of
// them sees; and what is lost by that is told.
func TestWhatNamesTheHistory(t *testing.T) {
	server := tds.Play(t, givenPostgres(t))
	url := server.URL(storetest.FreshPostgres(t))
	identity := func(db *store.DB) string {
		t.Helper()
		g, err := db.ReadGroup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return g.Identity
	}
	server.Fork("6F9619FF")
	sees := opened(t, url)
	join(t, sees, "alpha")
	if got := identity(sees); got != "mssql-played-6F9619FF" {
		t.Fatalf("a login that sees the fork names the history %q", got)
	}
	if lines := checked(t, sees); strings.Contains(lines, "unnoticed") {
		t.Errorf("a fork is told as too little:\n%s", lines)
	}

	server.Fork("") // for those who connect from now on
	blind := opened(t, url)
	if lines := checked(t, blind); !strings.Contains(lines, "GRANT VIEW ANY DATABASE") || identity(sees) != "mssql-played-6F9619FF" {
		t.Errorf("to look changed the name to %q, or what is missing is not told:\n%s", identity(sees), lines)
	}
	join(t, blind, "beta")
	if got := identity(blind); !strings.HasPrefix(got, "mssql-played-made-") || got != identity(sees) {
		t.Errorf("a login that sees no fork names the history %q, the other one %q", got, identity(sees))
	}
	if lines := checked(t, blind); !strings.Contains(lines, "when the database was made") || !strings.Contains(lines, "GRANT VIEW ANY DATABASE") {
		t.Errorf("what is lost by that is not told:\n%s", lines)
	}

	server.Fork("6F9619FF")
	if lines := checked(t, opened(t, url)); !strings.Contains(lines, "this login sees more: tieline db migrate") {
		t.Errorf("that there is a better name is not told:\n%s", lines)
	}
	if _, _, err := store.Migrate(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	if got := identity(sees); got != "mssql-played-6F9619FF" {
		t.Errorf("migrated by a login that sees the fork, the history is named %q", got)
	}
}

func opened(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Migrate: true, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// TestViewThatFails: what fails to name the history is defined anew, and a login
// for which it fails all the same is refused.
func TestViewThatFails(t *testing.T) {
	server := tds.Play(t, givenPostgres(t))
	postgres := storetest.FreshPostgres(t)
	url := server.URL(postgres)
	db := opened(t, url)
	raw, err := pgx.Connect(t.Context(), postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close(context.Background())
	if _, err := raw.Exec(t.Context(), "CREATE OR REPLACE VIEW history AS SELECT ((1 / (random() * 0)::int)::text) COLLATE \"C\" AS identity"); err != nil {
		t.Fatal(err)
	}
	join(t, db, "alpha")
	if g, err := db.ReadGroup(t.Context()); err != nil || !strings.HasPrefix(g.Identity, "mssql-played-made-") {
		t.Errorf("the history is named %q: %v", g.Identity, err)
	}
	server.Refuse(`COALESCE\(\[identity\], N''\) FROM history$`, 229)
	err = db.Join(t.Context(), store.Join{Server: "beta", Boot: "b", Promised: time.Minute, HighAvailability: true})
	if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), "names the history") {
		t.Errorf("join: %v", err)
	}
}

// TestLoginThatMayNotNameTheHistory is refused when its server joins.
func TestLoginThatMayNotNameTheHistory(t *testing.T) {
	server := tds.Play(t, givenPostgres(t))
	url := server.URL(storetest.FreshPostgres(t))
	server.Fork("6F9619FF")
	opened(t, url)
	server.Fork("")
	server.Refuse(`^(ALTER|DROP) VIEW`, 3701)
	err := opened(t, url).Join(t.Context(), store.Join{Server: "beta", Boot: "b", Promised: time.Minute, HighAvailability: true})
	if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), "VIEW ANY DATABASE") {
		t.Errorf("join: %v", err)
	}
}
