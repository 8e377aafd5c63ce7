package main

// The statements that keep the rules, on the engine that needs no server. What
// they do is the same on every engine, and held there by the same suites. SQLite
// runs one write at a time: what only two contenders can show is broken in
// PostgreSQL's statement.

// claimTexts break rules C1 to C9 in SQL.
var claimTexts = []mutation{
	{rule: "C1", broken: "the claim statement compares no epoch (SQL)", quick: true, edits: []edit{{sqliteDir + "claim.go",
		"AND EXISTS (SELECT 1 FROM lease WHERE connector = $1 AND epoch = $2 AND boot = $3",
		"AND EXISTS (SELECT 1 FROM lease WHERE connector = $1 AND epoch >= 0 * $2 AND boot = $3"}}},
	{rule: "C1", broken: "the claim statement compares no boot id (SQL)", edits: []edit{{sqliteDir + "claim.go",
		"AND epoch = $2 AND boot = $3", "AND epoch = $2 AND boot <> '-' || $3"}}},
	{rule: "C1", broken: "a claimed link may be claimed again (SQL)", edits: []edit{
		{sqliteDir + "claim.go", "due_at <= (SELECT now FROM clock) AND claim_id IS NULL", "due_at <= (SELECT now FROM clock)"},
		{sqliteDir + "claim.go", "AND due_at IS NOT NULL AND claim_id IS NULL AND parked", "AND due_at IS NOT NULL AND parked"},
		{sqliteDir + "claim.go", "claim_epoch = $2, due_at = NULL", "claim_epoch = $2"}}},
	{rule: "C1", broken: "the condition is not repeated on the row that is updated (SQL)", edits: []edit{{sqliteDir + "claim.go",
		"  AND connector = $1 AND due_at IS NOT NULL AND claim_id IS NULL AND parked = '' AND skipped = ''\n", "  AND connector = $1\n"}}},
	{rule: "C1", broken: "the condition is not repeated on the row that is updated (PostgreSQL)", by: "the_row_itself_must_be_due", edits: []edit{{postgresDir + "claim.go",
		"  AND connector = $1 AND due_at IS NOT NULL AND claim_id IS NULL AND parked = '' AND skipped = ''\n", "  AND connector = $1\n"}}},
	{rule: "C1", broken: "a sub-select alone says which rows are claimed (PostgreSQL)", by: "every_link_is_claimed_once", edits: []edit{
		{postgresDir + "claim.go", "WHERE ctid = ANY (ARRAY(\n\tSELECT ctid FROM link", "WHERE (alert_id, side) IN (\n\tSELECT alert_id, side FROM link"},
		{postgresDir + "claim.go", "ORDER BY due_at LIMIT $6 FOR UPDATE SKIP LOCKED))", "ORDER BY due_at LIMIT $6)"},
		{postgresDir + "claim.go", "  AND connector = $1 AND due_at IS NOT NULL AND claim_id IS NULL AND parked = '' AND skipped = ''\n", "  AND connector = $1\n"}}},
	{rule: "C1", broken: "a claim waits for a contender that is frozen (PostgreSQL)", by: "a_frozen_contender", edits: []edit{{postgresDir + "claim.go",
		"FOR UPDATE SKIP LOCKED", "FOR UPDATE"}}},
	{rule: "C4", broken: "claims of the present term are expired too (SQL)", edits: []edit{{storeDir + "claim.go",
		"AND (claim_epoch < $2 OR", "AND (claim_epoch <= $2 OR"}}},
	{rule: "C4", broken: "a deposed term may expire claims (SQL)", edits: []edit{{storeDir + "claim.go",
		"|| CAST(claim_id AS text) || '%')\n  AND ` + fence", "|| CAST(claim_id AS text) || '%')\n  AND (' ' <> $3 || $4)`"}}},
	{rule: "C4", broken: "holds of other terms are not waited for (SQL)", edits: []edit{{sqliteDir + "claim.go",
		"hold_until <= $8 OR hold_epoch <> $2 AND $7 = 1)\n\tORDER BY", "hold_until <= $8 OR hold_epoch <> $2 AND $7 >= 0)\n\tORDER BY"}, {sqliteDir + "claim.go",
		"hold_until <= $8 OR hold_epoch <> $2 AND $7 = 1)\n  AND EXISTS", "hold_until <= $8 OR hold_epoch <> $2 AND $7 >= 0)\n  AND EXISTS"}}},
	{rule: "C5", broken: "an outcome is recorded whichever claim the link carries (SQL)", edits: []edit{{storeDir + "record.go",
		"AND link.claim_id IS NOT DISTINCT FROM input.claim AND link.evidence = ''", "AND link.evidence = ''"}}},
	{rule: "C6", broken: "an expired update is not read back (SQL)", edits: []edit{{storeDir + "claim.go",
		"WHEN 'looked' THEN 'uncertain' WHEN 'settled' THEN 'verify' ELSE", "WHEN 'looked' THEN 'uncertain' ELSE"}}},
	{rule: "C8", broken: "an expired create is taken for one that was never sent (SQL)", edits: []edit{{storeDir + "claim.go",
		"stage = CASE stage WHEN 'fresh' THEN 'uncertain' WHEN", "stage = CASE stage WHEN"}}},
	{rule: "C9", broken: "bookmarks are moved without a comparison (SQL)", edits: []edit{{storeDir + "mail.go",
		"AND name = $5 AND value = $6 AND ` + fence", "AND name = $5 AND value <> '-' || $6 AND ` + fence"}}},
	{rule: "C9", broken: "a deposed term may move a bookmark (SQL)", edits: []edit{{storeDir + "mail.go",
		"AND name = $5 AND value = $6 AND ` + fence", "AND name = $5 AND value = $6 AND ($2 + 0 <> -1 AND ' ' <> $3 || $4)`"}}},
}

// leaseTexts break rules L1 to L9 in SQL.
var leaseTexts = []mutation{
	{rule: "L1", broken: "a heartbeat compares no number (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"\n  AND beat IN (?1->>'number' - 1, ?1->>'number')`", "`"}}},
	{rule: "L1", broken: "a heartbeat whose answer was lost is refused when it is repeated (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"AND beat IN (?1->>'number' - 1, ?1->>'number')", "AND beat IN (?1->>'number' - 1)"}}},
	{rule: "L1", broken: "a heartbeat of a replaced process passes (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"WHERE name = ?1->>'server' AND boot = ?1->>'boot'\n", "WHERE name = ?1->>'server'\n"}}},
	{rule: "L1", broken: "a renewal is not guarded by the epoch (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"WHERE lease.connector = a.connector AND lease.epoch = a.epoch\n", "WHERE lease.connector = a.connector\n"}}},
	{rule: "L1", broken: "a renewal is not guarded by the boot id (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"AND lease.boot = ?1->>'boot' AND lease.server <> ''", "AND lease.server <> ''"}}},
	{rule: "L3", broken: "a release names nobody (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"server = '', boot = '', successor = ?4,", "server = '', boot = '', successor = '',"}}},
	{rule: "L3", broken: "a release is not guarded by the epoch (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"WHERE connector = ?1 AND epoch = ?2 AND boot = ?3 AND server <> ''", "WHERE connector = ?1 AND epoch >= 0 * ?2 AND boot = ?3 AND server <> ''"}}},
	{rule: "L6", broken: "a take-over compares no beat (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"epoch = ?2 AND beat = ?3 AND identity IN", "epoch = ?2 AND beat >= 0 * ?3 AND identity IN"}}},
	{rule: "L6", broken: "a take-over compares no epoch (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"epoch = ?2 AND beat = ?3 AND identity IN", "epoch >= 0 * ?2 AND beat = ?3 AND identity IN"}}},
	{rule: "L8", broken: "a lease of another history may be taken (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"AND beat = ?3 AND identity IN ('', ?7)", "AND beat = ?3 AND identity <> '-' || ?7"}}},
	{rule: "L8", broken: "the epoch does not jump when the history changes (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"UPDATE lease SET epoch = epoch + ?4, beat = 0", "UPDATE lease SET epoch = epoch + 0 * ?4, beat = 0"}}},
	{rule: "L8", broken: "the claim statement compares no history (SQL)", edits: []edit{{sqliteDir + "claim.go",
		"AND identity = $4 AND identity = (SELECT identity FROM history))", "AND identity <> '-' || $4)"}}},
	{rule: "L8", broken: "links are not put in doubt when the history changes (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"THEN 'uncertain' ELSE 'verify' END,\n", "THEN stage ELSE stage END,\n"}}},
	{rule: "L8", broken: "doubted links are not held (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"hold_epoch = ?2 + ?4, hold_until = 0,", "hold_epoch = 0 * (?2 + ?4), hold_until = 0,"}}},
	{rule: "L9", broken: "a heartbeat of a removed server is answered as if it counted", edits: []edit{{sqliteDir + "coord.go",
		"case errors.Is(err, sql.ErrNoRows), err == nil && boot != in.Boot:\n\t\treturn ha.ErrReplaced", "case errors.Is(err, sql.ErrNoRows), err == nil && boot != in.Boot:\n\t\treturn nil"}}},
	{rule: "L9", broken: "a heartbeat brings a removed server's row back (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"UPDATE server SET beat = ?1->>'number', version = ?1->>'version', promised = ?1->>'promised',\n\tpresence = ?1->>'presence', heartbeat_at = ` + engine.Now + `\nWHERE",
		"INSERT INTO server (name, address, boot, presence, beat, version, heartbeat_at, promised, high_availability, joined_at)\n" +
			"SELECT ?1->>'server', '', ?1->>'boot', '', ?1->>'number' - 1, '', now, 0, 1, now FROM clock WHERE true\n" +
			"ON CONFLICT (name) DO UPDATE SET beat = ?1->>'number', version = ?1->>'version', promised = ?1->>'promised',\n" +
			"\tpresence = ?1->>'presence', heartbeat_at = ` + engine.Now + `\nWHERE"}}},
	{rule: "L9", broken: "a server that is no member any more takes over (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"\n\tAND EXISTS (SELECT 1 FROM server s JOIN membership m ON m.server = s.name\n\t\tWHERE s.name = ?4 AND s.boot = ?5 AND m.connector = ?1)`",
		"\n\tAND EXISTS (SELECT 1 FROM server s\n\t\tWHERE s.name = ?4 AND s.boot = ?5)`"}}},
	{rule: "L9", broken: "a removed server takes over (SQL)", edits: []edit{{sqliteDir + "coord_sql.go",
		"\n\tAND EXISTS (SELECT 1 FROM server s JOIN membership m ON m.server = s.name\n\t\tWHERE s.name = ?4 AND s.boot = ?5 AND m.connector = ?1)`",
		" AND ?4 <> '-' || ?5`"}}},
	{rule: "L9", broken: "an Active is removed without a switchover (SQL)", edits: []edit{{storeDir + "admin_ha.go",
		"\tif members[at].live {\n\t\ttarget", "\tif members[at].live && false {\n\t\ttarget"}}},
	{rule: "L9", broken: "the last server of a connector is removed (SQL)", edits: []edit{{storeDir + "admin_ha.go",
		"if len(members) == 1 {", "if len(members) == 0 {"}}},
}
