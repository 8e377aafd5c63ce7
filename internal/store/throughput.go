package store

import (
	"context"
	"database/sql"
	"time"

	"tieline/internal/store/engine"
)

// throughputTime is how long a server's count of the last minute is believed
// after it was written: a server that ended writes no more.
const throughputTime = 75 * time.Second

var throughputInput = []engine.Column{
	{Name: "connector", Type: engine.Text}, {Name: "server", Type: engine.Text}, {Name: "delivered", Type: engine.Int},
}

const throughputInto = `
INSERT INTO throughput (connector, server, delivered, at)`

const throughputText = `
SELECT connector, server, delivered, (SELECT now FROM clock) FROM input`

// SaveThroughput replaces what a server tells of its connectors: how many
// tickets it wrote in the last minute. Connectors without any are left out.
func (db *DB) SaveThroughput(ctx context.Context, server string, delivered map[string]int64) error {
	rows := make([][]any, 0, len(delivered))
	for connector, n := range delivered {
		rows = append(rows, []any{connector, server, n})
	}
	err := db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM throughput WHERE server = $1", server); err != nil {
			return err
		}
		_, err := db.batch(ctx, tx, db.statements.throughput, rows)
		return err
	})
	return db.explain(err, "tell what was delivered")
}

// Throughput returns how many tickets were written for each connector in the
// last minute, as its servers told within seconds; none are left out.
func (db *DB) Throughput(ctx context.Context) (map[string]int64, error) {
	all := map[string]int64{}
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var connector string
		var n int64
		err := rows.Scan(&connector, &n)
		all[connector] = n
		return err
	}, `SELECT t.connector, sum(t.delivered) FROM throughput t CROSS JOIN clock k WHERE t.at > k.now - $1 GROUP BY t.connector`,
		throughputTime.Microseconds())
	return all, db.explain(err, "read what was delivered")
}
