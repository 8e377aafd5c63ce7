package sqlserver

import "tieline/internal/store/engine"

// groupTexts are the statements that read the group.
type groupTexts struct {
	query string // answers the JSON object alone
	read  string // of a session: flags, then the object
	beat  string
	alone string // a heartbeat without a presence, where locks may be unknown
}

// textsOf returns the statements. Where reading is not of row versions, it would
// wait for whoever is in the middle of a transaction, and for ever for one that
// is frozen there; the group is then read as it lies. That is safe: what is
// decided by it is a compare-and-swap on the rows as they are committed.
func textsOf(versions bool) groupTexts {
	hint := " WITH (NOLOCK)"
	if versions {
		hint = ""
	}
	group := groupJSON(hint)
	answer := "SELECT @boot = boot FROM server" + hint + " WHERE name = $1;\n" +
		"SELECT @beaten, @held, COALESCE(@boot, N''), " + group
	return groupTexts{
		query: prologue + "SELECT " + group,
		read:  prologue + "SELECT CAST(1 AS bigint), CAST(1 AS bigint), N'', " + group,
		beat:  beatBegin + heldText + beatText + answer,
		alone: beatBegin + beatText + answer,
	}
}

// groupJSON is the object that coord.Decode reads. Its lists are put together as
// text: a list inside a list's query would be read as a string by some servers. Each
// says its collation, as what differs in that cannot be put together.
func groupJSON(hint string) string {
	return `N'{"beaten":1,"held":1,"identity":"' + REPLACE(COALESCE((SELECT [identity] FROM history), N''), N'\', N'\\') +
N'","servers":' + COALESCE((SELECT s.name, s.address, s.boot, s.presence, s.beat, s.version, s.heartbeat_at,
		CASE WHEN @now > s.heartbeat_at THEN @now - s.heartbeat_at ELSE 0 END AS silence, s.promised
	FROM server AS s` + hint + ` ORDER BY s.name FOR JSON PATH), N'[]')` + collate + ` +
N',"members":' + COALESCE((SELECT m.connector, m.server, m.position, m.runs, m.eligible, m.reaches, m.reason
	FROM membership AS m` + hint + ` ORDER BY m.connector, m.position, m.server FOR JSON PATH), N'[]')` + collate + ` +
N',"leases":' + COALESCE((SELECT l.connector, l.epoch, l.beat, l.server, l.boot, l.promised, l.successor, l.wish,
		l.[identity], CASE WHEN EXISTS (SELECT 1 FROM link AS k` + hint + ` WHERE k.connector = l.connector
			AND k.due_at IS NOT NULL AND k.due_at <= @now) THEN 1 ELSE 0 END AS waiting
	FROM lease AS l` + hint + ` ORDER BY l.connector FOR JSON PATH), N'[]')` + collate + ` +
N',"settings":' + COALESCE((SELECT c.name AS connector, c.polling, c.tolerance, c.failback, c.send_window, c.settle, c.version
	FROM connector AS c` + hint + ` ORDER BY c.name FOR JSON PATH), N'[]')` + collate + ` + N'}'`
}

// beatText is the whole heartbeat (rule L1), a transaction for each of its
// statements. Rows that others hold locked are skipped; a server that ignores the
// hints waits for them a second, and goes on without them, here or by an error
// that TRY does not catch everywhere (session.Beat).
const (
	beatBegin = prologue + "DECLARE @held bigint = 0, @beaten bigint = 0, @boot nvarchar(100);\n"
	heldText  = "IF APPLOCK_MODE(N'public', $9, N'Session') = N'Exclusive' SET @held = 1;\n"
	beatText  = `UPDATE server SET beat = $3, version = $5, promised = $6, heartbeat_at = @now,
	presence = CASE WHEN @held = 1 THEN $4 ELSE N'' END
WHERE name = $1 AND boot = $2 AND beat IN ($3 - 1, $3);
SET @beaten = @@ROWCOUNT;
IF @beaten > 0
BEGIN
	BEGIN TRY
		UPDATE lease SET beat = lease.beat + 1, promised = asked.promised
		FROM OPENJSON($7) WITH (connector nvarchar(100), epoch bigint, promised bigint) AS asked
		JOIN lease WITH (READCOMMITTEDLOCK, UPDLOCK, READPAST)
		  ON lease.connector = asked.connector` + collate + `
		WHERE lease.epoch = asked.epoch AND lease.boot = $2 AND lease.server <> N'';
		UPDATE membership SET runs = told.runs, eligible = told.eligible, reaches = told.reaches, reason = told.reason
		FROM OPENJSON($8) WITH (connector nvarchar(100), runs bigint, eligible int, reaches int, reason nvarchar(max)) AS told
		JOIN membership WITH (READCOMMITTEDLOCK, UPDLOCK, READPAST)
		  ON membership.connector = told.connector` + collate + ` AND membership.server = $1
		WHERE membership.runs <> told.runs OR membership.eligible <> told.eligible OR membership.reaches <> told.reaches
		  OR membership.reason <> told.reason` + collate + `;
	END TRY
	BEGIN CATCH
		IF ERROR_NUMBER() NOT IN (1205, 1222)
		BEGIN
			THROW;
		END;
	END CATCH;
END;
`
)

// Each of these locks the lease's row by updating it with what it has, under the
// condition of the compare-and-swap; what follows is of that row as nobody else
// can change it. An OUTPUT of what was there before would say it in one
// statement, but some servers make that a join with the row as it was, which
// finds nothing where another change of the row was waited for.
const (
	swapBegin = "DECLARE @epoch bigint, @wish nvarchar(100), @was nvarchar(100), @locked bigint;\nBEGIN TRANSACTION;\n"
	swapWas   = ";\nSET @locked = @@ROWCOUNT;\n"
	swapEnd   = ";\nSELECT @epoch = epoch, @wish = wish FROM lease WHERE connector = $1;\nCOMMIT TRANSACTION;\n" + swapSaid
	swapSaid  = "SELECT @epoch, @wish WHERE @locked = 1"
)

// takeText is ha.Lease.Taken, a compare-and-swap on epoch and beat (rule L6), with
// its events: until when the former holder lived ($9 is how long ago it was seen
// ending, 0 = it was not), and the change. A server that was removed takes nothing.
const takeText = prologue + swapBegin + `UPDATE lease SET wish = wish
WHERE connector = $1 AND epoch = $2 AND beat = $3 AND [identity] IN (N'', $7)
  AND EXISTS (SELECT 1 FROM server AS s JOIN membership AS m ON m.server = s.name
	WHERE s.name = $4 AND s.boot = $5 AND m.connector = $1)` + swapWas + `SELECT @was = server FROM lease WHERE connector = $1;
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT lease.connector, lease.epoch, CASE WHEN $9 > 0 THEN @now - $9 ELSE former.heartbeat_at END, lease.server, N'',
	CASE WHEN $9 > 0 THEN N'` + engine.SeenEnding + `' ELSE N'` + engine.LastHeard + `' END, N''
FROM lease JOIN server AS former ON former.name = lease.server AND former.boot = lease.boot
WHERE lease.connector = $1 AND @locked = 1;
UPDATE lease SET epoch = epoch + 1, beat = 0, server = $4, boot = $5, promised = $6, [identity] = $7, successor = N'',
	wish = CASE WHEN wish = $4 THEN N'' ELSE wish END, since = @now
WHERE connector = $1 AND epoch = $2 AND beat = $3 AND @locked = 1;
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT $1, epoch, @now, @was, $4, $8, N'' FROM lease WHERE connector = $1 AND @locked = 1` + swapEnd

// releaseText is ha.Lease.Released.
const releaseText = prologue + swapBegin + `UPDATE lease SET wish = wish
WHERE connector = $1 AND epoch = $2 AND boot = $3 AND server <> N''` + swapWas + `SELECT @was = server FROM lease WHERE connector = $1;
UPDATE lease SET beat = beat + 1, server = N'', boot = N'', successor = $4,
	wish = CASE WHEN wish IN ($4, server) THEN N'' ELSE wish END, since = @now
WHERE connector = $1 AND epoch = $2 AND boot = $3 AND @locked = 1;
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT $1, epoch, @now, @was, N'', $5, N'' FROM lease WHERE connector = $1 AND @locked = 1` + swapEnd

// doubtSet is alert.Link.Doubt under the hold's epoch, @hold.
const doubtSet = `stage = CASE WHEN stage IN (N'fresh', N'looked', N'uncertain') THEN N'uncertain' ELSE N'verify' END,
	hold_epoch = @hold, hold_until = 0, changed_at = @now,
	due_at = CASE WHEN parked = N'' AND claim_id IS NULL THEN COALESCE(due_at, @now) END`

// doubtStepText puts about $5 links in doubt, those from alert $6 on, while the
// lease still shows the old history. The hold's epoch marks those done. What
// others hold locked is left to doubtText.
const doubtStepText = prologue + `DECLARE @hold bigint = (SELECT epoch + $4 FROM lease
	WHERE connector = $1 AND epoch = $2 AND [identity] NOT IN (N'', $3));
DECLARE @todo bigint, @last char(36);
SELECT @todo = COUNT(*), @last = MAX(piece.alert_id) FROM (SELECT TOP ($5) alert_id FROM link WITH (READCOMMITTEDLOCK, READPAST)
	WHERE connector = $1 AND alert_id >= $6 AND skipped = N'' AND hold_epoch <> @hold
	ORDER BY alert_id) AS piece;
UPDATE link WITH (READCOMMITTEDLOCK, READPAST) SET ` + doubtSet + `
WHERE connector = $1 AND alert_id >= $6 AND alert_id <= @last AND skipped = N'' AND hold_epoch <> @hold;
SELECT @todo, COALESCE(@last, $6)`

// doubtText is ha.Lease.Doubted, with alert.Link.Doubt for the links not yet in
// doubt (rule L8).
const doubtText = prologue + `DECLARE @hold bigint = $2 + $4;
` + swapBegin + `UPDATE lease SET wish = wish
WHERE connector = $1 AND epoch = $2 AND [identity] NOT IN (N'', $3)` + swapWas + `SELECT @was = server FROM lease WHERE connector = $1;
UPDATE lease SET epoch = @hold, beat = 0, server = N'', boot = N'', successor = N'', [identity] = $3, since = @now
WHERE connector = $1 AND epoch = $2 AND @locked = 1;
UPDATE link SET ` + doubtSet + `
WHERE connector = $1 AND skipped = N'' AND hold_epoch <> @hold AND @locked = 1;
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT $1, @hold, @now, @was, N'', $5, N'' WHERE @locked = 1` + swapEnd
