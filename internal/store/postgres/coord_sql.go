package postgres

import "tieline/internal/store/engine"

// heldExpr is 1 when the statement runs on the backend the session opened and
// that backend holds the session's lock; p gives backend and lock.
const heldExpr = `(SELECT count(*) FROM pg_locks k
	WHERE p.lock <> 0 AND p.backend = pg_backend_pid()
	  AND k.pid = pg_backend_pid() AND k.locktype = 'advisory' AND k.granted AND k.objsubid = 1
	  AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	  AND ((k.classid::bigint << 32) | k.objid::bigint) = p.lock)`

// groupJSON is the object coord.Decode reads, over the relations servers,
// members, leases (each with the table's columns) and tick(now).
const groupJSON = `
	'identity', ` + engine.Identity + `,
	'servers', coalesce((SELECT json_agg(json_build_object('name', s.name, 'address', s.address, 'boot', s.boot,
		'presence', s.presence, 'beat', s.beat, 'version', s.version, 'heartbeat_at', s.heartbeat_at,
		'silence', greatest(tick.now - s.heartbeat_at, 0), 'promised', s.promised) ORDER BY s.name)
		FROM servers s), '[]'),
	'members', coalesce((SELECT json_agg(json_build_object('connector', m.connector, 'server', m.server,
		'position', m.position, 'runs', m.runs, 'eligible', m.eligible, 'reaches', m.reaches, 'reason', m.reason)
		ORDER BY m.connector, m.position, m.server) FROM members m), '[]'),
	'leases', coalesce((SELECT json_agg(json_build_object('connector', l.connector, 'epoch', l.epoch, 'beat', l.beat,
		'server', l.server, 'boot', l.boot, 'promised', l.promised, 'successor', l.successor, 'wish', l.wish,
		'identity', l.identity, 'waiting', CASE WHEN EXISTS (SELECT FROM link k
			WHERE k.connector = l.connector AND k.due_at <= tick.now) THEN 1 ELSE 0 END)
		ORDER BY l.connector) FROM leases l), '[]'),
	'settings', coalesce((SELECT json_agg(json_build_object('connector', c.name, 'polling', c.polling,
		'tolerance', c.tolerance, 'failback', c.failback, 'send_window', c.send_window, 'settle', c.settle,
		'version', c.version)) FROM connector c), '[]')`

// GroupQuery reads the management group as one JSON object for coord.Decode.
const GroupQuery = `
WITH tick AS (SELECT ` + engine.Now + ` AS now),
servers AS (SELECT * FROM server),
members AS (SELECT * FROM membership),
leases AS (SELECT * FROM lease)
SELECT json_build_object(` + groupJSON + `)::text FROM tick`

// beatQuery is the whole heartbeat (rule L1). All parts of a statement see the
// snapshot from before it, so what it changed or locked is taken from RETURNING
// and laid over the tables. The lease rows are locked in their newest version
// whatever their epoch, so that the answer shows a take-over that a renewal ran
// into; rows that others hold locked are skipped, and then show a beat that did
// not grow. Nothing here waits for a lock but the server's own row.
const beatQuery = `
WITH p AS (
	SELECT * FROM jsonb_to_record($1::jsonb) AS p(server text, boot text, number bigint, presence text, version text,
		promised bigint, backend bigint, lock bigint, renew jsonb, reports jsonb)
),
tick AS (SELECT ` + engine.Now + ` AS now),
session AS (SELECT ` + heldExpr + ` AS held FROM p),
me AS (
	UPDATE server s SET beat = p.number, version = p.version, promised = p.promised, heartbeat_at = tick.now,
		presence = CASE WHEN session.held > 0 THEN p.presence ELSE '' END
	FROM p, tick, session
	WHERE s.name = p.server AND s.boot = p.boot AND s.beat IN (p.number - 1, p.number)
	RETURNING s.*
),
asked AS (
	SELECT r.* FROM p, jsonb_to_recordset(p.renew) AS r(connector text, epoch bigint, promised bigint)
	WHERE EXISTS (SELECT FROM me)
),
locked AS (
	SELECT l.* FROM lease l WHERE l.connector IN (SELECT connector FROM asked) FOR UPDATE SKIP LOCKED
),
renewed AS (
	UPDATE lease l SET beat = l.beat + 1, promised = a.promised
	FROM asked a JOIN locked k ON k.connector = a.connector, p
	WHERE l.connector = a.connector AND l.epoch = a.epoch AND l.boot = p.boot AND l.server <> ''
	RETURNING l.*
),
told AS (
	SELECT r.* FROM p, jsonb_to_recordset(p.reports)
		AS r(connector text, runs bigint, eligible integer, reaches integer, reason text)
	WHERE EXISTS (SELECT FROM me)
),
news AS (
	SELECT m.connector FROM membership m JOIN told t ON t.connector = m.connector, p
	WHERE m.server = p.server
	  AND (m.runs, m.eligible, m.reaches, m.reason) IS DISTINCT FROM (t.runs, t.eligible, t.reaches, t.reason)
	FOR UPDATE OF m SKIP LOCKED
),
reported AS (
	UPDATE membership m SET runs = t.runs, eligible = t.eligible, reaches = t.reaches, reason = t.reason
	FROM told t JOIN news n ON n.connector = t.connector, p
	WHERE m.connector = t.connector AND m.server = p.server
	RETURNING m.*
),
servers AS (
	SELECT * FROM me UNION ALL SELECT s.* FROM server s WHERE s.name NOT IN (SELECT name FROM me)
),
members AS (
	SELECT * FROM reported UNION ALL
	SELECT m.* FROM membership m
	WHERE NOT EXISTS (SELECT FROM reported r WHERE r.connector = m.connector AND r.server = m.server)
),
leases AS (
	SELECT * FROM renewed
	UNION ALL SELECT * FROM locked k WHERE k.connector NOT IN (SELECT connector FROM renewed)
	UNION ALL SELECT l.* FROM lease l WHERE l.connector NOT IN (SELECT connector FROM locked)
)
SELECT json_build_object(
	'beaten', (SELECT count(*) FROM me),
	'held', (SELECT held FROM session),
	'boot', coalesce((SELECT s.boot FROM server s WHERE s.name = p.server), ''),` + groupJSON + `)::text
FROM p, tick`

// takeQuery is ha.Lease.Taken, a compare-and-swap on epoch and beat (rule L6),
// with its events and its wake-up; $9 is how long ago the former holder was seen
// ending, 0 = it was not. A server that was removed takes nothing. The events'
// former holder is the snapshot's, which is the row's: the row must still show the
// epoch and beat that were asked for.
const takeQuery = `
WITH took AS (
	UPDATE lease SET epoch = epoch + 1, beat = 0, server = $4, boot = $5, promised = $6, identity = $7, successor = '',
		wish = CASE WHEN wish = $4 THEN '' ELSE wish END, since = ` + engine.Now + `
	WHERE connector = $1 AND epoch = $2 AND beat = $3 AND identity IN ('', $7)
	  AND EXISTS (SELECT FROM server s JOIN membership m ON m.server = s.name
		WHERE s.name = $4 AND s.boot = $5 AND m.connector = $1)
	RETURNING *
),
sign AS (
	INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
	SELECT l.connector, l.epoch, CASE WHEN $9::bigint > 0 THEN t.since - $9::bigint ELSE s.heartbeat_at END, l.server, '',
		CASE WHEN $9::bigint > 0 THEN '` + engine.SeenEnding + `' ELSE '` + engine.LastHeard + `' END, ''
	FROM took t JOIN lease l ON l.connector = t.connector JOIN server s ON s.name = l.server AND s.boot = l.boot
),
noted AS (
	INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
	SELECT t.connector, t.epoch, t.since, coalesce((SELECT l.server FROM lease l WHERE l.connector = t.connector), ''),
		t.server, $8, ''
	FROM took t
)
SELECT t.epoch, t.wish, pg_notify('` + Channel + `', 'lease')::text FROM took t`

// releaseQuery is ha.Lease.Released.
const releaseQuery = `
WITH released AS (
	UPDATE lease SET beat = beat + 1, server = '', boot = '', successor = $4,
		wish = CASE WHEN wish IN ($4, server) THEN '' ELSE wish END, since = ` + engine.Now + `
	WHERE connector = $1 AND epoch = $2 AND boot = $3 AND server <> ''
	RETURNING *
),
noted AS (
	INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
	SELECT r.connector, r.epoch, r.since, coalesce((SELECT l.server FROM lease l WHERE l.connector = r.connector), ''),
		'', $5, ''
	FROM released r
)
SELECT r.epoch, r.wish, pg_notify('` + Channel + `', 'lease')::text FROM released r`

// doubtSet is alert.Link.Doubt on link k; j names the epoch of the hold, and when.
const doubtSet = `
	stage = CASE WHEN k.stage IN ('fresh', 'looked', 'uncertain') THEN 'uncertain' ELSE 'verify' END,
	hold_epoch = j.epoch, hold_until = 0, changed_at = j.since,
	due_at = CASE WHEN k.parked = '' AND k.claim_id IS NULL THEN coalesce(k.due_at, j.since) END`

// doubtStepQuery puts up to $5 links in doubt, those from alert $6 on, while the
// lease still shows the old history. The hold's epoch marks those done.
const doubtStepQuery = `
WITH j AS (
	SELECT epoch + $4 AS epoch, ` + engine.Now + ` AS since FROM lease
	WHERE connector = $1 AND epoch = $2 AND identity NOT IN ('', $3)
),
todo AS (
	SELECT k.alert_id, k.side FROM link k, j
	WHERE k.alert_id >= $6 AND k.connector = $1 AND k.skipped = '' AND k.hold_epoch <> j.epoch
	ORDER BY k.alert_id LIMIT $5 FOR UPDATE OF k SKIP LOCKED
),
doubted AS (
	UPDATE link k SET ` + doubtSet + `
	FROM todo t, j
	WHERE k.alert_id = t.alert_id AND k.connector = $1 AND k.side = t.side
	RETURNING k.alert_id
)
SELECT count(*), coalesce(max(alert_id::text), '') FROM doubted`

// doubtQuery is ha.Lease.Doubted, with alert.Link.Doubt for the links not yet in
// doubt (rule L8).
const doubtQuery = `
WITH j AS (
	UPDATE lease SET epoch = epoch + $4, beat = 0, server = '', boot = '', successor = '', identity = $3,
		since = ` + engine.Now + `
	WHERE connector = $1 AND epoch = $2 AND identity NOT IN ('', $3)
	RETURNING *
),
doubted AS (
	UPDATE link k SET ` + doubtSet + `
	FROM j
	WHERE k.connector = j.connector AND k.skipped = '' AND k.hold_epoch <> j.epoch
),
noted AS (
	INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
	SELECT j.connector, j.epoch, j.since, coalesce((SELECT l.server FROM lease l WHERE l.connector = j.connector), ''),
		'', $5, ''
	FROM j
)
SELECT j.epoch, j.wish, pg_notify('` + Channel + `', 'lease')::text FROM j`
