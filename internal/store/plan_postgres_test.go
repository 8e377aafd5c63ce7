package store

import (
	"testing"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// TestNoPlanReadsTheWholeTable records outcomes beside many links that the
// planner has no statistics of, as after the first storm of alerts, and with a
// plan that was made for an empty table.
func TestNoPlanReadsTheWholeTable(t *testing.T) {
	db := open(t, freshPostgres(t))
	addConnector(t, db, "desk")
	run(t, db, "ALTER TABLE link SET (autovacuum_enabled = off)")
	db.engine.Write.SetMaxOpenConns(1) // one connection keeps one plan
	term := ha.Term{Connector: "desk", Server: "north", Epoch: 1}
	claim := uuid.New()
	for range 10 {
		recordClaimed(t, db, term, claim, 5) // after five times a plan is kept
	}
	const links, batch = 5000, 500
	run(t, db, `INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
		attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until, evidence,
		not_before, created_at, changed_at, delivered_at)
		SELECT gen_random_uuid(), 'desk', 'remote', 'fresh', '', '', '', '', 0, 0, 0, '', '', '', 1, 0, '', NULL, 0, 0, 0, '', 0, 1, 1, 0
		FROM generate_series(1, $1)`, links)
	before := rowsScanned(t, db)
	recordClaimed(t, db, term, claim, batch)
	if read := rowsScanned(t, db) - before; read > 0 {
		t.Errorf("%d links were read by scans of the table while %d outcomes were recorded, want 0", read, batch)
	}
}

// recordClaimed makes links that are claimed and records what became of them.
func recordClaimed(t *testing.T, db *DB, term ha.Term, claim uuid.UUID, links int) {
	t.Helper()
	entries := make([]forward.Entry, links)
	for i := range entries {
		id := alert.NewID()
		run(t, db, `INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
			attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until, evidence,
			not_before, created_at, changed_at, delivered_at)
			VALUES ($1, $2, 'remote', 'fresh', '', '', '', '', 0, 0, 0, '', '', '', 1, 0, '', $3, 1, 0, 0, '', 0, 1, 1, 0)`, id, term.Connector, claim)
		entries[i].Outcome = alert.Outcome{
			LinkID: alert.LinkID{Alert: id, Connector: term.Connector, Side: alert.Remote}, Claim: claim,
			Progress: alert.Progress{Stage: alert.Settled, Ticket: "1", Delivered: 1},
		}
	}
	answers, err := db.Record(t.Context(), term, entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a != alert.Mine {
			t.Fatalf("recorded as %v, want the claim to stand", a)
		}
	}
}

// rowsScanned is how many links were read by scans of their table so far.
func rowsScanned(t *testing.T, db *DB) (n int64) {
	t.Helper()
	run(t, db, "SELECT pg_stat_force_next_flush()")
	run(t, db, "SELECT pg_stat_clear_snapshot()")
	if err := db.engine.Read.QueryRowContext(t.Context(), "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'link'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
