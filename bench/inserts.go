package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// bareInserts measures the limit for intake: how fast the same rows (an alert
// and its link each) go into the same tables' shape by multi-row inserts alone,
// in batches of 500 on some connections, one commit per batch. It returns
// alerts per second.
func bareInserts(ctx context.Context, url string, alerts, connections int) (float64, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	const schema = `
DROP TABLE IF EXISTS bare_alert, bare_link;
CREATE TABLE bare_alert (LIKE alert INCLUDING ALL);
CREATE TABLE bare_link (LIKE link INCLUDING ALL);`
	if _, err := pool.Exec(ctx, schema); err != nil {
		return 0, fmt.Errorf("make bare tables: %w", err)
	}
	return inBatches(alerts, connections, func(first, count int) error { return insertBare(ctx, pool, first, count) })
}

// inBatches inserts alerts, 500 to a commit, on some connections at once, and
// returns how many a second.
func inBatches(alerts, connections int, insert func(first, count int) error) (float64, error) {
	const batch = 500
	began := time.Now()
	failed := make(chan error, connections)
	for c := range connections {
		go func() {
			for n := c * batch; n < alerts; n += connections * batch {
				if err := insert(n, batch); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range connections {
		if err := <-failed; err != nil {
			return 0, err
		}
	}
	return float64(alerts) / time.Since(began).Seconds(), nil
}

func insertBare(ctx context.Context, pool *pgxpool.Pool, first, count int) error {
	keys, bodies := make([]string, count), make([]string, count)
	for i := range count {
		o := observation(first + i)
		keys[i], bodies[i] = o.Key, bodyOf(o)
	}
	const statement = `
WITH rows AS (
    SELECT gen_random_uuid() AS id, k, b FROM unnest($1::text[], $2::text[]) AS t (k, b)
), alerts AS (
    INSERT INTO bare_alert (id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body,
        accepted_at, changed_at, accepted_by, generation, behind)
    SELECT id, 'bench', k, k, 'open', 1, 1, 0, 0, b, 1, 1, 's1', 1, 1 FROM rows
)
INSERT INTO bare_link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered, attempts,
    failure, parked, skipped, wanted, notes_wanted, heard, claim_epoch, hold_epoch, hold_until, evidence, due_at, not_before,
    created_at, changed_at, delivered_at)
SELECT id, 'bench', 'remote', 'fresh', '', '', '', '', 0, 0, 0, '', '', '', 1, 0, '', 0, 0, 0, '', 1, 0, 1, 1, 0 FROM rows`
	_, err := pool.Exec(ctx, statement, keys, bodies)
	return err
}
