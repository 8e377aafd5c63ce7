package sqlserver

import "strings"

// linkNames are a link's columns in the store's order.
var linkNames = []string{
	"alert_id", "connector", "side", "stage", "ticket", "ticket_url", "twins", "told", "delivered", "notes_delivered",
	"attempts", "failure", "parked", "skipped", "wanted", "notes_wanted", "heard", "claim_id", "claim_epoch", "hold_epoch",
	"hold_until", "evidence", "due_at", "not_before", "created_at", "changed_at", "delivered_at",
}

// of lists columns of a table, or of what an update made of its rows ("inserted").
func of(table string, names []string) string {
	return table + "." + strings.Join(names, ", "+table+".")
}

var lockLinksText = `UPDATE link SET changed_at = link.changed_at
OUTPUT @now, ` + of("inserted", linkNames) + `
FROM input, link
WHERE link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = input.side
OPTION (FORCE ORDER, LOOP JOIN)`

const linkColumns = `alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
	attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until,
	evidence, due_at, not_before, created_at, changed_at, delivered_at`

// parked is bounded in the schema, as an index looks at it.
const (
	writeLinksText = `UPDATE link SET stage = input.stage, ticket = input.ticket, ticket_url = input.ticket_url, twins = input.twins,
	told = input.told, delivered = input.delivered, notes_delivered = input.notes_delivered, attempts = input.attempts,
	failure = input.failure, parked = LEFT(input.parked, 4000), skipped = input.skipped, wanted = input.wanted,
	notes_wanted = input.notes_wanted, heard = input.heard, claim_id = input.claim_id, claim_epoch = input.claim_epoch,
	hold_epoch = input.hold_epoch, hold_until = input.hold_until, evidence = input.evidence, due_at = input.due_at,
	not_before = input.not_before, changed_at = input.changed_at, delivered_at = input.delivered_at
FROM input
JOIN link ON link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = input.side
OPTION (FORCE ORDER, LOOP JOIN)`

	addLinksText = `INSERT INTO link (` + linkColumns + `)
SELECT alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
	attempts, failure, LEFT(parked, 4000), skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until,
	evidence, due_at, not_before, changed_at, changed_at, delivered_at
FROM input`
)

// wantLinksText does what the store's own does, by an UPDATE of the links that
// are there and an INSERT of those that are not. Where another transaction adds
// one in between, the key refuses it and the transaction is repeated.
const (
	notBefore = `CASE WHEN input.delay > 0 THEN @now + input.delay ELSE 0 END`

	wantOldText = `UPDATE link SET wanted = input.wanted,
	skipped = CASE WHEN link.stage = N'fresh' AND link.claim_id IS NULL AND link.parked = N'' AND link.skipped = N''
		THEN input.skip ELSE link.skipped END,
	not_before = ` + notBefore + `,
	changed_at = @now,
	due_at = CASE
		WHEN link.claim_id IS NOT NULL OR link.parked <> N'' OR link.skipped <> N'' THEN NULL
		WHEN input.skip <> N'' AND link.stage = N'fresh' THEN NULL
		WHEN link.stage = N'settled' AND link.delivered >= input.wanted
			AND link.notes_delivered >= link.notes_wanted THEN NULL
		WHEN link.due_at IS NULL OR link.due_at = link.not_before THEN
			CASE WHEN input.delay > 0 THEN @now + input.delay ELSE @now END
		WHEN link.due_at < ` + notBefore + ` THEN ` + notBefore + `
		ELSE link.due_at END
FROM input
JOIN link ON link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = N'remote'
WHERE link.wanted < input.wanted
OPTION (FORCE ORDER, LOOP JOIN)`

	wantLinksText = `INSERT INTO link (` + linkColumns + `)
SELECT input.alert_id, input.connector, N'remote', N'fresh', N'', N'', N'', N'', 0, 0,
	0, N'', N'', input.skip, input.wanted, 0, N'', NULL, 0, 0, 0,
	N'', CASE WHEN input.skip = N'' THEN @now + input.delay END, ` + notBefore + `, @now, @now, 0
FROM input
WHERE NOT EXISTS (SELECT 1 FROM link
	WHERE link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = N'remote')`
)

const tellLinksText = `UPDATE link SET wanted = CASE WHEN link.side = N'remote' THEN input.revision ELSE link.wanted + 1 END,
	changed_at = @now, not_before = 0,
	due_at = CASE WHEN link.claim_id IS NOT NULL OR link.parked <> N'' OR link.skipped <> N'' THEN NULL
		WHEN link.side = N'remote' AND link.stage = N'settled' AND link.delivered >= input.revision
			AND link.notes_delivered >= link.notes_wanted THEN NULL
		WHEN link.due_at IS NULL OR link.due_at = link.not_before THEN @now
		ELSE link.due_at END
FROM input
JOIN link ON link.alert_id = input.alert_id
WHERE link.side = N'remote' AND link.wanted < input.revision OR link.side = N'source' AND input.status = N'closed'
OPTION (FORCE ORDER, LOOP JOIN)`

const recordText = `UPDATE link SET stage = input.stage,
	ticket = CASE WHEN input.ticket = N'' THEN link.ticket ELSE input.ticket END,
	ticket_url = input.ticket_url, twins = input.twins, told = input.told,
	delivered = input.delivered, notes_delivered = input.notes_delivered, attempts = input.attempts,
	failure = input.failure, parked = LEFT(input.parked, 4000), skipped = input.skipped,
	heard = CASE WHEN input.heard = N'' OR link.ticket = N'' AND link.heard <> N'' THEN link.heard ELSE input.heard END,
	claim_id = NULL, claim_epoch = 0, hold_epoch = input.hold_epoch, hold_until = input.hold_until,
	changed_at = @now,
	delivered_at = CASE WHEN input.delivered > link.delivered THEN @now ELSE link.delivered_at END,
	not_before = CASE WHEN input.delivered >= link.wanted THEN 0 ELSE link.not_before END,
	due_at = CASE
		WHEN input.parked <> N'' OR input.skipped <> N'' THEN NULL
		WHEN input.stage = N'settled' AND input.delivered >= link.wanted AND input.notes_delivered >= link.notes_wanted THEN NULL
		WHEN input.delivered < link.wanted AND link.not_before > @now + input.delay THEN link.not_before
		ELSE @now + input.delay END
FROM input
JOIN link ON link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = input.side
WHERE link.claim_id = input.claim AND link.evidence = N'' AND link.hold_epoch <= link.claim_epoch
OPTION (FORCE ORDER, LOOP JOIN)`
