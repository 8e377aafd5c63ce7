package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"tieline/internal/ha"
)

// Glance is the management group as people look at it.
type Glance struct {
	Name string    // the management group's
	Now  time.Time // by the database's clock

	// Group is what the states are concluded from: of leases the holder, of
	// settings what a heartbeat needs. Nothing can be claimed or taken with it.
	Group ha.Group
	Since map[string]time.Time // by connector: when its lease last changed hands

	Alerts    int64 // grows with each entry of a timeline
	Changes   int64 // grows with each change of who is Active, or who may be
	Documents int64 // grows with each applied document, and each draft that is saved or ends
}

// glanceText reads all of it at one moment, in rows of one form: a thousand
// connectors make a few thousand of them, which costs less than half of what
// their JSON would (compare ReadGroup). What only grows is found at the end of
// its index; drafts are few. They are not counted alone: of one that is edited
// much, as many revisions go as come.
const glanceText = `
SELECT 0 AS kind, g.name AS a, '' AS b, '' AS c, '' AS d, '' AS e, k.now AS p,
	g.generation + (SELECT count(*) + coalesce(max(at), 0) FROM draft) AS q,
	(SELECT coalesce(max(id), 0) FROM timeline) AS r, (SELECT coalesce(max(id), 0) FROM availability_event) AS s, 0 AS t, 0 AS u
FROM management_group g CROSS JOIN clock k
UNION ALL
SELECT 1, s.name, s.address, s.boot, s.presence, s.version, s.heartbeat_at, k.now - s.heartbeat_at, s.promised, 0, 0, 0
FROM server s CROSS JOIN clock k
UNION ALL
SELECT 2, c.name, c.failback, coalesce(l.server, ''), coalesce(l.boot, ''), coalesce(l.wish, ''), c.polling, c.tolerance, c.version,
	coalesce(l.epoch, 0), coalesce(l.promised, 0), coalesce(l.since, 0)
FROM connector c LEFT JOIN lease l ON l.connector = c.name
UNION ALL
SELECT 3, m.connector, m.server, m.reason, '', '', m.position, m.runs, m.eligible, m.reaches, 0, 0
FROM membership m`

// Glance reads the management group in one statement. It is refused where the group
// was moved to another database: what stands here is what was once.
func (db *DB) Glance(ctx context.Context) (Glance, error) {
	g := Glance{Since: map[string]time.Time{}, Group: ha.Group{Settings: map[string]ha.Settings{}}}
	var r glanceRow
	into := []any{&r.kind, &r.a, &r.b, &r.c, &r.d, &r.e, &r.p, &r.q, &r.r, &r.s, &r.t, &r.u}
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		r.add(&g)
		return nil
	}, glanceText)
	// The rows come in no order; people are shown one.
	slices.SortFunc(g.Group.Servers, func(a, b ha.Server) int { return strings.Compare(a.Name, b.Name) })
	if err == nil {
		err = movedAway(g.Name)
	}
	return g, db.explain(err, "read the management group")
}

// glanceRow is a row of glanceText: five texts and six numbers.
type glanceRow struct {
	kind             int
	a, b, c, d, e    string
	p, q, r, s, t, u int64
}

// add puts what the row tells in its place.
func (r *glanceRow) add(g *Glance) {
	switch r.kind {
	case 0:
		g.Name, g.Now, g.Documents, g.Alerts, g.Changes = r.a, moment(r.p), r.q, r.r, r.s
	case 1:
		g.Group.Servers = append(g.Group.Servers, ha.Server{
			Name: r.a, Address: r.b, Boot: r.c, Presence: r.d, Version: r.e,
			HeartbeatAt: moment(r.p), Silence: max(fromMicros(r.q), 0), Promised: fromMicros(r.r),
		})
	case 2:
		g.Group.Settings[r.a] = ha.Settings{Polling: fromMicros(r.p), Tolerance: int(r.q), Failback: ha.Failback(r.b), Version: r.r}
		g.Group.Leases = append(g.Group.Leases, ha.Lease{
			Connector: r.a, Epoch: r.s, Server: r.c, Boot: r.d, Promised: fromMicros(r.t), Wish: r.e,
		})
		if r.u > 0 {
			g.Since[r.a] = moment(r.u)
		}
	default:
		g.Group.Members = append(g.Group.Members, ha.Member{
			Connector: r.a, Server: r.b, Position: int(r.p), Runs: r.q, Eligible: r.r != 0, Reaches: r.s != 0, Reason: r.c,
		})
	}
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
