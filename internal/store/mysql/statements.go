package mysql

import "tieline/internal/store/engine"

// own returns the statements that are written in full here: no ON CONFLICT, no
// UPDATE ... FROM, no RETURNING.
//
// Two things hold for each UPDATE. It assigns from left to right, and what is to
// the right sees the new values: a column is assigned after everything that
// depends on it. And one over several tables locks the rows of all tables it
// reads, those of its subqueries too; so it reads nothing but its input and the
// table it changes.
func (f flavour) own(name string, columns []engine.Column) string {
	if columns == nil {
		return singles[name]
	}
	switch name {
	case "grown alerts":
		return inService + generation + "UPDATE " + f.input(columns) + " AS input STRAIGHT_JOIN alert ON alert.id = input.id" + grownAlerts
	case "seen alerts":
		return inService + "UPDATE " + f.input(columns) + " AS input STRAIGHT_JOIN alert ON alert.id = input.id" + seenAlerts
	case "evaluated":
		return generation + "UPDATE " + f.input(columns) + " AS input STRAIGHT_JOIN alert ON alert.id = input.id" + evaluated
	case "tell links":
		return "UPDATE " + f.input(columns) + " AS input STRAIGHT_JOIN link ON link.alert_id = input.alert_id" + tellLinks
	case "write links":
		return "UPDATE " + f.input(columns) + " AS input STRAIGHT_JOIN link " + onLink + writeLinks
	case "record":
		return "UPDATE " + f.input(columns) + " AS input STRAIGHT_JOIN link " + onLink + record
	case "want links":
		return wantLinksInto + "\nWITH input AS (SELECT * FROM " + f.input(columns) + " AS given)" + wantLinks
	case "add news":
		return "SELECT input.id FROM " + f.input(columns) + " AS input" + unknownNews + ";" + addNewsInto +
			f.input(columns) + " AS input" + unknownNews
	}
	return ""
}

// singles are the statements without input, and the FROM clauses that lock.
var singles = map[string]string{
	"latest alerts from": `
FROM input STRAIGHT_JOIN alert ON alert.source = input.source AND alert.latest_key = input.source_key
ORDER BY alert.source, alert.latest_key
FOR UPDATE`,
	"lock alerts from": `
FROM input STRAIGHT_JOIN alert ON alert.id = input.id ORDER BY alert.source, alert.latest_key
FOR UPDATE`,
	"lock links from": `
FROM input STRAIGHT_JOIN link ` + onLink + `
ORDER BY link.alert_id, link.connector, link.side
FOR UPDATE`,
	"history":        history,
	"expire":         expire,
	"unpark":         unpark,
	"make bookmark":  makeBookmark,
	"join server":    joinServer,
	"add lease":      addLease,
	"save connector": saveConnector,
	"save lease":     saveLease,
	"parked links":   parkedLinks,
	"is parked":      isParked,

	"busy connectors": busy,
}

// history is ” where the user may not see what names the history.
const history = `SELECT COALESCE(identity, '') FROM history`

const onLink = `ON link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = input.side`

// generation reads the documents' generation for the statement after it, of the
// same request, without the lock that the statement itself would take.
const generation = `SELECT generation INTO @tieline_generation FROM management_group;
`

// inService reads engine.InService in the same way.
const inService = `SELECT ` + engine.InService + ` INTO @tieline_in_service;
`

const behind = `CASE WHEN input.status = 'closed' AND input.generation >= @tieline_generation THEN NULL ELSE input.generation END`

const grownAlerts = `
SET alert.latest_key = input.latest_key, alert.status = input.status, alert.revision = input.revision, alert.seen = input.seen,
	alert.starts_at = input.starts_at, alert.ends_at = input.ends_at, alert.body = input.body, alert.changed_at = ` + engine.Now + `,
	alert.generation = input.generation, alert.behind = ` + behind + `
WHERE @tieline_in_service`

const seenAlerts = `
SET alert.latest_key = input.latest_key, alert.seen = input.seen, alert.starts_at = input.starts_at
WHERE @tieline_in_service`

const evaluated = `
SET alert.generation = input.generation, alert.behind = ` + behind

const wantLinksInto = `
INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
	attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until,
	evidence, due_at, not_before, created_at, changed_at, delivered_at)`

// wantLinks is the store's statement of that name; a link that wants as much
// already keeps every column.
const wantLinks = `
SELECT input.alert_id, input.connector, 'remote', 'fresh', '', '', '', '', 0, 0,
	0, '', '', input.skip, input.wanted, 0, '', NULL, 0, 0, 0,
	'', CASE WHEN input.skip = '' THEN ` + engine.Now + ` + input.delay END,
	CASE WHEN input.delay > 0 THEN ` + engine.Now + ` + input.delay ELSE 0 END,
	` + engine.Now + `, ` + engine.Now + `, 0
FROM input
ON DUPLICATE KEY UPDATE
	due_at = CASE
		WHEN link.wanted >= VALUES(wanted) THEN link.due_at
		WHEN link.claim_id IS NOT NULL OR link.parked <> '' OR link.skipped <> '' THEN NULL
		WHEN VALUES(skipped) <> '' AND link.stage = 'fresh' THEN NULL
		WHEN link.stage = 'settled' AND link.delivered >= VALUES(wanted)
			AND link.notes_delivered >= link.notes_wanted THEN NULL
		WHEN link.due_at IS NULL OR link.due_at = link.not_before THEN
			CASE WHEN VALUES(not_before) > 0 THEN VALUES(not_before) ELSE VALUES(changed_at) END
		WHEN link.due_at < VALUES(not_before) THEN VALUES(not_before)
		ELSE link.due_at END,
	skipped = CASE WHEN link.wanted < VALUES(wanted) AND link.stage = 'fresh' AND link.claim_id IS NULL
		AND link.parked = '' AND link.skipped = '' THEN VALUES(skipped) ELSE link.skipped END,
	not_before = CASE WHEN link.wanted < VALUES(wanted) THEN VALUES(not_before) ELSE link.not_before END,
	changed_at = CASE WHEN link.wanted < VALUES(wanted) THEN VALUES(changed_at) ELSE link.changed_at END,
	wanted = CASE WHEN link.wanted < VALUES(wanted) THEN VALUES(wanted) ELSE link.wanted END`

const tellLinks = `
SET link.due_at = CASE WHEN link.claim_id IS NOT NULL OR link.parked <> '' OR link.skipped <> '' THEN NULL
		WHEN link.side = 'remote' AND link.stage = 'settled' AND link.delivered >= input.revision
			AND link.notes_delivered >= link.notes_wanted THEN NULL
		WHEN link.due_at IS NULL OR link.due_at = link.not_before THEN ` + engine.Now + `
		ELSE link.due_at END,
	link.not_before = 0, link.changed_at = ` + engine.Now + `,
	link.wanted = CASE WHEN link.side = 'remote' THEN input.revision ELSE link.wanted + 1 END
WHERE link.side = 'remote' AND link.wanted < input.revision OR link.side = 'source' AND input.status = 'closed'`

const writeLinks = `
SET link.stage = input.stage, link.ticket = input.ticket, link.ticket_url = input.ticket_url, link.twins = input.twins,
	link.told = input.told, link.delivered = input.delivered, link.notes_delivered = input.notes_delivered,
	link.attempts = input.attempts, link.failure = input.failure, link.parked = input.parked, link.skipped = input.skipped,
	link.wanted = input.wanted, link.notes_wanted = input.notes_wanted, link.heard = input.heard,
	link.claim_id = input.claim_id, link.claim_epoch = input.claim_epoch, link.hold_epoch = input.hold_epoch,
	link.hold_until = input.hold_until, link.evidence = input.evidence, link.due_at = input.due_at,
	link.not_before = input.not_before, link.changed_at = input.changed_at, link.delivered_at = input.delivered_at`

const record = `
SET link.due_at = CASE
		WHEN input.parked <> '' OR input.skipped <> '' THEN NULL
		WHEN input.stage = 'settled' AND input.delivered >= link.wanted AND input.notes_delivered >= link.notes_wanted THEN NULL
		WHEN input.delivered < link.wanted AND link.not_before > ` + engine.Now + ` + input.delay THEN link.not_before
		ELSE ` + engine.Now + ` + input.delay END,
	link.not_before = CASE WHEN input.delivered >= link.wanted THEN 0 ELSE link.not_before END,
	link.delivered_at = CASE WHEN input.delivered > link.delivered THEN ` + engine.Now + ` ELSE link.delivered_at END,
	link.heard = CASE WHEN input.heard = '' OR link.ticket = '' AND link.heard <> '' THEN link.heard ELSE input.heard END,
	link.ticket = CASE WHEN input.ticket = '' THEN link.ticket ELSE input.ticket END,
	link.stage = input.stage, link.ticket_url = input.ticket_url, link.twins = input.twins, link.told = input.told,
	link.delivered = input.delivered, link.notes_delivered = input.notes_delivered, link.attempts = input.attempts,
	link.failure = input.failure, link.parked = input.parked, link.skipped = input.skipped,
	link.claim_id = NULL, link.claim_epoch = 0, link.hold_epoch = input.hold_epoch, link.hold_until = input.hold_until,
	link.changed_at = ` + engine.Now + `
WHERE link.claim_id <=> input.claim AND link.evidence = '' AND link.hold_epoch <= link.claim_epoch`

const addNewsInto = `
INSERT INTO news (connector, id, ticket, state, author, text, at, received_at)
SELECT input.connector, input.id, input.ticket, input.state, input.author, input.text, input.at, ` + engine.Now + ` FROM `

const unknownNews = `
WHERE NOT EXISTS (SELECT 1 FROM news WHERE news.connector = input.connector AND news.id = input.id)`

const fence = `EXISTS (SELECT 1 FROM lease WHERE lease.connector = $1 AND lease.epoch = $2 AND lease.boot = $3
	AND lease.identity = $4 AND lease.identity = ` + engine.Identity + `)`

const expire = `
UPDATE link SET claim_id = NULL, claim_epoch = 0,
	hold_epoch = CASE WHEN stage = 'settled' THEN $6 ELSE hold_epoch END,
	hold_until = CASE WHEN stage = 'settled' THEN $7 ELSE hold_until END,
	due_at = CASE WHEN parked <> '' OR skipped <> '' THEN NULL
		WHEN stage = 'settled' THEN ` + engine.Now + ` + $8
		ELSE ` + engine.Now + ` END,
	stage = CASE stage WHEN 'fresh' THEN 'uncertain' WHEN 'looked' THEN 'uncertain' WHEN 'settled' THEN 'verify' ELSE stage END,
	ticket = CASE WHEN ticket = '' AND evidence <> '?' THEN evidence ELSE ticket END,
	evidence = '', changed_at = ` + engine.Now + `
WHERE connector = $1 AND claim_id IS NOT NULL
  AND (claim_epoch < $2 OR LOCATE(claim_id, $5) > 0)
  AND ` + fence

const unpark = `
UPDATE link SET parked = '', attempts = 0, not_before = 0, changed_at = ` + engine.Now + `,
	due_at = CASE WHEN skipped <> '' OR claim_id IS NOT NULL THEN NULL
		WHEN stage = 'settled' AND delivered >= wanted AND notes_delivered >= notes_wanted THEN NULL
		ELSE ` + engine.Now + ` END
WHERE connector = $1 AND is_parked = 1 AND LEFT(parked, CHAR_LENGTH($5)) = $5 AND ` + fence

const makeBookmark = `
INSERT INTO bookmark (connector, name, value)
SELECT $1, $5, $6 FROM clock
WHERE ` + fence + ` AND NOT EXISTS (SELECT 1 FROM bookmark WHERE connector = $1 AND name = $5)`

const joinServer = `
INSERT INTO server (name, address, boot, presence, beat, version, heartbeat_at, promised, high_availability, joined_at)
SELECT $1, $2, $3, '', 0, $4, now, $5, $6, now FROM clock
ON DUPLICATE KEY UPDATE address = VALUES(address), version = VALUES(version),
	promised = VALUES(promised), high_availability = VALUES(high_availability),
	presence = CASE WHEN server.boot = VALUES(boot) THEN server.presence ELSE '' END,
	beat = CASE WHEN server.boot = VALUES(boot) THEN server.beat ELSE 0 END,
	heartbeat_at = CASE WHEN server.boot = VALUES(boot) THEN server.heartbeat_at ELSE VALUES(heartbeat_at) END,
	boot = VALUES(boot)`

const addLease = `
INSERT INTO lease (connector, epoch, beat, server, boot, promised, successor, wish, identity, since)
SELECT $1, 0, 0, '', '', 0, '', '', '', now FROM clock
WHERE NOT EXISTS (SELECT 1 FROM lease WHERE connector = $1)`

const saveConnector = `
INSERT INTO connector (name, version, polling, tolerance, failback, send_window, settle, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON DUPLICATE KEY UPDATE version = VALUES(version), polling = VALUES(polling), tolerance = VALUES(tolerance),
	failback = VALUES(failback), settle = VALUES(settle), changed_at = VALUES(changed_at),
	send_window = GREATEST(send_window, VALUES(send_window))`

const saveLease = `
INSERT INTO lease (connector, epoch, beat, server, boot, promised, successor, wish, identity, since)
SELECT $1, 0, 0, '', '', 0, '', '', identity, $2 FROM history
WHERE NOT EXISTS (SELECT 1 FROM lease WHERE connector = $1)`

// busy takes the place of backlog. An index lists here also what is not to be
// counted: the greatest value of a connector, found by a jump, tells whether it
// has any. What is parked is known by a column that is indexed for it.
const busy = `
SELECT 1, connector, 0 FROM (SELECT connector, MAX(due_at) AS last FROM link GROUP BY connector) AS due WHERE last IS NOT NULL
UNION ALL
SELECT 2, connector, 0 FROM (SELECT connector, MAX(claim_id) AS last FROM link GROUP BY connector) AS claimed WHERE last IS NOT NULL
UNION ALL
SELECT 3, connector.name, COUNT(*)` + parkedLinks + ` GROUP BY connector.name`

const parkedLinks = `
FROM connector STRAIGHT_JOIN link ON link.connector = connector.name
WHERE link.is_parked = 1`

const isParked = `l.connector IN (SELECT name FROM connector) AND l.is_parked = 1`
