package sqlserver_test

import (
	"os"
	"testing"

	"tieline/internal/storetest"
	"tieline/internal/storetest/tds"
)

const notRun = "NOT RUN: " + storetest.SQLServerDSN + " names no SQL Server, and none can be installed here"

func TestConformance(t *testing.T) {
	if !storetest.HasSQLServer() {
		t.Skip(notRun)
	}
	storetest.Run(t, func(t *testing.T) string { return storetest.FreshSQLServer(t) })
}

// TestConformanceByVersions runs the same where readers see row versions.
func TestConformanceByVersions(t *testing.T) {
	if !storetest.HasSQLServer() {
		t.Skip(notRun)
	}
	const byVersions = "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON"
	if !tds.Takes(t, storetest.FreshSQLServer(t), byVersions) {
		t.Skip("NOT RUN: the server has no READ_COMMITTED_SNAPSHOT")
	}
	storetest.Run(t, func(t *testing.T) string {
		url := storetest.FreshSQLServer(t)
		if !tds.Takes(t, url, byVersions) {
			t.Fatal("READ_COMMITTED_SNAPSHOT was taken before, and is not now")
		}
		return url
	})
}

// TestConformanceByCollation: whatever the database's own collation says, texts are
// compared by their code points. Not every server has each of them.
func TestConformanceByCollation(t *testing.T) {
	if !storetest.HasSQLServer() {
		t.Skip(notRun)
	}
	for _, collation := range []string{
		"Latin1_General_CI_AS", "SQL_Latin1_General_CP1_CI_AS", "Latin1_General_100_CS_AS", "Latin1_General_100_BIN2",
		"Turkish_100_CI_AI", "Latin1_General_100_CI_AS_SC_UTF8",
	} {
		t.Run(collation, func(t *testing.T) {
			server := os.Getenv(storetest.SQLServerDSN)
			if !tds.Collates(t, server, collation) {
				t.Skip("NOT RUN: the server makes no database of this collation")
			}
			storetest.RunOwn(t, func(t *testing.T) string { return tds.Given(t, server, "COLLATE "+collation) })
		})
	}
}
