package sqlserver

// groupTexts are the statements that read the group.
type groupTexts struct {
	query string // answers the JSON object alone
	read  string // of a session: flags, then the object
	beat  string
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
	return groupTexts{
		query: prologue + "SELECT " + group,
		read:  prologue + "SELECT CAST(1 AS bigint), CAST(1 AS bigint), N'', " + group,
		beat: beatText + "SELECT @boot = boot FROM server" + hint + " WHERE name = $1;\n" +
			"SELECT @beaten, @held, COALESCE(@boot, N''), " + group,
	}
}

// groupJSON is the object that coord.Decode reads. Its lists are put together as
// text: a list inside a list's query would be read as a string by some servers.
func groupJSON(hint string) string {
	return `N'{"beaten":1,"held":1,"identity":"' + REPLACE(COALESCE((SELECT [identity] FROM history), N''), N'\', N'\\') +
N'","servers":' + COALESCE((SELECT s.name, s.address, s.boot, s.presence, s.beat, s.version, s.heartbeat_at,
		CASE WHEN @now > s.heartbeat_at THEN @now - s.heartbeat_at ELSE 0 END AS silence, s.promised
	FROM server AS s` + hint + ` ORDER BY s.name FOR JSON PATH), N'[]') +
N',"members":' + COALESCE((SELECT m.connector, m.server, m.position, m.runs, m.eligible, m.reaches, m.reason
	FROM membership AS m` + hint + ` ORDER BY m.connector, m.position, m.server FOR JSON PATH), N'[]') +
N',"leases":' + COALESCE((SELECT l.connector, l.epoch, l.beat, l.server, l.boot, l.promised, l.successor, l.wish,
		l.[identity], CASE WHEN EXISTS (SELECT 1 FROM link AS k` + hint + ` WHERE k.connector = l.connector
			AND k.due_at IS NOT NULL AND k.due_at <= @now) THEN 1 ELSE 0 END AS waiting
	FROM lease AS l` + hint + ` ORDER BY l.connector FOR JSON PATH), N'[]') +
N',"settings":' + COALESCE((SELECT c.name AS connector, c.polling, c.tolerance, c.failback, c.send_window, c.settle, c.version
	FROM connector AS c` + hint + ` ORDER BY c.name FOR JSON PATH), N'[]') + N'}'`
}

// beatText is the whole heartbeat (rule L1), a transaction for each of its
// statements. Rows that others hold locked are skipped; a server that ignores the
// hints waits for them a second, and goes on without them.
const beatText = prologue + `DECLARE @held bigint = 0, @beaten bigint = 0, @boot nvarchar(100);
IF $4 <> N'' AND APPLOCK_MODE(N'public', $9, N'Session') = N'Exclusive' SET @held = 1;
UPDATE server SET beat = $3, version = $5, promised = $6, heartbeat_at = @now,
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
		IF ERROR_NUMBER() NOT IN (1205, 1222) THROW;
	END CATCH;
END;
`

// takeText is ha.Lease.Taken, a compare-and-swap on epoch and beat (rule L6), with
// its event. A server that was removed takes nothing.
const takeText = prologue + `DECLARE @took TABLE (epoch bigint, wish nvarchar(100), was nvarchar(100));
BEGIN TRANSACTION;
UPDATE lease SET epoch = epoch + 1, beat = 0, server = $4, boot = $5, promised = $6, [identity] = $7, successor = N'',
	wish = CASE WHEN wish = $4 THEN N'' ELSE wish END, since = @now
OUTPUT inserted.epoch, inserted.wish, deleted.server INTO @took
WHERE connector = $1 AND epoch = $2 AND beat = $3 AND [identity] IN (N'', $7)
  AND EXISTS (SELECT 1 FROM server AS s JOIN membership AS m ON m.server = s.name
	WHERE s.name = $4 AND s.boot = $5 AND m.connector = $1);
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT $1, epoch, @now, was, $4, $8, N'' FROM @took;
COMMIT TRANSACTION;
SELECT epoch, wish FROM @took`

// releaseText is ha.Lease.Released.
const releaseText = prologue + `DECLARE @released TABLE (epoch bigint, wish nvarchar(100), was nvarchar(100));
BEGIN TRANSACTION;
UPDATE lease SET beat = beat + 1, server = N'', boot = N'', successor = $4,
	wish = CASE WHEN wish IN ($4, server) THEN N'' ELSE wish END, since = @now
OUTPUT inserted.epoch, inserted.wish, deleted.server INTO @released
WHERE connector = $1 AND epoch = $2 AND boot = $3 AND server <> N'';
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT $1, epoch, @now, was, N'', $5, N'' FROM @released;
COMMIT TRANSACTION;
SELECT epoch, wish FROM @released`

// doubtSet is alert.Link.Doubt under the hold's epoch, @epoch.
const doubtSet = `stage = CASE WHEN link.stage IN (N'fresh', N'looked', N'uncertain') THEN N'uncertain' ELSE N'verify' END,
	hold_epoch = @epoch, hold_until = 0, changed_at = @now,
	due_at = CASE WHEN link.parked = N'' AND link.claim_id IS NULL THEN COALESCE(link.due_at, @now) END`

// doubtStepText puts up to $5 links in doubt, those from alert $6 on, while the
// lease still shows the old history. The hold's epoch marks those done.
const doubtStepText = prologue + `DECLARE @epoch bigint = (SELECT epoch + $4 FROM lease
	WHERE connector = $1 AND epoch = $2 AND [identity] NOT IN (N'', $3));
DECLARE @done TABLE (alert_id char(36));
UPDATE link SET ` + doubtSet + `
OUTPUT inserted.alert_id INTO @done
FROM link
JOIN (SELECT TOP ($5) alert_id, connector, side FROM link WITH (READCOMMITTEDLOCK, UPDLOCK, READPAST)
	WHERE connector = $1 AND alert_id >= $6 AND skipped = N'' AND hold_epoch <> @epoch
	ORDER BY alert_id) AS todo
  ON todo.alert_id = link.alert_id AND todo.connector = link.connector AND todo.side = link.side
WHERE link.hold_epoch <> @epoch;
SELECT CAST(COUNT(*) AS bigint), COALESCE(MAX(alert_id), $6) FROM @done`

// doubtText is ha.Lease.Doubted, with alert.Link.Doubt for the links not yet in
// doubt (rule L8).
const doubtText = prologue + `DECLARE @moved TABLE (epoch bigint, wish nvarchar(100), was nvarchar(100));
DECLARE @epoch bigint;
BEGIN TRANSACTION;
UPDATE lease SET epoch = epoch + $4, beat = 0, server = N'', boot = N'', successor = N'', [identity] = $3, since = @now
OUTPUT inserted.epoch, inserted.wish, deleted.server INTO @moved
WHERE connector = $1 AND epoch = $2 AND [identity] NOT IN (N'', $3);
SET @epoch = (SELECT epoch FROM @moved);
UPDATE link SET ` + doubtSet + `
WHERE connector = $1 AND skipped = N'' AND hold_epoch <> @epoch;
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT $1, epoch, @now, was, N'', $5, N'' FROM @moved;
COMMIT TRANSACTION;
SELECT epoch, wish FROM @moved`
