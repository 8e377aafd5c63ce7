package sqlite

// claimText claims due links by one statement (rule C1). SQLite runs one write
// at a time, so the condition repeated on the updated row can only confirm what
// the sub-select found; it stays, as the rule is the same for every engine.
const claimText = `
UPDATE link SET claim_id = $5, claim_epoch = $2, due_at = NULL
WHERE rowid IN (
	SELECT rowid FROM link
	WHERE connector = $1 AND due_at >= $9 AND due_at <= (SELECT now FROM clock) AND claim_id IS NULL
	  AND (hold_epoch = 0 OR hold_epoch = $2 AND hold_until <= $8 OR hold_epoch <> $2 AND $7 = 1)
	ORDER BY due_at LIMIT $6)
  AND connector = $1 AND due_at IS NOT NULL AND claim_id IS NULL AND parked = '' AND skipped = ''
  AND (stage <> 'settled' OR delivered < wanted OR notes_delivered < notes_wanted)
  AND (hold_epoch = 0 OR hold_epoch = $2 AND hold_until <= $8 OR hold_epoch <> $2 AND $7 = 1)
  AND EXISTS (SELECT 1 FROM lease WHERE connector = $1 AND epoch = $2 AND boot = $3
	AND identity = $4 AND identity = (SELECT identity FROM history))`
