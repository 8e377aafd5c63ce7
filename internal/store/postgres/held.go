package postgres

import (
	"context"
	"fmt"
)

// AllHeld returns which of the presences somebody holds, in one statement on a
// connection of the pool. Waiters ask for shared locks; only the holder's counts.
func (c *Coordinator) AllHeld(ctx context.Context, presences []string) (map[string]bool, error) {
	byKey := make(map[int64]string, len(presences))
	keys := make([]int64, 0, len(presences))
	for _, name := range presences {
		key := lockKey(name)
		byKey[key] = name
		keys = append(keys, key)
	}
	rows, err := c.work.QueryContext(ctx, `
SELECT (k.classid::bigint << 32) | k.objid::bigint FROM pg_locks k
WHERE k.locktype = 'advisory' AND k.granted AND k.mode = 'ExclusiveLock' AND k.objsubid = 1
  AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((k.classid::bigint << 32) | k.objid::bigint) = ANY ($1)`, keys)
	if err != nil {
		return nil, fmt.Errorf("look at the presences: %w", err)
	}
	defer rows.Close()
	held := make(map[string]bool, len(presences))
	for rows.Next() {
		var key int64
		if err := rows.Scan(&key); err != nil {
			return nil, fmt.Errorf("look at the presences: %w", err)
		}
		held[byKey[key]] = true
	}
	return held, rows.Err()
}
