package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"tieline/internal/store/mysql"
)

// onMariaDB runs a statement of the benchmark's own on a fresh connection.
func onMariaDB(ctx context.Context, url, statement string) error {
	db, err := mysql.OpenRaw(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// bareInsertsMariaDB is bareInserts by multi-row VALUES lists.
func bareInsertsMariaDB(ctx context.Context, url string, alerts, connections int) (float64, error) {
	db, err := mysql.OpenRaw(ctx, url)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	const schema = `
DROP TABLE IF EXISTS bare_alert, bare_link;
CREATE TABLE bare_alert LIKE alert;
CREATE TABLE bare_link LIKE link;`
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return 0, fmt.Errorf("make bare tables: %w", err)
	}
	return inBatches(alerts, connections, func(first, count int) error { return insertBareMariaDB(ctx, db, first, count) })
}

// insertBareMariaDB inserts the rows in the order of their keys, as they come.
func insertBareMariaDB(ctx context.Context, db *sql.DB, first, count int) error {
	const alertRow = "($%d, 'bench', $%d, $%d, 'open', 1, 1, 0, 0, $%d, 1, 1, 's1', NULL, 1, 1)"
	const linkRow = "($%d, 'bench', 'remote', 'fresh', '', '', '', '', 0, 0, 0, '', '', '', 1, 0, '', NULL, 0, 0, 0, '', 1, 0, 1, 1, 0)"
	var alerts, links []string
	var args, ids []any
	for i := range count {
		o := observation(first + i)
		id := uuid.Must(uuid.NewV7()).String()
		n := len(args)
		alerts = append(alerts, fmt.Sprintf(alertRow, n+1, n+2, n+2, n+3))
		args = append(args, id, o.Key, bodyOf(o))
		ids = append(ids, id)
		links = append(links, fmt.Sprintf(linkRow, len(ids)))
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(ctx, `INSERT INTO bare_alert (id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body,
	accepted_at, changed_at, accepted_by, previous, generation, behind) VALUES `+strings.Join(alerts, ", "), args...)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO bare_link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
	attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until, evidence, due_at, not_before,
	created_at, changed_at, delivered_at) VALUES `+strings.Join(links, ", "), ids...)
	if err != nil {
		return err
	}
	return tx.Commit()
}
