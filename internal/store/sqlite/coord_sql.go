package sqlite

import "tieline/internal/store/engine"

// GroupQuery reads the management group as one JSON object for coord.Decode.
const GroupQuery = `
SELECT json_object(
	'beaten', 1, 'held', 1,
	'identity', ` + engine.Identity + `,
	'servers', json((SELECT json_group_array(json_object('name', s.name, 'address', s.address, 'boot', s.boot,
		'presence', s.presence, 'beat', s.beat, 'version', s.version, 'heartbeat_at', s.heartbeat_at,
		'silence', max(c.now - s.heartbeat_at, 0), 'promised', s.promised) ORDER BY s.name)
		FROM server s, clock c)),
	'members', json((SELECT json_group_array(json_object('connector', m.connector, 'server', m.server,
		'position', m.position, 'runs', m.runs, 'eligible', m.eligible, 'reaches', m.reaches, 'reason', m.reason)
		ORDER BY m.connector, m.position, m.server) FROM membership m)),
	'leases', json((SELECT json_group_array(json_object('connector', l.connector, 'epoch', l.epoch, 'beat', l.beat,
		'server', l.server, 'boot', l.boot, 'promised', l.promised, 'successor', l.successor, 'wish', l.wish,
		'identity', l.identity, 'waiting', EXISTS (SELECT 1 FROM link k
			WHERE k.connector = l.connector AND k.due_at <= c.now))
		ORDER BY l.connector) FROM lease l, clock c)),
	'settings', json((SELECT json_group_array(json_object('connector', c.name, 'polling', c.polling,
		'tolerance', c.tolerance, 'failback', c.failback, 'send_window', c.send_window, 'settle', c.settle,
		'version', c.version)) FROM connector c)))`

// The heartbeat, in one transaction; ?1 is coord.Input as JSON.
const (
	beatServer = `
UPDATE server SET beat = ?1->>'number', version = ?1->>'version', promised = ?1->>'promised',
	presence = ?1->>'presence', heartbeat_at = ` + engine.Now + `
WHERE name = ?1->>'server' AND boot = ?1->>'boot'
  AND beat IN (?1->>'number' - 1, ?1->>'number')`

	beatLeases = `
UPDATE lease SET beat = beat + 1, promised = a.promised
FROM (SELECT value->>'connector' AS connector, value->>'epoch' AS epoch, value->>'promised' AS promised
	FROM json_each(?1, '$.renew')) a
WHERE lease.connector = a.connector AND lease.epoch = a.epoch
  AND lease.boot = ?1->>'boot' AND lease.server <> ''`

	beatReports = `
UPDATE membership SET runs = t.runs, eligible = t.eligible, reaches = t.reaches, reason = t.reason
FROM (SELECT value->>'connector' AS connector, value->>'runs' AS runs, value->>'eligible' AS eligible,
	value->>'reaches' AS reaches, value->>'reason' AS reason FROM json_each(?1, '$.reports')) t
WHERE membership.connector = t.connector AND membership.server = ?1->>'server'
  AND (membership.runs, membership.eligible, membership.reaches, membership.reason)
	IS NOT (t.runs, t.eligible, t.reaches, t.reason)`
)

// ha.Lease.Taken (rule L6): the events first, because they tell the former holder and
// until when it lived; ?9 is how long ago it was seen ending, 0 = it was not. Each
// statement carries the whole condition.
const (
	takeCondition = ` WHERE connector = ?1 AND epoch = ?2 AND beat = ?3 AND identity IN ('', ?7)
	AND EXISTS (SELECT 1 FROM server s JOIN membership m ON m.server = s.name
		WHERE s.name = ?4 AND s.boot = ?5 AND m.connector = ?1)`

	takeSign = `
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT connector, epoch, CASE WHEN ?9 > 0 THEN ` + engine.Now + ` - ?9
	ELSE (SELECT heartbeat_at FROM server WHERE name = lease.server AND boot = lease.boot) END, server, '',
	CASE WHEN ?9 > 0 THEN '` + engine.SeenEnding + `' ELSE '` + engine.LastHeard + `' END, '' FROM lease` + takeCondition + `
	AND EXISTS (SELECT 1 FROM server WHERE name = lease.server AND boot = lease.boot)`

	takeEvent = `
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT connector, epoch + 1, ` + engine.Now + `, server, ?4, ?8, '' FROM lease` + takeCondition

	takeLease = `
UPDATE lease SET epoch = epoch + 1, beat = 0, server = ?4, boot = ?5, promised = ?6, identity = ?7, successor = '',
	wish = CASE WHEN wish = ?4 THEN '' ELSE wish END, since = ` + engine.Now + takeCondition + `
RETURNING epoch, wish`
)

// ha.Lease.Released.
const (
	releaseCondition = ` WHERE connector = ?1 AND epoch = ?2 AND boot = ?3 AND server <> ''`

	releaseEvent = `
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT connector, epoch, ` + engine.Now + `, server, '', ?5, '' FROM lease` + releaseCondition

	releaseLease = `
UPDATE lease SET beat = beat + 1, server = '', boot = '', successor = ?4,
	wish = CASE WHEN wish IN (?4, server) THEN '' ELSE wish END, since = ` + engine.Now + releaseCondition + `
RETURNING epoch, wish`
)

// ha.Lease.Doubted, and alert.Link.Doubt for its links (rule L8); ?4 is
// ha.EpochJump.
const (
	doubtCondition = ` WHERE connector = ?1 AND epoch = ?2 AND identity NOT IN ('', ?3)`

	doubtEvent = `
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT connector, epoch + ?4, ` + engine.Now + `, server, '', ?5, '' FROM lease` + doubtCondition

	doubtLinks = `
UPDATE link SET
	stage = CASE WHEN stage IN ('fresh', 'looked', 'uncertain') THEN 'uncertain' ELSE 'verify' END,
	hold_epoch = ?2 + ?4, hold_until = 0, changed_at = ` + engine.Now + `,
	due_at = CASE WHEN parked = '' AND claim_id IS NULL THEN coalesce(due_at, ` + engine.Now + `) END
WHERE skipped = '' AND connector = (SELECT connector FROM lease` + doubtCondition + `)`

	doubtLease = `
UPDATE lease SET epoch = epoch + ?4, beat = 0, server = '', boot = '', successor = '', identity = ?3,
	since = ` + engine.Now + doubtCondition + `
RETURNING epoch, wish`
)
