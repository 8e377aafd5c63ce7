package main

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver to look into PostgreSQL with

	"tieline/internal/store/mysql"
	"tieline/internal/store/sqlite"
	"tieline/internal/store/sqlserver"
)

// engine is what differs between the databases that are measured.
type engine struct {
	script   string // of test/peers, that starts a server; "" = none can be started here
	setting  string // its tuning, with the engine's default durability
	variable string // in which the script tells the URL
	given    string // environment variable that names a server which somebody else runs

	open  func(ctx context.Context, url string) (*sql.DB, error)
	tidy  []string // lets the planner know the tables, and writes out what is dirty
	still []string // ends what the server does by itself, before its load is counted

	// tally counts what the server carried out, in units, of which a heartbeat is
	// each and a reading of the tally own; nil = the log of a file is looked at.
	tally func(ctx context.Context, db *sql.DB) (int64, error)
	unit  string
	each  int64
	own   int64
}

var engines = map[string]engine{
	"postgres": {
		script: "postgres.sh", setting: "PG_CONF=shared_buffers = 512MB\nmax_wal_size = 4GB", variable: "PG_URL=",
		open: openPostgres, tidy: []string{"VACUUM ANALYZE", "CHECKPOINT"},
		// The server's own vacuum counts its transactions in the same place.
		still: []string{"ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"},
		tally: tallyPostgres, unit: "transactions", each: 1, own: 2,
	},
	"mariadb": {
		script: "mariadb.sh", setting: "MARIADB_CONF=innodb_buffer_pool_size=512M\ninnodb_log_file_size=2G", variable: "MARIADB_URL=",
		open: mysql.OpenRaw, tidy: []string{"ANALYZE TABLE alert, link"},
		tally: tallyMySQL, unit: "statements", each: 4, own: 1,
	},
	"mysql": {
		given: "TIELINE_TEST_MYSQL_DSN",
		open:  mysql.OpenRaw, tidy: []string{"ANALYZE TABLE alert, link"},
		tally: tallyMySQL, unit: "statements", each: 4, own: 1,
	},
	"sqlserver": {
		given: "TIELINE_TEST_SQLSERVER_DSN",
		open:  func(_ context.Context, url string) (*sql.DB, error) { return sqlserver.OpenDB(url) },
		tidy:  []string{"UPDATE STATISTICS alert", "UPDATE STATISTICS link", "CHECKPOINT"},
		tally: tallySQLServer, unit: "requests", each: 1, own: 2,
	},
	"sqlite": {
		open: func(_ context.Context, url string) (*sql.DB, error) {
			return sql.Open("sqlite", sqlite.DSN(strings.TrimPrefix(url, "sqlite:")))
		},
		tidy: []string{"ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"}, unit: "commits", each: 1,
	},
}

func engineNames() []string { return slices.Sorted(maps.Keys(engines)) }

func openPostgres(_ context.Context, url string) (*sql.DB, error) { return sql.Open("pgx", url) }

// tallyPostgres counts the transactions that ended in the database.
func tallyPostgres(ctx context.Context, db *sql.DB) (n int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()").Scan(&n)
	return n, err
}

// tallyMySQL counts the server's statements that read or write. A heartbeat is
// one request of four: it writes the server's row, renews leases, writes
// reports, and reads the group.
func tallyMySQL(ctx context.Context, db *sql.DB) (n int64, err error) {
	rows, err := db.QueryContext(ctx, `SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_select', 'Com_insert', 'Com_insert_select',
		'Com_update', 'Com_update_multi', 'Com_delete', 'Com_delete_multi', 'Com_replace', 'Com_do')`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var value int64
		if err := rows.Scan(&name, &value); err != nil {
			return 0, err
		}
		n += value
	}
	return n, rows.Err()
}

// tallySQLServer counts the requests that the server answered.
func tallySQLServer(ctx context.Context, db *sql.DB) (n int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT cntr_value FROM sys.dm_os_performance_counters
		WHERE counter_name = 'Batch Requests/sec' AND object_name LIKE '%SQL Statistics%'`).Scan(&n)
	return n, err
}
