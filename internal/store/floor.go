package store

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// Some engines keep the index entries of rows that are due no more until a
// vacuum, and walk them each time they look for the first one that is. After
// draining a long backlog that costs more than the claim itself. So claims look
// from a floor on: a time before which nothing was due a moment ago.
const (
	// floorClaims is after how many claims the floor is raised to what is due then.
	floorClaims = 20
	// floorLife is after how long a floor is found anew from the beginning. It
	// bounds how long a link stays unseen that became due below it, as happens when
	// the database's clock is set back.
	floorLife = 10 * time.Second
	// floorMargin keeps the floor behind the clock: what a transaction makes due
	// carries the time of its statement, and is seen after its commit.
	floorMargin = time.Minute
)

// floors holds the floor of each connector. It is about cost alone.
type floors struct {
	mu sync.Mutex
	of map[string]floor
}

type floor struct {
	at    int64 // by the database's clock
	found time.Time
	used  int
}

// use returns the floor and whether it serves: 0 and false when it is to be
// found from the beginning, a floor and false when it is to be raised.
func (f *floors) use(connector string, now time.Time) (at int64, serves bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.of[connector]
	if !ok || now.Sub(known.found) > floorLife {
		return 0, false
	}
	known.used++
	f.of[connector] = known
	return known.at, known.used%floorClaims != 0
}

// set notes a floor. One that was raised keeps its age.
func (f *floors) set(connector string, from, at int64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil {
		f.of = map[string]floor{}
	}
	found := now
	if from > 0 {
		found = f.of[connector].found
	}
	f.of[connector] = floor{at: at, found: found}
}

// floor returns the time from which on a connector's due links are looked for.
func (db *DB) floor(ctx context.Context, connector string) (int64, error) {
	if !db.engine.KeepsDead {
		return 0, nil
	}
	now := time.Now()
	from, serves := db.floors.use(connector, now)
	if serves {
		return from, nil
	}
	var first sql.NullInt64
	var clock int64
	err := db.engine.Read.QueryRowContext(ctx, `
SELECT (SELECT due_at FROM link WHERE connector = $1 AND due_at >= $2 ORDER BY due_at LIMIT 1), (SELECT now FROM clock)`,
		connector, from).Scan(&first, &clock)
	if err != nil {
		return 0, err
	}
	at := clock - floorMargin.Microseconds()
	if first.Valid {
		at = min(at, first.Int64)
	}
	db.floors.set(connector, from, at, now)
	return at, nil
}
