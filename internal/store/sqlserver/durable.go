package sqlserver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// errThrowAway makes database/sql drop a connection.
var errThrowAway = driver.ErrBadConn

const (
	durableText = `SELECT CAST(d.delayed_durability AS bigint) FROM sys.databases AS d WHERE d.database_id = DB_ID()`

	// replicasText counts the secondary replicas that confirm no commit.
	replicasText = `SELECT CAST(COUNT(*) AS bigint) FROM sys.availability_replicas AS r
JOIN sys.databases AS d ON d.group_database_id IS NOT NULL AND d.database_id = DB_ID()
JOIN sys.availability_databases_cluster AS c ON c.group_database_id = d.group_database_id AND c.group_id = r.group_id
WHERE r.availability_mode = 0`
)

// durable reports settings under which a confirmed commit may be lost.
func durable(ctx context.Context, db *sql.DB, history historian) ([]string, error) {
	var found []string
	var delayed sql.NullInt64
	if err := db.QueryRowContext(ctx, durableText).Scan(&delayed); err != nil && !errors.Is(err, sql.ErrNoRows) && !refused(err) {
		return nil, err
	}
	if delayed.Int64 == 2 {
		found = append(found, "DELAYED_DURABILITY is FORCED: a crash may lose confirmed commits")
	}
	by, err := history.seen(ctx)
	if err != nil {
		return nil, err
	}
	if weak := history.weakness(ctx, by); weak != "" {
		found = append(found, weak)
	}
	var asynchronous int64
	// The catalog of availability groups is not there, or not open to us, on many
	// servers; what it would say is then unknown.
	err = db.QueryRowContext(ctx, replicasText).Scan(&asynchronous)
	if err == nil && asynchronous > 0 {
		found = append(found, fmt.Sprintf("%d replicas commit asynchronously: a forced failover to one may lose confirmed commits", asynchronous))
	}
	return found, ctx.Err()
}
