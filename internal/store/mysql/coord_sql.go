package mysql

import "tieline/internal/store/engine"

// groupJSON is the object coord.Decode reads, with beaten, held and boot before
// it. It is put together as text: MySQL's lists of JSON values have no order.
const groupJSON = `
	'"identity":', JSON_QUOTE(` + engine.Identity + `),
	',"servers":[', COALESCE((SELECT GROUP_CONCAT(JSON_OBJECT('name', s.name, 'address', s.address, 'boot', s.boot,
		'presence', s.presence, 'beat', s.beat, 'version', s.version, 'heartbeat_at', s.heartbeat_at,
		'silence', GREATEST(c.now - s.heartbeat_at, 0), 'promised', s.promised) ORDER BY s.name SEPARATOR ',')
		FROM server s, clock c), ''),
	'],"members":[', COALESCE((SELECT GROUP_CONCAT(JSON_OBJECT('connector', m.connector, 'server', m.server,
		'position', m.position, 'runs', m.runs, 'eligible', m.eligible, 'reaches', m.reaches, 'reason', m.reason)
		ORDER BY m.connector, m.position, m.server SEPARATOR ',') FROM membership m), ''),
	'],"leases":[', COALESCE((SELECT GROUP_CONCAT(JSON_OBJECT('connector', l.connector, 'epoch', l.epoch, 'beat', l.beat,
		'server', l.server, 'boot', l.boot, 'promised', l.promised, 'successor', l.successor, 'wish', l.wish,
		'identity', l.identity, 'waiting', CASE WHEN EXISTS (SELECT 1 FROM link k
			WHERE k.connector = l.connector AND k.due_at <= c.now) THEN 1 ELSE 0 END)
		ORDER BY l.connector SEPARATOR ',') FROM lease l, clock c), ''),
	'],"settings":[', COALESCE((SELECT GROUP_CONCAT(JSON_OBJECT('connector', c.name, 'polling', c.polling,
		'tolerance', c.tolerance, 'failback', c.failback, 'send_window', c.send_window, 'settle', c.settle,
		'version', c.version) ORDER BY c.name SEPARATOR ',') FROM connector c), ''), ']}'`

// GroupQuery reads the management group as one JSON object for coord.Decode.
const GroupQuery = `SELECT CONCAT(CAST('{' AS BINARY),` + groupJSON + `)`

// beatQuery is the whole heartbeat (rule L1), in one request. Rows of leases and
// memberships that others hold locked are skipped, and then show a beat that did
// not grow; nothing here waits for a lock but the server's own row. The LIMIT keeps
// MySQL from merging what was looked for into the update, which may not select from
// the table that it updates. The group is read after the commit. Parameters: server, boot, number, presence, version,
// promised, the session's lock and its connection, the leases to renew, the
// reports, and how long the session may be silent, in seconds.
const beatQuery = `
SET SESSION wait_timeout = $11;
SET @tieline_held = COALESCE(CONNECTION_ID() = $8 AND IS_USED_LOCK($7) = $8, 0);
START TRANSACTION;
UPDATE server SET beat = $3, version = $5, promised = $6, heartbeat_at = ` + engine.Now + `,
	presence = CASE WHEN @tieline_held = 1 THEN $4 ELSE '' END
WHERE name = $1 AND boot = $2 AND beat IN ($3 - 1, $3);
SET @tieline_beaten = ROW_COUNT();
UPDATE (
	SELECT l.connector, a.epoch, a.promised
	FROM JSON_TABLE($9, '$[*]' COLUMNS (connector VARCHAR(190) PATH '$.connector', epoch BIGINT PATH '$.epoch',
		promised BIGINT PATH '$.promised')) AS a
	STRAIGHT_JOIN lease AS l ON l.connector = a.connector
	WHERE @tieline_beaten = 1 LIMIT 1000000 FOR UPDATE SKIP LOCKED) AS k
STRAIGHT_JOIN lease ON lease.connector = k.connector
SET lease.beat = lease.beat + 1, lease.promised = k.promised
WHERE lease.epoch = k.epoch AND lease.boot = $2 AND lease.server <> '';
UPDATE (
	SELECT m.connector, t.runs, t.eligible, t.reaches, t.reason
	FROM JSON_TABLE($10, '$[*]' COLUMNS (connector VARCHAR(190) PATH '$.connector', runs BIGINT PATH '$.runs',
		eligible INT PATH '$.eligible', reaches INT PATH '$.reaches', reason LONGTEXT PATH '$.reason')) AS t
	STRAIGHT_JOIN membership AS m ON m.connector = t.connector AND m.server = $1
	WHERE @tieline_beaten = 1
	  AND NOT (m.runs = t.runs AND m.eligible = t.eligible AND m.reaches = t.reaches AND CAST(m.reason AS BINARY) = CAST(t.reason AS BINARY))
	LIMIT 1000000 FOR UPDATE SKIP LOCKED) AS n
STRAIGHT_JOIN membership AS m ON m.connector = n.connector AND m.server = $1
SET m.runs = n.runs, m.eligible = n.eligible, m.reaches = n.reaches, m.reason = n.reason;
COMMIT;
SELECT CONCAT(CAST('{"beaten":' AS BINARY), @tieline_beaten, ',"held":', @tieline_held,
	',"boot":', JSON_QUOTE(COALESCE((SELECT boot FROM server WHERE name = $1), '')), ',',` + groupJSON + `)`

// swapped ends a compare-and-swap on a lease: it notes the event, commits, and
// answers whether it was done, with the epoch and the wish left.
const swapped = `
SELECT epoch, wish INTO @tieline_epoch, @tieline_wish FROM lease WHERE connector = $1;
COMMIT;
SELECT @tieline_done, COALESCE(@tieline_epoch, 0), COALESCE(@tieline_wish, '')`

// lockLease begins one: the former holder is read from the locked row.
const lockLease = `
SET @tieline_from = '', @tieline_epoch = 0, @tieline_wish = '';
START TRANSACTION;
SELECT server INTO @tieline_from FROM lease WHERE connector = $1 FOR UPDATE;`

// takeCondition is that of ha.Lease.Taken, a compare-and-swap on epoch and beat
// (rule L6). A server that was removed takes nothing.
const takeCondition = `
WHERE lease.connector = $1 AND lease.epoch = $2 AND lease.beat = $3 AND lease.identity IN ('', $7)
  AND EXISTS (SELECT 1 FROM server s JOIN membership m ON m.server = s.name
	WHERE s.name = $4 AND s.boot = $5 AND m.connector = $1)`

// takeQuery is ha.Lease.Taken. Before the row forgets its former holder it is noted
// until when that one lived; $9 is how long ago it was seen ending, 0 = it was not.
const takeQuery = lockLease + `
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT lease.connector, lease.epoch, CASE WHEN $9 > 0 THEN ` + engine.Now + ` - $9 ELSE former.heartbeat_at END, lease.server, '',
	CASE WHEN $9 > 0 THEN '` + engine.SeenEnding + `' ELSE '` + engine.LastHeard + `' END, ''
FROM lease JOIN server AS former ON former.name = lease.server AND former.boot = lease.boot` + takeCondition + `;
UPDATE lease SET epoch = epoch + 1, beat = 0, server = $4, boot = $5, promised = $6, identity = $7, successor = '',
	wish = CASE WHEN wish = $4 THEN '' ELSE wish END, since = ` + engine.Now + takeCondition + `;
SET @tieline_done = ROW_COUNT();
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT connector, epoch, since, @tieline_from, $4, $8, '' FROM lease WHERE connector = $1 AND @tieline_done = 1;` + swapped

// releaseQuery is ha.Lease.Released.
const releaseQuery = lockLease + `
UPDATE lease SET beat = beat + 1, successor = $4, wish = CASE WHEN wish IN ($4, server) THEN '' ELSE wish END,
	server = '', boot = '', since = ` + engine.Now + `
WHERE connector = $1 AND epoch = $2 AND boot = $3 AND server <> '';
SET @tieline_done = ROW_COUNT();
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT connector, epoch, since, @tieline_from, '', $5, '' FROM lease WHERE connector = $1 AND @tieline_done = 1;` + swapped

// doubtSet is alert.Link.Doubt; $2 and $4 make the epoch of the hold.
const doubtSet = `
UPDATE link SET
	stage = CASE WHEN stage IN ('fresh', 'looked', 'uncertain') THEN 'uncertain' ELSE 'verify' END,
	hold_epoch = $2 + $4, hold_until = 0, changed_at = ` + engine.Now + `,
	due_at = CASE WHEN parked = '' AND claim_id IS NULL THEN COALESCE(due_at, ` + engine.Now + `) END
WHERE connector = $1 AND skipped = '' AND hold_epoch <> $2 + $4`

// doubtStepQuery puts up to $5 links in doubt, those from alert $6 on, while the
// lease still shows the old history. The hold's epoch marks those done.
const doubtStepQuery = `
SELECT count(*), MAX(alert_id) INTO @tieline_found, @tieline_last FROM (
	SELECT alert_id FROM link
	WHERE alert_id >= $6 AND connector = $1 AND skipped = '' AND hold_epoch <> $2 + $4
	  AND EXISTS (SELECT 1 FROM lease WHERE connector = $1 AND epoch = $2 AND identity NOT IN ('', $3))
	ORDER BY alert_id LIMIT $5) AS some;` + doubtSet + `
  AND alert_id >= $6 AND alert_id <= @tieline_last
  AND EXISTS (SELECT 1 FROM lease WHERE connector = $1 AND epoch = $2 AND identity NOT IN ('', $3));
SELECT @tieline_found, @tieline_last`

// doubtQuery is ha.Lease.Doubted, with alert.Link.Doubt for the links not yet in
// doubt (rule L8).
const doubtQuery = lockLease + `
UPDATE lease SET epoch = epoch + $4, beat = 0, server = '', boot = '', successor = '', identity = $3,
	since = ` + engine.Now + `
WHERE connector = $1 AND epoch = $2 AND identity NOT IN ('', $3);
SET @tieline_done = ROW_COUNT();` + doubtSet + ` AND @tieline_done = 1;
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT connector, epoch, since, @tieline_from, '', $5, '' FROM lease WHERE connector = $1 AND @tieline_done = 1;` + swapped
