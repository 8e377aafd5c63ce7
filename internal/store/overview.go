package store

import (
	"context"
	"database/sql"
	"time"
)

// Pulse is what people are shown beside the rows of availability.
type Pulse struct {
	Group string               // the management group's name
	Now   time.Time            // by the database's clock
	Since map[string]time.Time // by connector: when its lease last changed hands

	Alerts    int64 // grows with each entry of a timeline
	Events    int64 // grows with each change of who is Active, or who may be
	Documents int64 // grows with each applied document, and each draft that is saved or ends
}

// pulseText finds the ends of the indexes of what only grows; drafts are few.
const pulseText = `
SELECT g.name, k.now, g.generation + (SELECT count(*) + count(CASE WHEN ended <> '' THEN 1 END) FROM draft),
	(SELECT coalesce(max(id), 0) FROM timeline), (SELECT coalesce(max(id), 0) FROM availability_event), l.connector, l.since
FROM management_group g CROSS JOIN clock k LEFT JOIN lease l ON 1 = 1`

// Pulse reads the group's name, the database's clock, since when the leases are
// as they are, and how far the histories have grown, in one statement.
func (db *DB) Pulse(ctx context.Context) (Pulse, error) {
	p := Pulse{Since: map[string]time.Time{}}
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var now int64
		var connector sql.NullString
		var since sql.NullInt64
		if err := rows.Scan(&p.Group, &now, &p.Documents, &p.Alerts, &p.Events, &connector, &since); err != nil {
			return err
		}
		p.Now = moment(now)
		if connector.Valid {
			p.Since[connector.String] = moment(since.Int64)
		}
		return nil
	}, pulseText)
	return p, db.explain(err, "read the management group")
}

// Unheld returns which of the presences nobody holds: the processes that held
// them are gone.
func (db *DB) Unheld(ctx context.Context, presences []string) (map[string]bool, error) {
	unheld := make(map[string]bool, len(presences))
	if all, ok := db.engine.Coordination.(presenceLister); ok {
		held, err := all.AllHeld(ctx, presences)
		for _, name := range presences {
			unheld[name] = err == nil && !held[name]
		}
		return unheld, db.explain(err, "ask who is alive")
	}
	for _, name := range presences {
		held, err := db.engine.Coordination.Held(ctx, name)
		if err != nil {
			return nil, db.explain(err, "ask who is alive")
		}
		unheld[name] = !held
	}
	return unheld, nil
}

// presenceLister is an engine that answers for many presences in one statement
// on a connection of the pool, where Held takes a connection for each.
type presenceLister interface {
	// AllHeld returns which of the presences somebody holds.
	AllHeld(ctx context.Context, presences []string) (map[string]bool, error)
}
