package mysql

// claim claims due links (rule C1) in one request of two statements, the second
// of which is a transaction of its own. The first reads the lease without
// locking it, which a statement over several tables would do: heartbeats would
// then skip its renewal. Nobody is waited for between the two; a take-over that
// commits there is one that commits after the other engines' statement has read
// the lease. Candidates are locked, and those that others have locked passed
// over; what makes a claim a claim is the condition on the very rows updated.
const claim = `
SELECT ` + fence + ` INTO @tieline_ours;
UPDATE (
	SELECT alert_id, side FROM link
	WHERE @tieline_ours = 1 AND connector = $1 AND due_at >= $9 AND due_at <= (SELECT now FROM clock) AND claim_id IS NULL
	  AND (hold_epoch = 0 OR hold_epoch = $2 AND hold_until <= $8 OR hold_epoch <> $2 AND $7 = 1)
	ORDER BY due_at LIMIT $6 FOR UPDATE SKIP LOCKED) AS found
STRAIGHT_JOIN link ON link.alert_id = found.alert_id AND link.connector = $1 AND link.side = found.side
SET link.claim_id = $5, link.claim_epoch = $2, link.due_at = NULL
WHERE link.due_at IS NOT NULL AND link.claim_id IS NULL AND link.parked = '' AND link.skipped = ''
  AND (link.stage <> 'settled' OR link.delivered < link.wanted OR link.notes_delivered < link.notes_wanted)
  AND (link.hold_epoch = 0 OR link.hold_epoch = $2 AND link.hold_until <= $8 OR link.hold_epoch <> $2 AND $7 = 1)`
