package storetest

import (
	"os"
	"regexp"
	"testing"

	"tieline/internal/storetest/tds"
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
	return tds.Given(tb, os.Getenv(SQLServerDSN))
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
