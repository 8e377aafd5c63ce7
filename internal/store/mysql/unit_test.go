package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	mysql "github.com/go-sql-driver/mysql"
	"github.com/google/uuid"

	"tieline/internal/fault"
	"tieline/internal/store/coord"
	"tieline/internal/store/engine"
)

func TestConfig(t *testing.T) {
	for _, c := range []struct{ url, network, address, database, user, password string }{
		{"mysql://ann:s%20p%40ce@db.example/plant", "tcp", "db.example:3306", "plant", "ann", "s p@ce"},
		{"mariadb://ann@10.0.0.7:3307/plant?tls=skip-verify", "tcp", "10.0.0.7:3307", "plant", "ann", ""},
		{"mysql://ann@[::1]/plant", "tcp", "[::1]:3306", "plant", "ann", ""},
		{"mysql://ann@db1,db2:3307/plant", "tcp", "db1:3306,db2:3307", "plant", "ann", ""},
		{"mysql://ann@/plant?socket=/run/mysqld/mysqld.sock", "unix", "/run/mysqld/mysqld.sock", "plant", "ann", ""},
	} {
		got, err := Config(c.url)
		if err != nil {
			t.Fatalf("%s: %v", c.url, err)
		}
		if got.Net != c.network || got.Addr != c.address || got.DBName != c.database || got.User != c.user || got.Passwd != c.password {
			t.Errorf("%s became %s(%s)/%s of %s:%s", c.url, got.Net, got.Addr, got.DBName, got.User, got.Passwd)
		}
		if !got.ClientFoundRows || !got.InterpolateParams || !got.MultiStatements {
			t.Errorf("%s lacks what the statements rely on", c.url)
		}
	}
	if got, _ := Config("mariadb://ann@db/plant?tls=skip-verify&timeout=7s"); got.TLSConfig != "skip-verify" || got.Timeout != 7*time.Second {
		t.Errorf("the URL's own parameters are lost: %+v", got)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for _, url := range []string{
		"mysql://ann:hush@db", "mysql://db/plant", "mysql://ann:hush@/plant", "mysql://ann:hush@db:port/plant",
		"mysql://ann:hush@db/plant/more", "mysql://ann:hush@db1,,db2/plant", "mysql://ann:hush@db/plant?timeout=soon", "postgres://ann:hush@db/plant",
	} {
		_, err := Config(url)
		if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error()+fault.Message(err), "hush") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSupported(t *testing.T) {
	for _, c := range []struct {
		version string
		packet  int
		ok      bool
	}{
		{"10.11.6-MariaDB-0+deb12u1", 16 << 20, true}, {"11.4.2-MariaDB", 16 << 20, true}, {"5.5.5-10.11.6-MariaDB", 16 << 20, true},
		{"10.6.12-MariaDB", 16 << 20, false}, {"8.0.36", 64 << 20, true}, {"8.4.0", 64 << 20, true}, {"9.1.0", 64 << 20, true},
		{"8.0.18", 64 << 20, false}, {"5.7.44-log", 64 << 20, false}, {"8.0.36", 4 << 20, false},
	} {
		f := flavour{version: c.version, packet: c.packet, maria: strings.Contains(c.version, "MariaDB")}
		if err := f.supported(); (err == nil) != c.ok || err != nil && fault.KindOf(err) != fault.Refused {
			t.Errorf("%s with packets of %d: %v", c.version, c.packet, err)
		}
	}
}

// TestEncode lets another reader of JSON find what was written.
func TestEncode(t *testing.T) {
	id := uuid.New()
	rows := [][]any{{id, "a \"quoted\" \\ text\x00\x1f\n, ümlaut 🚀", int64(-7), nil}, {id, "not \xff text", int64(0), "x"}}
	text, n := encode(rows)
	var got [][]any
	if err := json.Unmarshal(text, &got); err != nil || n != 2 {
		t.Fatalf("%s: %v", text, err)
	}
	want := fmt.Sprint([][]any{{id.String(), rows[0][1], -7, nil}, {id.String(), "not \uFFFD text", 0, "x"}})
	if fmt.Sprint(got) != want {
		t.Errorf("read %v, want %v", got, want)
	}
	large := strings.Repeat("x", batchBytes)
	if text, n := encode([][]any{{large}, {large}, {large}}); n != 1 || !json.Valid(text) {
		t.Errorf("one large row and %d more are one statement", n-1)
	}
}

func TestClassify(t *testing.T) {
	for err, want := range map[error]engine.Class{
		&mysql.MySQLError{Number: 1213}: engine.Busy, &mysql.MySQLError{Number: 1205}: engine.Busy,
		&mysql.MySQLError{Number: 1062}: engine.Duplicate, &mysql.MySQLError{Number: 1406}: engine.BadRow,
		&mysql.MySQLError{Number: 1290}: engine.ReadOnly, &mysql.MySQLError{Number: 1927}: engine.Unreachable,
		&mysql.MySQLError{Number: 1064}: engine.Other, mysql.ErrInvalidConn: engine.Unreachable, mysql.ErrPktTooLarge: engine.BadRow,
	} {
		if got := classify(fmt.Errorf("wrapped: %w", err)); got != want {
			t.Errorf("%v is %d, not %d", err, got, want)
		}
	}
}

// TestSeveralHosts names one where nothing listens, and then the server: every
// connection finds it, and people are told of both.
func TestSeveralHosts(t *testing.T) {
	away, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := away.Addr().String()
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	there := u.Host
	u.Host = address + "," + there
	e, err := Open(t.Context(), u.String(), engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if want := "mysql://" + address + "," + there + u.Path; e.Where != want {
		t.Errorf("it is said to be at %s, not %s", e.Where, want)
	}
	s, err := e.Coordination.Open(t.Context(), "north", "boot")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	u.Host = address + "," + address
	if _, err := Open(t.Context(), u.String(), engine.Options{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("with no host there: %v", err)
	}
}

// TestSilentHosts has hosts that take connections and say nothing before the one
// that answers: they keep nobody waiting, and are not asked again.
func TestSilentHosts(t *testing.T) {
	c, err := Config(server(t))
	if err != nil {
		t.Fatal(err)
	}
	silent := make([]string, 3)
	for i := range silent {
		l, err := net.Listen("tcp", "127.0.0.1:0") // the system completes what nobody accepts
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		silent[i] = l.Addr().String()
	}
	there, real := c.Addr, c.DialFunc
	var mu sync.Mutex
	var dialled []string
	c.Addr = strings.Join(append(silent, there), ",")
	c.Timeout = time.Minute // waited for one after the other, the test would not end
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		dialled = append(dialled, address)
		return real(ctx, network, address)
	}
	f, err := findFlavour(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	made, err := newConnector(c, f, working)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if i == 1 {
			mu.Lock()
			dialled = nil
			mu.Unlock()
		}
		conn, err := made.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if dialled[0] != there {
		t.Errorf("dialled %v, beginning not with %s, which answered last", dialled, there)
	}
}

// TestASilentHostAloneIsGivenUp: also where nobody waits with a limit of their own.
func TestASilentHostAloneIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(t.Context(), "mysql://ann:hush@"+l.Addr().String()+"/plant?timeout=100ms", engine.Options{})
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "did not complete the login") || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
	if class := classify(err); class != engine.Unreachable {
		t.Errorf("it is of class %d", class)
	}
}

// endsMeanwhile is a context that ends when the driver has looked at it: between
// the server's answer and whoever waits for it.
type endsMeanwhile struct {
	context.Context
	looked bool
}

func (*endsMeanwhile) Done() <-chan struct{} { return nil }

func (c *endsMeanwhile) Err() error {
	if !c.looked {
		c.looked = true
		return nil
	}
	return context.DeadlineExceeded
}

// TestAFailedRequestIsUndoneWhenItsTimeIsOver has the context end just as a
// statement of a transaction failed: the next one must not commit what it did.
func TestAFailedRequestIsUndoneWhenItsTimeIsOver(t *testing.T) {
	c, db := coordinator(t, nil)
	table := "undone_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE "+table+" (n int PRIMARY KEY) ENGINE = InnoDB"); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = db.ExecContext(context.WithoutCancel(t.Context()), "DROP TABLE "+table) }()
	opened, err := c.Open(t.Context(), "north", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	s := opened.(*session)
	var n int
	insert := "INSERT INTO " + table + " VALUES (1); "
	err = s.ask(&endsMeanwhile{Context: t.Context()}, "START TRANSACTION; "+insert+insert+"COMMIT; SELECT 1", nil, &n)
	if classify(err) != engine.Duplicate {
		t.Fatalf("a row that is there twice: %v", err)
	}
	if err := s.ask(t.Context(), "START TRANSACTION; COMMIT; SELECT 1", nil, &n); err != nil {
		t.Errorf("the session cannot go on: %v", err)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows of a request that failed were committed: %v", n, err)
	}
}

// server is where the tests find a MariaDB server.
func server(t *testing.T) string {
	t.Helper()
	url := os.Getenv("TIELINE_TEST_MARIADB_URL")
	if url == "" {
		t.Fatal("TIELINE_TEST_MARIADB_URL is not set: these tests need a MariaDB server, which the test command starts")
	}
	return url
}

// coordinator opens the server's own database as Open does, with no schema.
func coordinator(t *testing.T, change func(*mysql.Config)) (*Coordinator, *sql.DB) {
	t.Helper()
	c, err := Config(server(t))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(c)
	}
	f, err := findFlavour(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	connector, err := newConnector(c, f, working)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return NewCoordinator(c, f, db, slog.New(slog.DiscardHandler)), db
}

func TestASessionIsSetUp(t *testing.T) {
	_, db := coordinator(t, nil)
	for expression, want := range map[string]string{
		"@@tx_isolation": "READ-COMMITTED", "@@autocommit": "1", "@@time_zone": "+00:00", "@@innodb_lock_wait_timeout": "5",
		"@@idle_transaction_timeout": "2", "@@collation_connection": "utf8mb4_nopad_bin",
		"$1 = 'a '": "0", "$1 = 'A'": "0", "CAST($1 AS CHAR) = 'a'": "1",
	} {
		var got string
		args := []any{"a"}
		if !strings.Contains(expression, "$1") {
			args = nil
		}
		if err := db.QueryRowContext(t.Context(), "SELECT "+expression, args...).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, not %q: %v", expression, got, want, err)
		}
	}
}

// TestTheProofSeesSharedLocks asks one session twice, which is granted its own
// lock again: as a node does that knows nothing of another node's locks.
func TestTheProofSeesSharedLocks(t *testing.T) {
	c, _ := coordinator(t, nil)
	if _, err := c.prove(t.Context()); err != nil {
		t.Errorf("a single server: %v", err)
	}
	holder, err := c.connect(t.Context(), coordinating)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := c.proven(t.Context(), []*line{holder, holder}, coord.NewPresence()); fault.KindOf(err) != fault.Refused {
		t.Errorf("a lock that is granted twice: %v", err)
	}
}

// TestFrozenTransactionsAreEnded is what MySQL needs; MariaDB can show it where
// its own limit is off, as it is on connections past the store.
func TestFrozenTransactionsAreEnded(t *testing.T) {
	c, db := coordinator(t, nil)
	raw, err := OpenRaw(t.Context(), server(t))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	table := "frozen_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE "+table+" (n int PRIMARY KEY) ENGINE = InnoDB"); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = db.ExecContext(context.WithoutCancel(t.Context()), "DROP TABLE "+table) }()
	tx, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		if err := c.endFrozen(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		var n int
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p "+
			"ON p.ID = t.trx_mysql_thread_id WHERE p.DB = DATABASE() AND t.trx_tables_locked > 0").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a frozen transaction lives on")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := tx.Commit(); err == nil {
		t.Error("the frozen transaction was committed after all")
	}
}

// TestUpdatesLookForTheirRowsApart: MySQL merges a table that was looked for into
// the update, unless it has a LIMIT, and then refuses to select from what it updates.
func TestUpdatesLookForTheirRowsApart(t *testing.T) {
	for name, text := range map[string]string{"claim": claim, "heartbeat": beatQuery} {
		begun := strings.Split(text, "UPDATE (")[1:]
		if len(begun) == 0 {
			t.Errorf("%s looks for nothing", name)
		}
		for _, rest := range begun {
			looked, _, ended := strings.Cut(rest, ") AS ")
			for ended && strings.Count(looked, "(") != strings.Count(looked, ")") {
				var more string
				_, rest, _ = strings.Cut(rest, ") AS ")
				more, _, ended = strings.Cut(rest, ") AS ")
				looked += ") AS " + more
			}
			if !strings.Contains(looked, "LIMIT") {
				t.Errorf("%s looks for rows that MySQL merges into the update:\n%s", name, looked)
			}
		}
	}
}
