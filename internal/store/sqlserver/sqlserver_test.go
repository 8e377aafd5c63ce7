package sqlserver_test

import (
	"testing"

	"tieline/internal/storetest"
)

func TestConformance(t *testing.T) {
	if !storetest.HasSQLServer() {
		t.Skip("NOT RUN: " + storetest.SQLServerDSN + " names no SQL Server, and none can be installed here")
	}
	storetest.Run(t, func(t *testing.T) string { return storetest.FreshSQLServer(t) })
}
