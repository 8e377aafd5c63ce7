package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
)

// Backlog is what lies before one connector.
type Backlog struct {
	Due       int64 // due and unclaimed, also those that wait for back-off
	Claimed   int64
	Parked    int64
	OldestDue time.Duration // how long the first in line could have been claimed
}

// backlogText counts what three small indexes hold; settled links are in none.
const backlogText = `
SELECT connector, sum(due), sum(claimed), sum(parked), max(oldest) FROM (
	SELECT connector, count(*) AS due, 0 AS claimed, 0 AS parked, (SELECT now FROM clock) - min(due_at) AS oldest
	FROM link WHERE due_at IS NOT NULL GROUP BY connector
	UNION ALL
	SELECT connector, 0, count(*), 0, 0 FROM link WHERE claim_id IS NOT NULL GROUP BY connector
	UNION ALL
	SELECT connector, 0, 0, count(*), 0 FROM link WHERE parked <> '' GROUP BY connector
) AS parts GROUP BY connector`

// What a row of an engine's own "busy connectors" tells of one: that it has links
// that are due, or claimed; or how many are parked.
const (
	busyDue = iota + 1
	busyClaimed
	busyParked
)

// Backlog counts the links of every connector that has any to work on.
func (db *DB) Backlog(ctx context.Context) (map[string]Backlog, error) {
	all := map[string]Backlog{}
	var err error
	if db.statements.busy == "" {
		err = db.addBacklog(ctx, all, db.statements.backlog)
	} else {
		err = db.busyBacklog(ctx, all)
	}
	return all, db.explain(err, "count the backlog")
}

// addBacklog adds what a statement counts, in the columns of backlogText.
func (db *DB) addBacklog(ctx context.Context, all map[string]Backlog, text string, args ...any) error {
	return each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var connector string
		var n Backlog
		var oldest int64
		err := rows.Scan(&connector, &n.Due, &n.Claimed, &n.Parked, &oldest)
		b := all[connector]
		b.Due, b.Claimed, b.Parked = b.Due+n.Due, b.Claimed+n.Claimed, b.Parked+n.Parked
		b.OldestDue = max(time.Duration(oldest)*time.Microsecond, b.OldestDue)
		all[connector] = b
		return err
	}, text, args...)
}

// busyBacklog counts where every index lists every link: what is asked of all
// connectors jumps from one to the next, and what is counted is counted of those
// that have it, each a range of an index.
func (db *DB) busyBacklog(ctx context.Context, all map[string]Backlog) error {
	busy := map[int][]string{}
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var what int
		var connector string
		var n int64
		err := rows.Scan(&what, &connector, &n)
		if busy[what] = append(busy[what], connector); what == busyParked {
			all[connector] = Backlog{Parked: n}
		}
		return err
	}, db.statements.busy)
	if err != nil || len(busy[busyDue])+len(busy[busyClaimed]) == 0 {
		return err
	}
	c := &conditions{}
	var parts []string
	count := func(connectors []string, counted, where string) {
		slices.Sort(connectors)
		for some := range slices.Chunk(connectors, busyAtOnce) {
			parts = append(parts, "SELECT connector, "+counted+" FROM link WHERE connector IN ("+strings.Join(c.list(some), ", ")+") AND "+where+" GROUP BY connector")
		}
	}
	count(busy[busyDue], "count(*), 0, 0, (SELECT now FROM clock) - min(due_at)", "due_at IS NOT NULL")
	count(busy[busyClaimed], "0, count(*), 0, 0", "claim_id IS NOT NULL")
	return db.addBacklog(ctx, all, strings.Join(parts, "\nUNION ALL "), c.args...)
}

// busyAtOnce is how many connectors a list of them has: of a longer one MariaDB
// makes a table to join, and reads all links of each.
const busyAtOnce = 400
