package store

import (
	"fmt"
	"testing"
)

// TestMariaDBReadsWhatIsBusy counts the backlog, and lists what is parked, beside
// many links at rest, which every index lists there: each connector costs a few
// jumps, and each link that is counted its own entry.
func TestMariaDBReadsWhatIsBusy(t *testing.T) {
	db := open(t, freshMariaDB(t))
	db.engine.Read.SetMaxOpenConns(1) // whose readings are counted
	const connectors, links, due, parked = 500, 40, 9, 3
	run(t, db, `INSERT INTO connector (name, version, polling, tolerance, failback, send_window, settle, changed_at)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT CONCAT('c', i), 1, 1, 3, 'manual', 1, 1, 1 FROM n`, connectors)
	run(t, db, `INSERT INTO alert (id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body, accepted_at, changed_at,
			accepted_by, previous, generation, behind)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		SELECT CONCAT('00000000-0000-4000-8000-', LPAD(i, 12, '0')), 's', i, i, 'open', 1, 1, 0, 0, '{}', i, i, '', NULL, 1, NULL FROM n`, links)
	run(t, db, `INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
			attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until, evidence,
			not_before, created_at, changed_at, delivered_at)
		SELECT a.id, c.name, 'remote', 'settled', 'T', '', '', '', 1, 0, 0, '', '', '', 1, 0, '', NULL, 0, 0, 0, '', 0, 1, 1, 1
		FROM alert a, connector c`)
	run(t, db, "ANALYZE TABLE link, connector, alert")
	touch := func(set string, n int) {
		run(t, db, fmt.Sprintf("UPDATE link SET %s WHERE connector = 'c7' AND alert_id < '00000000-0000-4000-8000-%012d'", set, n+1))
	}
	touch("parked = 'refused'", parked)
	none := entriesRead(t, db, func() {
		got, err := db.Backlog(t.Context())
		if want := (Backlog{Parked: parked}); err != nil || len(got) != 1 || got["c7"] != want {
			t.Fatalf("the backlog is %+v: %v", got, err)
		}
	})
	touch("due_at = 1000000", due)
	touch("claim_id = 'e0000000-0000-4000-8000-000000000000'", 1)
	some := entriesRead(t, db, func() {
		got, err := db.Backlog(t.Context())
		if b := got["c7"]; err != nil || len(got) != 1 || b.Due != due || b.Claimed != 1 || b.Parked != parked || b.OldestDue <= 0 {
			t.Fatalf("the backlog is %+v: %v", got, err)
		}
	})
	desk := entriesRead(t, db, func() {
		if list, err := db.Parked(t.Context(), ParkedQuery{Limit: 2}); err != nil || len(list) != 2 {
			t.Fatalf("%d links are parked: %v", len(list), err)
		}
	})
	page := entriesRead(t, db, func() {
		if list, err := db.SearchAlerts(t.Context(), AlertQuery{Parked: true}); err != nil || len(list.Rows) != parked {
			t.Fatalf("%d alerts have a parked link: %v", len(list.Rows), err)
		}
	})
	// Two jumps for what is due, two for what is claimed, one for what is parked.
	if most := int64(connectors * 8); none > most || some > most+200 || desk > most || page > most+parked*connectors {
		t.Errorf("of %d links, %d entries are read to find nothing due, %d to find some, %d for the desk, %d for a list",
			connectors*links, none, some, desk, page)
	}
}

// entriesRead is how many entries of indexes and rows of tables something reads.
func entriesRead(t *testing.T, db *DB, read func()) (n int64) {
	t.Helper()
	count := func() (n int64) {
		err := db.engine.Read.QueryRowContext(t.Context(), `SELECT SUM(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS
			WHERE VARIABLE_NAME IN ('HANDLER_READ_KEY', 'HANDLER_READ_NEXT', 'HANDLER_READ_PREV', 'HANDLER_READ_FIRST', 'HANDLER_READ_LAST', 'HANDLER_READ_RND_NEXT')`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	read()
	return count() - before
}
