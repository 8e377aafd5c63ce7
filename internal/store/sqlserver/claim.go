package sqlserver

// due is the condition of a claim on a link, of the shared parameters; it stands
// on the rows that are looked for, and again on those that are updated.
const due = `link.connector = $1 AND link.due_at >= $9 AND link.due_at <= (SELECT now FROM clock)
	  AND link.due_at IS NOT NULL AND link.claim_id IS NULL
	  AND (link.hold_epoch = 0 OR link.hold_epoch = $2 AND link.hold_until <= $8 OR link.hold_epoch <> $2 AND $7 = 1)`

// claimText claims due links by one statement (rule C1). The rows are looked for
// past those that others hold locked, where the engine heeds hints; what makes a
// claim a claim is the condition on the very rows updated, as a sub-select with
// TOP alone gave rows to two sessions. The lease row is read, never locked.
// READCOMMITTEDLOCK lets rows be skipped under READ_COMMITTED_SNAPSHOT too.
const claimText = `UPDATE link SET claim_id = $5, claim_epoch = $2, due_at = NULL
FROM link
JOIN (SELECT TOP ($6) link.alert_id, link.connector, link.side
	FROM link WITH (READCOMMITTEDLOCK, UPDLOCK, READPAST)
	WHERE ` + due + `
	ORDER BY link.due_at) AS found
  ON found.alert_id = link.alert_id AND found.connector = link.connector AND found.side = link.side
WHERE ` + due + ` AND link.parked = N'' AND link.skipped = N''
  AND (link.stage <> N'settled' OR link.delivered < link.wanted OR link.notes_delivered < link.notes_wanted)
  AND ` + fence

// fence is the store's condition that the lease names the term; $1 to $4 are the
// term's.
const fence = `EXISTS (SELECT 1 FROM lease WHERE lease.connector = $1 AND lease.epoch = $2 AND lease.boot = $3
	AND lease.[identity] = $4 AND lease.[identity] = (SELECT [identity] FROM history))`
