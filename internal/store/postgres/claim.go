package postgres

// claimText claims due links by one statement (rule C1). Candidates are locked
// so that two contenders do not wait for each other; what makes a claim a claim
// is the condition on the very rows updated, as a sub-select alone gave rows to
// two sessions under READ COMMITTED. The lease row is read, never locked.
//
// Rows are updated by their place, which the lock keeps until the statement
// ends; this is a fifth cheaper than by key. A row that changed after the
// statement began has another place by then and waits for the next claim.
const claimText = `
UPDATE link SET claim_id = $5, claim_epoch = $2, due_at = NULL
WHERE ctid = ANY (ARRAY(
	SELECT ctid FROM link
	WHERE connector = $1 AND due_at >= $9 AND due_at <= (SELECT now FROM clock) AND claim_id IS NULL
	  AND (hold_epoch = 0 OR hold_epoch = $2 AND hold_until <= $8 OR hold_epoch <> $2 AND $7 = 1)
	ORDER BY due_at LIMIT $6 FOR UPDATE SKIP LOCKED))
  AND connector = $1 AND due_at IS NOT NULL AND claim_id IS NULL AND parked = '' AND skipped = ''
  AND (stage <> 'settled' OR delivered < wanted OR notes_delivered < notes_wanted)
  AND (hold_epoch = 0 OR hold_epoch = $2 AND hold_until <= $8 OR hold_epoch <> $2 AND $7 = 1)
  AND EXISTS (SELECT 1 FROM lease WHERE connector = $1 AND epoch = $2 AND boot = $3
	AND identity = $4 AND identity = (SELECT identity FROM history))`
