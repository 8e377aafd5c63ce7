package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/store"
)

// batch is how many alerts are stored in one transaction.
const batch = 500

// bareInserts measures the limit for intake: how fast the same rows (an alert
// and its link each) go into the same tables of a new database by multi-row
// inserts alone, in batches of 500 on some connections, one commit per batch. It
// returns alerts per second.
func bareInserts(ctx context.Context, env *Env, alerts, connections int) (float64, error) {
	url, err := env.Database(ctx)
	if err != nil {
		return 0, err
	}
	if _, _, err := store.Migrate(ctx, url, nil); err != nil {
		return 0, err
	}
	db, err := engines[env.Engine].open(ctx, url)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	insert := insertLists
	if env.Engine == "postgres" {
		insert = insertArrays
	}
	began := time.Now()
	failed := make(chan error, connections)
	for c := range connections {
		go func() {
			for n := c * batch; n < alerts; n += connections * batch {
				if err := insert(ctx, db, n); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range connections {
		if err := <-failed; err != nil {
			return 0, fmt.Errorf("bare inserts: %w", err)
		}
	}
	return float64(alerts) / time.Since(began).Seconds(), nil
}

// insertArrays inserts a batch by PostgreSQL's shortest way for many rows.
func insertArrays(ctx context.Context, db *sql.DB, first int) error {
	keys, bodies := make([]string, batch), make([]string, batch)
	for i := range batch {
		o := observation(first + i)
		keys[i], bodies[i] = o.Key, bodyOf(o)
	}
	const statement = `
WITH rows AS (
    SELECT gen_random_uuid() AS id, k, b FROM unnest($1::text[], $2::text[]) AS t (k, b)
), alerts AS (
    INSERT INTO alert (id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body,
        accepted_at, changed_at, accepted_by, generation, behind)
    SELECT id, 'bench', k, k, 'open', 1, 1, 0, 0, b, 1, 1, 's1', 1, 1 FROM rows
)
INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered, attempts,
    failure, parked, skipped, wanted, notes_wanted, heard, claim_epoch, hold_epoch, hold_until, evidence, due_at, not_before,
    created_at, changed_at, delivered_at)
SELECT id, 'bench', 'remote', 'fresh', '', '', '', '', 0, 0, 0, '', '', '', 1, 0, '', 0, 0, 0, '', 1, 0, 1, 1, 0 FROM rows`
	_, err := db.ExecContext(ctx, statement, keys, bodies)
	return err
}

// insertLists inserts a batch by lists of VALUES, in the order of the keys.
func insertLists(ctx context.Context, db *sql.DB, first int) error {
	const alertRow = "($%d, 'bench', $%d, $%d, 'open', 1, 1, 0, 0, $%d, 1, 1, 's1', NULL, 1, 1)"
	const linkRow = "($%d, 'bench', 'remote', 'fresh', '', '', '', '', 0, 0, 0, '', '', '', 1, 0, '', NULL, 0, 0, 0, '', 1, 0, 1, 1, 0)"
	var alerts, links []string
	var args, ids []any
	for i := range batch {
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
	_, err = tx.ExecContext(ctx, `INSERT INTO alert (id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body,
	accepted_at, changed_at, accepted_by, previous, generation, behind) VALUES `+strings.Join(alerts, ", "), args...)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
	attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until, evidence, due_at, not_before,
	created_at, changed_at, delivered_at) VALUES `+strings.Join(links, ", "), ids...)
	if err != nil {
		return err
	}
	return tx.Commit()
}
