package storetest

import (
	"context"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/store/sqlserver"
)

// SQLServerDSN is the environment variable that says where tests find a SQL
// Server, by the URL of a login that may create databases:
// "sqlserver://sa:password@host:1433?database=master&encrypt=disable".
const SQLServerDSN = "TIELINE_TEST_SQLSERVER_DSN"

// HasSQLServer reports whether there is a SQL Server to test on. None can be
// installed where this project is built; the test command says that its suites
// are not run.
func HasSQLServer() bool { return os.Getenv(SQLServerDSN) != "" }

// FreshSQLServer makes an empty database and returns its URL. Ask for it only
// where HasSQLServer.
func FreshSQLServer(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(SQLServerDSN)
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("%s is no URL", SQLServerDSN)
	}
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := onSQLServer(server, "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// It goes also while a connection is left; not every server can say that.
		_ = onSQLServer(server, "ALTER DATABASE "+name+" SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
		err := onSQLServer(server, "DROP DATABASE "+name)
		for tries := 1; err != nil && tries < 20; tries++ {
			time.Sleep(500 * time.Millisecond) // a session that was closed may take a while to end
			err = onSQLServer(server, "DROP DATABASE "+name)
		}
		if err != nil {
			tb.Error(err)
		}
	})
	q := u.Query()
	q.Set("database", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func onSQLServer(url, statement string) error {
	db, err := sqlserver.OpenDB(url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement) // also after the test's own context has ended
	return err
}

var (
	reservedName = regexp.MustCompile(`\bidentity\b`)
	limited      = regexp.MustCompile(`LIMIT (\d+)`)
)

// said is a statement of the suite's own as the engine understands it. What the
// store itself says is never changed so.
func (f *fixture) said(text string) string {
	if f.db.Engine() != "sqlserver" {
		return text
	}
	text = reservedName.ReplaceAllString(text, "[identity]")
	return limited.ReplaceAllString(text, "OFFSET 0 ROWS FETCH NEXT $1 ROWS ONLY")
}
