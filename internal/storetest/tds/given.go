package tds

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	mssql "github.com/microsoft/go-mssqldb"
)

// Patience with a server that somebody else runs, which may be far away or busy.
const (
	making       = time.Minute
	dropping     = 30 * time.Second
	betweenDrops = 500 * time.Millisecond
)

// Given makes an empty database on a SQL Server that is none of the tests' own, by
// the URL of a login that may create databases, and returns its URL; it is dropped
// when the test ends. options follow its name: "COLLATE Turkish_CI_AS". What cannot
// be made fails the test, and is told from a failure of what is tested.
func Given(tb testing.TB, server string, options ...string) string {
	tb.Helper()
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal("the URL of the SQL Server cannot be read")
	}
	name := databaseName()
	if err := tell(server, making, "CREATE DATABASE "+name+" "+strings.Join(options, " ")); err != nil {
		tb.Fatalf("a database for this test cannot be made (the login needs the right to create databases): %v", err)
	}
	tb.Cleanup(func() { drop(tb, server, name) })
	q := u.Query()
	q.Set("database", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// Takes reports whether the server carries a statement out, in the database of its
// URL; false is that it does not know it, or the login may not.
func Takes(tb testing.TB, url, statement string) bool {
	tb.Helper()
	err := tell(url, making, statement)
	var refused mssql.Error
	if err != nil && !errors.As(err, &refused) {
		tb.Fatalf("%s: %v", statement, err)
	}
	if err != nil {
		tb.Logf("the server does not take %s: %v", statement, err)
	}
	return err == nil
}

// Collates reports whether the server makes a database of that collation.
func Collates(tb testing.TB, server, collation string) bool {
	tb.Helper()
	name := databaseName()
	if !Takes(tb, server, "CREATE DATABASE "+name+" COLLATE "+collation) {
		return false
	}
	drop(tb, server, name)
	return true
}

func databaseName() string { return "tieline_test_" + strings.ReplaceAll(uuid.NewString(), "-", "") }

// drop removes a database also while a connection is left, where the server can.
func drop(tb testing.TB, server, name string) {
	_ = tell(server, dropping, "ALTER DATABASE "+name+" SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
	err := tell(server, dropping, "DROP DATABASE "+name)
	for end := time.Now().Add(dropping); err != nil && time.Now().Before(end); {
		time.Sleep(betweenDrops) // a session that was closed may take a while to end
		err = tell(server, dropping, "DROP DATABASE "+name)
	}
	if err != nil {
		tb.Errorf("the database %s of this test is left behind: %v", name, err)
	}
}

// tell runs a statement outside of a transaction, also after the test's own context
// has ended.
func tell(url string, limit time.Duration, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	db, err := sql.Open("sqlserver", url)
	if err != nil {
		return errors.New("the URL of the SQL Server cannot be used")
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
