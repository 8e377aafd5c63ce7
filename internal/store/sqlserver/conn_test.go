package sqlserver

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	mssql "github.com/microsoft/go-mssqldb"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
)

// generous is longer than any load of the machine explains.
const generous = 60 * time.Second

func pool(t *testing.T, f *fake, more string) *sql.DB {
	t.Helper()
	db, err := OpenDB(f.url(more))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestConnectionIsSetUpOnceAndNeverReset(t *testing.T) {
	f := newFake(t, func(request) reply { return row(int64(7)) })
	db := pool(t, f, "")
	db.SetMaxOpenConns(1)
	for range 3 {
		var n int64
		if err := db.QueryRowContext(t.Context(), "SELECT $1", "x").Scan(&n); err != nil || n != 7 {
			t.Fatalf("answer %d: %v", n, err)
		}
	}
	said := f.said()
	if len(said) != 4 || said[0].Text != needs+"\n"+workWishes {
		t.Fatalf("the server heard %d requests, first %q", len(said), said[0].Text)
	}
	for _, r := range said[1:] {
		if r.Reset || r.Attention || r.Text != "SELECT @p1" || r.Params != "@p1 nvarchar(1)" {
			t.Errorf("request %+v", r)
		}
	}
}

func TestTypesOfParameters(t *testing.T) {
	f := newFake(t, func(request) reply { return row(int64(1)) })
	db := pool(t, f, "")
	id := uuid.New()
	_, err := db.ExecContext(t.Context(), "UPDATE link SET a = $1, b = $2, c = $3, d = $4, e = $5, f = $6, g = $7, h = $8",
		id, uuid.NullUUID{UUID: id, Valid: true}, uuid.NullUUID{}, int64(1), 2, true, mssql.NVarCharMax("[]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	said := f.said()
	want := "@p1 varchar(36),@p2 varchar(36),@p3 nvarchar(4000),@p4 bigint,@p5 bigint,@p6 bit,@p7 nvarchar(max),@p8 nvarchar(4000)"
	if got := said[len(said)-1].Params; got != want {
		t.Errorf("types %q, want %q", got, want)
	}
}

// TestAnswerIsReadToItsEnd: what is told behind the row that was wanted counts,
// and nothing is cancelled that may still be at work.
func TestAnswerIsReadToItsEnd(t *testing.T) {
	f := newFake(t, func(r request) reply {
		a := row(int64(1))
		if strings.Contains(r.Text, "fails") {
			a.rows = append(a.rows, []any{int64(2)}, []any{int64(3)})
			a.fail = &failure{number: 2627, class: 14, text: "Violation of PRIMARY KEY constraint"}
		}
		return a
	})
	db := pool(t, f, "")
	for range 50 {
		var n int64
		if err := db.QueryRowContext(t.Context(), "SELECT 1 -- ok\n").Scan(&n); err != nil {
			t.Fatal(err)
		}
		err := db.QueryRowContext(t.Context(), "SELECT 1 -- fails\n").Scan(&n)
		if classify(err) != engine.Duplicate {
			t.Fatalf("the error behind the row is lost: %v", err)
		}
	}
	for _, r := range f.said() {
		if r.Attention {
			t.Fatal("a statement was cancelled that nobody gave up")
		}
	}
}

func TestSilentServerIsGivenUp(t *testing.T) {
	f := newFake(t, func(r request) reply { return reply{mute: strings.Contains(r.Text, "silence")} })
	db := pool(t, f, "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, "UPDATE silence SET a = 1")
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) && classify(err) != engine.Unreachable {
			t.Errorf("error %v", err)
		}
	case <-time.After(generous):
		t.Fatal("a server that says nothing is waited for")
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE speech SET a = 1"); err != nil {
		t.Errorf("the next statement: %v", err)
	}
}

func TestLoginThatIsNotAnswered(t *testing.T) {
	f := newFake(t, func(request) reply { return reply{} })
	f.mu.Lock()
	f.silent = true
	f.mu.Unlock()
	_, err := Open(t.Context(), f.url("&connection+timeout=1"), engine.Options{Log: slog.New(slog.DiscardHandler)})
	if fault.KindOf(err) != fault.Unavailable || classify(err) != engine.Unreachable {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(fault.Message(err), "took the connection and says nothing") {
		t.Errorf("the cause is not told: %s", fault.Message(err))
	}
	if strings.Contains(err.Error()+fault.Message(err), "hush") {
		t.Errorf("the password is in %v", err)
	}
}

func TestLoginThatIsRefused(t *testing.T) {
	f := newFake(t, func(request) reply { return reply{} })
	for number, next := range map[int32]string{18456: "check user and password", 4060: "db_owner"} {
		f.mu.Lock()
		f.refuse = &failure{number: number, class: 14, text: "no"}
		f.mu.Unlock()
		_, err := Open(t.Context(), f.url(""), engine.Options{Log: slog.New(slog.DiscardHandler)})
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), next) {
			t.Errorf("%d: %v", number, fault.Message(err))
		}
	}
}

// TestServerIsJudgedByWhatItCan: not every server that says it is of 2014 is; one
// that knows no OPENJSON is refused with what to do.
func TestServerIsJudgedByWhatItCan(t *testing.T) {
	for _, c := range []struct {
		name    string
		level   int64
		json    bool
		looks   bool // the settings may be looked at
		refused string
	}{
		{"by its level only", 120, true, true, ""},
		{"that shows no settings", 0, true, false, ""},
		{"at a low level", 120, false, true, "COMPATIBILITY_LEVEL = 140"},
		{"that is too old", 140, false, true, "SQL Server 2017"},
	} {
		f := newFake(t, func(r request) reply {
			switch {
			case strings.Contains(r.Text, "OPENJSON") && !c.json:
				return reply{fail: &failure{number: 208, class: 16, text: "Invalid object name 'OPENJSON'."}}
			case strings.Contains(r.Text, "sys.databases") && !c.looks:
				return reply{fail: &failure{number: 297, class: 16, text: "The user does not have permission."}}
			case strings.Contains(r.Text, "sys.databases"):
				return row(int64(0), int64(0), c.level)
			case strings.Contains(r.Text, "encrypt_option"):
				return row("FALSE")
			case strings.Contains(r.Text, "FOR JSON"):
				return row("[]")
			}
			return row(int64(1))
		})
		e, err := Open(t.Context(), f.url(""), engine.Options{Log: slog.New(slog.DiscardHandler)})
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("a server %s: %v", c.name, err)
		case c.refused != "" && (fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), c.refused)):
			t.Errorf("a server %s: %v", c.name, err)
		}
		if err == nil {
			_ = e.Close()
		}
	}
}

// TestSettingThatIsNotKnown: a wish that the server refuses costs no connection;
// what is needed does.
func TestSettingThatIsNotKnown(t *testing.T) {
	for _, unknown := range []string{"DEADLOCK_PRIORITY", "ARITHABORT", "LOCK_TIMEOUT", "XACT_ABORT"} {
		f := newFake(t, func(r request) reply {
			if strings.Contains(r.Text, unknown) {
				return reply{fail: &failure{number: untranslated, class: 16, text: "SET option is not supported"}}
			}
			return row(int64(1))
		})
		c, err := Config(f.url(""))
		if err != nil {
			t.Fatal(err)
		}
		l, err := newCoordinator(newConnector(c), nil, true, slog.New(slog.DiscardHandler)).line(t.Context(), "test")
		if needed := unknown == "XACT_ABORT"; (err != nil) != needed {
			t.Errorf("without %s: %v", unknown, err)
		}
		if err == nil {
			l.close()
		}
	}
}

// TestTransactionOfUnknownStateIsGivenUp: a connection whose transaction was
// begun or ended with an error is not used again, as nothing resets it.
func TestTransactionOfUnknownStateIsGivenUp(t *testing.T) {
	for _, broken := range []string{"BEGIN", "COMMIT", "ROLLBACK"} {
		f := newFake(t, func(r request) reply {
			if r.Text == broken {
				return reply{fail: &failure{number: 1222, class: 16, text: "no"}}
			}
			return row(int64(1))
		})
		db := pool(t, f, "")
		tx, err := db.BeginTx(t.Context(), nil)
		switch broken {
		case "COMMIT":
			err = tx.Commit()
		case "ROLLBACK":
			err = tx.Rollback()
		}
		if err == nil {
			t.Errorf("%s: no error", broken)
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE next SET a = 1"); err != nil {
			t.Errorf("after %s: %v", broken, err)
		}
		said := f.said()
		if last := said[len(said)-1]; last.Conn != 2 {
			t.Errorf("after %s: connection %d is used", broken, last.Conn)
		}
	}
}
