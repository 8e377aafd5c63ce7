package sqlserver

// alertNames are an alert's columns in the store's order.
var alertNames = []string{
	"id", "source", "source_key", "status", "revision", "seen", "starts_at", "ends_at", "body", "accepted_at", "changed_at",
	"accepted_by", "previous", "generation",
}

// Rows are locked by updating them with what they have: a hint (UPDLOCK) would
// do for SQL Server itself, but servers that speak its language ignore hints,
// and an update answers the newest version of the row under
// READ_COMMITTED_SNAPSHOT too. An update that answers rows names its tables with
// commas: some servers make a JOIN there a sub-select that finds rows by where
// they lie, and then pass over a row that has moved while they waited for it.
var (
	// latestText finds keys by their hash: an index takes 1,700 bytes, a key may
	// have 2,048; and = does not tell "a" from "a ".
	latestText = `UPDATE alert SET seen = alert.seen
OUTPUT ` + of("inserted", alertNames) + `
FROM input, alert
WHERE alert.source = input.source
  AND alert.latest_hash = CAST(HASHBYTES('SHA2_256', input.source_key) AS binary(32)) AND alert.latest_key IS NOT NULL
OPTION (FORCE ORDER, LOOP JOIN)`

	lockAlertsText = `UPDATE alert SET seen = alert.seen
OUTPUT ` + of("inserted", alertNames) + `
FROM input, alert
WHERE alert.id = input.id
OPTION (FORCE ORDER, LOOP JOIN)`
)

// behindText is NULL for a closed alert that was evaluated with the newest
// documents.
const behindText = `CASE WHEN input.status = N'closed' AND input.generation >= (SELECT generation FROM management_group)
		THEN NULL ELSE input.generation END`

// inService is engine.InService. What it reads stays as it is until the transaction
// ends, so that a copy's mark waits for that; where the hint is ignored, the copy is
// compared once more at its end.
const inService = `NOT EXISTS (SELECT 1 FROM management_group WITH (REPEATABLEREAD) WHERE name LIKE N'% ![being moved]' ESCAPE N'!'
	OR name LIKE N'% ![moved]' ESCAPE N'!' OR name LIKE N'% ![being copied]' ESCAPE N'!')`

const newAlertsText = `INSERT INTO alert (id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body,
	accepted_at, changed_at, accepted_by, previous, generation, behind)
SELECT input.id, input.source, input.source_key, input.latest_key, input.status, input.revision, input.seen,
	input.starts_at, input.ends_at, input.body, @now, @now, input.accepted_by, input.previous, input.generation,
	` + behindText + `
FROM input WHERE ` + inService

const grownAlertsText = `UPDATE alert SET latest_key = input.latest_key, status = input.status, revision = input.revision,
	seen = input.seen, starts_at = input.starts_at, ends_at = input.ends_at, body = input.body, changed_at = @now,
	generation = input.generation, behind = ` + behindText + `
FROM input JOIN alert ON alert.id = input.id
WHERE ` + inService + `
OPTION (FORCE ORDER, LOOP JOIN)`

const seenAlertsText = `UPDATE alert SET latest_key = input.latest_key, seen = input.seen, starts_at = input.starts_at
FROM input JOIN alert ON alert.id = input.id
WHERE ` + inService + `
OPTION (FORCE ORDER, LOOP JOIN)`

const evaluatedText = `UPDATE alert SET generation = input.generation, behind = ` + behindText + `
FROM input JOIN alert ON alert.id = input.id
OPTION (FORCE ORDER, LOOP JOIN)`

const eventsText = `INSERT INTO timeline (alert_id, connector, at, server, epoch, kind, text, endpoint, took, revision, ticket)
SELECT input.alert_id, input.connector, @now, input.server, input.epoch, input.kind, input.text, input.endpoint,
	input.took, input.revision, input.ticket
FROM input ORDER BY input.ordinal`

const skipEventsText = `INSERT INTO timeline (alert_id, connector, at, server, epoch, kind, text, endpoint, took, revision, ticket)
SELECT input.alert_id, input.connector, @now, input.server, 0, N'skipped', input.skip, N'', 0, input.revision, N''
FROM input
JOIN link ON link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = N'remote'
WHERE link.skipped = input.skip AND NOT EXISTS (SELECT 1 FROM timeline AS t
	WHERE t.alert_id = input.alert_id AND t.connector = input.connector AND t.kind = N'skipped')`

const addNewsText = `INSERT INTO news (connector, id, ticket, state, author, text, at, received_at)
OUTPUT inserted.id
SELECT input.connector, input.id, input.ticket, input.state, input.author, input.text, input.at, @now
FROM input
WHERE NOT EXISTS (SELECT 1 FROM news WHERE news.connector = input.connector AND news.id = input.id)`

const byTicketText = `SELECT link.ticket, link.alert_id
FROM input JOIN link ON link.connector = input.connector AND link.ticket = input.ticket
WHERE link.ticket <> N'' AND link.side = N'remote'
ORDER BY CASE WHEN link.skipped = N'' THEN 0 ELSE 1 END, link.created_at DESC`
