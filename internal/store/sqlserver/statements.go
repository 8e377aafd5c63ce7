package sqlserver

import "tieline/internal/store/engine"

// slice ends a query as the store's own words would.
func slice(order, n, offset string) string {
	if order == "" {
		order = "(SELECT NULL)" // the syntax demands one
	}
	if offset == "" {
		offset = "0"
	}
	return "\nORDER BY " + order + " OFFSET " + offset + " ROWS FETCH NEXT " + n + " ROWS ONLY"
}

// own returns the statements that are written here in full, by the store's name
// of each. Those over rows begin with their input.
func own(name string, columns []engine.Column) string {
	if columns != nil {
		s, ok := batches[name]
		if !ok {
			return ""
		}
		text := prologue
		if s.before != "" {
			text += input(columns) + s.before + ";\n"
		}
		return text + input(columns) + s.text
	}
	return singles[name]
}

// batch is a statement over rows, which it reads from "input".
type batch struct {
	before string // an earlier one over the same rows
	text   string // its rows are those that are counted
}

var singles = map[string]string{
	"fenced":         "SELECT CASE WHEN " + fence + " THEN 1 ELSE 0 END",
	"history":        historyText,
	"group name":     "SELECT name FROM management_group WITH (REPEATABLEREAD) WHERE one = 1", // as inService
	"lock group":     "UPDATE management_group SET name = name OUTPUT inserted.name WHERE one = 1",
	"expire":         expireText,
	"unpark":         unparkText,
	"move bookmark":  "UPDATE bookmark SET value = $7 WHERE connector = $1 AND name = $5 AND value = $6 AND " + fence,
	"make bookmark":  makeBookmarkText,
	"join server":    joinServerText,
	"add lease":      addLeaseText,
	"save connector": saveConnectorText,
	"save lease":     saveLeaseText,
	"documents":      documentsText,
	"detail":         detailText,
	"forget events": `DELETE FROM availability_event
WHERE connector = $1 AND id <= $5 AND at < (SELECT now FROM clock) - $6 AND ` + fence,
	"lock strike": "UPDATE strike SET failures = failures OUTPUT inserted.failures, inserted.until_at, inserted.last_at WHERE name = $1",

	// the ids follow the first, the second the ids
	"unchanged": `DECLARE @same TABLE (id char(36) COLLATE Latin1_General_100_BIN2 NOT NULL, seen bigint NOT NULL,
	latest_key nvarchar(1024) COLLATE Latin1_General_100_BIN2 NULL);
UPDATE alert SET seen = seen
OUTPUT inserted.id, inserted.seen, inserted.latest_key INTO @same
WHERE status = N'closed' AND behind IS NULL AND id IN `,
	"unchanged order": ";\nSELECT id, seen, CASE WHEN latest_key IS NULL THEN 0 ELSE 1 END FROM @same",
}

var batches = map[string]batch{
	"latest alerts": {text: latestText},
	"new alerts":    {text: newAlertsText},
	"grown alerts":  {text: grownAlertsText},
	"seen alerts":   {text: seenAlertsText},
	"lock alerts":   {text: lockAlertsText},
	"evaluated":     {text: evaluatedText},
	"want links":    {before: wantOldText, text: wantLinksText},
	"tell links":    {text: tellLinksText},
	"lock links":    {text: lockLinksText},
	"write links":   {text: writeLinksText},
	"add links":     {text: addLinksText},
	"record":        {text: recordText},
	"events":        {text: eventsText},
	"skip events":   {text: skipEventsText},
	"add news":      {text: addNewsText},
	"by ticket":     {text: byTicketText},
}

// expireText looks for each claim's id in the text of the stuck ones, which
// CHARINDEX compares without a pattern.
const expireText = `UPDATE link SET claim_id = NULL, claim_epoch = 0,
	stage = CASE stage WHEN N'fresh' THEN N'uncertain' WHEN N'looked' THEN N'uncertain' WHEN N'settled' THEN N'verify' ELSE stage END,
	hold_epoch = CASE WHEN stage = N'settled' THEN $6 ELSE hold_epoch END,
	hold_until = CASE WHEN stage = N'settled' THEN $7 ELSE hold_until END,
	ticket = CASE WHEN ticket = N'' AND evidence <> N'?' THEN evidence ELSE ticket END,
	evidence = N'', changed_at = (SELECT now FROM clock),
	due_at = CASE WHEN parked <> N'' OR skipped <> N'' THEN NULL WHEN stage = N'settled' THEN (SELECT now FROM clock) + $8 ELSE (SELECT now FROM clock) END
WHERE connector = $1 AND claim_id IS NOT NULL AND (claim_epoch < $2 OR CHARINDEX(claim_id, $5) > 0)
  AND ` + fence

const unparkText = `UPDATE link SET parked = N'', attempts = 0, not_before = 0, changed_at = (SELECT now FROM clock),
	due_at = CASE WHEN skipped <> N'' OR claim_id IS NOT NULL THEN NULL
		WHEN stage = N'settled' AND delivered >= wanted AND notes_delivered >= notes_wanted THEN NULL
		ELSE (SELECT now FROM clock) END
WHERE connector = $1 AND parked <> N'' AND LEFT(parked, LEN($5 + N'.') - 1) = $5 AND ` + fence

const makeBookmarkText = `INSERT INTO bookmark (connector, name, value)
SELECT lease.connector, $5, $6 FROM lease WHERE lease.connector = $1 AND ` + fence + `
  AND NOT EXISTS (SELECT 1 FROM bookmark WHERE bookmark.connector = $1 AND bookmark.name = $5)`

// joinServerText: whoever joins is alone in doing so.
const joinServerText = prologue + `UPDATE server SET address = $2, version = $4, promised = $5, high_availability = $6,
	presence = CASE WHEN boot = $3 THEN presence ELSE N'' END,
	beat = CASE WHEN boot = $3 THEN beat ELSE 0 END,
	heartbeat_at = CASE WHEN boot = $3 THEN heartbeat_at ELSE @now END,
	boot = $3
WHERE name = $1;
IF @@ROWCOUNT = 0
	INSERT INTO server (name, address, boot, presence, beat, version, heartbeat_at, promised, high_availability, joined_at)
	VALUES ($1, $2, $3, N'', 0, $4, @now, $5, $6, @now)`

const addLeaseText = prologue + `INSERT INTO lease (connector, epoch, beat, server, boot, promised, successor, wish, [identity], since)
SELECT $1, 0, 0, N'', N'', 0, N'', N'', N'', @now WHERE NOT EXISTS (SELECT 1 FROM lease WHERE connector = $1)`

// saveConnectorText: whoever saves a document is alone in doing so.
const saveConnectorText = `UPDATE connector SET version = $2, polling = $3, tolerance = $4, failback = $5,
	send_window = CASE WHEN send_window > $6 THEN send_window ELSE $6 END, settle = $7, changed_at = $8
WHERE name = $1;
IF @@ROWCOUNT = 0
	INSERT INTO connector (name, version, polling, tolerance, failback, send_window, settle, changed_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

const saveLeaseText = `INSERT INTO lease (connector, epoch, beat, server, boot, promised, successor, wish, [identity], since)
SELECT $1, 0, 0, N'', N'', 0, N'', N'', COALESCE([identity], N''), $2 FROM history
WHERE NOT EXISTS (SELECT 1 FROM lease WHERE lease.connector = $1)`

var detailText = `SELECT ` + of("link", linkNames) + `,
	CASE WHEN link.claim_id IS NULL THEN N'' ELSE COALESCE(
	(SELECT lease.server FROM lease WHERE lease.connector = link.connector AND lease.epoch = link.claim_epoch),
	(SELECT TOP (1) e.to_server FROM availability_event AS e WHERE e.connector = link.connector AND e.epoch = link.claim_epoch
		AND e.to_server <> N'' ORDER BY e.id), N'') END
FROM link WHERE link.alert_id = $1 ORDER BY link.connector, link.side`

const documentsText = `SELECT g.generation, v.connector, v.version, v.document, v.who, v.comment, v.at
FROM management_group AS g
LEFT JOIN connector AS c ON 1 = 1
LEFT JOIN connector_version AS v ON v.connector = c.name AND v.version = c.version
ORDER BY v.connector`
