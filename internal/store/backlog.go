package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"tieline/internal/store/engine"
)

// Backlog is what lies before one connector.
type Backlog struct {
	Due     int64 // due and unclaimed, also those that wait for back-off
	Claimed int64
	Parked  int64
	// OldestDue is how long ago the oldest change was accepted that is due to be
	// sent; 0 = nothing is. A try that failed makes it no younger: links in back-off
	// count, and those being tried again. What is held back on purpose counts from
	// when it may go. It is found among so many links at most of each connector as
	// oldestAmong says, of the first in line, of the last in back-off and of those
	// that are claimed: with more, an older one may stand between.
	OldestDue time.Duration
}

// oldestAmong is how many links are looked at from each end of the line.
const oldestAmong = "50"

// sinceText is when what a link is due for was accepted. What never failed keeps
// its place in line; what never arrived has waited since the link was made. For
// any other, back-off has moved the place: the timeline tells of the first change
// after the last one that arrived, or of the first try that failed since.
const sinceText = `CASE
	WHEN attempts = 0 AND failure = '' AND (delivered_at > 0 OR not_before > 0) THEN due_at
	WHEN delivered_at = 0 THEN created_at
	ELSE coalesce((SELECT min(t.at) FROM timeline AS t WHERE t.alert_id = link.alert_id AND t.at > link.delivered_at
		AND (link.side = 'remote' AND t.connector = '' AND t.revision > link.delivered
			OR t.connector = link.connector AND t.kind IN ('failed', 'unknown') AND t.revision = link.delivered)), due_at) END AS since`

// oldestDueText is the least since of a connector's due links, oldestClaimedText
// that of its claimed ones that failed before.
func oldestDueText(e *engine.Engine, connector string) string {
	return `(SELECT min(since) FROM (
	SELECT since FROM (SELECT ` + sinceText + ` FROM link WHERE connector = ` + connector + ` AND due_at IS NOT NULL` +
		sliceOf(e, "due_at", oldestAmong, "") + `) AS firsts
	UNION ALL
	SELECT since FROM (SELECT ` + sinceText + ` FROM link WHERE connector = ` + connector + ` AND due_at > (SELECT now FROM clock)` +
		sliceOf(e, "due_at DESC", oldestAmong, "") + `) AS lasts) AS looked)`
}

func oldestClaimedText(e *engine.Engine, connector string) string {
	return `(SELECT min(since) FROM (SELECT failure, ` + sinceText + ` FROM link WHERE connector = ` + connector +
		` AND claim_id IS NOT NULL` + sliceOf(e, "", oldestAmong, "") + `) AS looked WHERE failure <> '')`
}

// backlogText counts what three small indexes hold; settled links are in none. Where
// nothing is in back-off, the first in line is the oldest.
func backlogText(e *engine.Engine) string {
	return `
SELECT connector, sum(due), sum(claimed), sum(parked), max(oldest) FROM (
	SELECT o.connector, count(*) AS due, 0 AS claimed, 0 AS parked,
		CASE WHEN max(o.due_at) > (SELECT now FROM clock)
			THEN coalesce((SELECT now FROM clock) - ` + oldestDueText(e, "o.connector") + `, 0)
			ELSE (SELECT now FROM clock) - min(o.due_at) END AS oldest
	FROM link AS o WHERE o.due_at IS NOT NULL GROUP BY o.connector
	UNION ALL
	SELECT o.connector, 0, count(*), 0,
		coalesce((SELECT now FROM clock) - ` + oldestClaimedText(e, "o.connector") + `, 0)
	FROM link AS o WHERE o.claim_id IS NOT NULL GROUP BY o.connector
	UNION ALL
	SELECT connector, 0, 0, count(*), 0 FROM link WHERE parked <> '' GROUP BY connector
) AS parts GROUP BY connector`
}

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
		_, err = db.addBacklog(ctx, all, db.statements.backlog)
	} else {
		err = db.busyBacklog(ctx, all)
	}
	return all, db.explain(err, "count the backlog")
}

// addBacklog adds what a statement counts, in the columns of backlogText. It
// returns the connectors of which it says that their oldest lies ahead.
func (db *DB) addBacklog(ctx context.Context, all map[string]Backlog, text string, args ...any) (ahead []string, err error) {
	err = each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var connector string
		var n Backlog
		var oldest int64
		err := rows.Scan(&connector, &n.Due, &n.Claimed, &n.Parked, &oldest)
		b := all[connector]
		b.Due, b.Claimed, b.Parked = b.Due+n.Due, b.Claimed+n.Claimed, b.Parked+n.Parked
		b.OldestDue = max(time.Duration(oldest)*time.Microsecond, b.OldestDue)
		if all[connector] = b; oldest < 0 {
			ahead = append(ahead, connector)
		}
		return err
	}, text, args...)
	return ahead, err
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
	count(busy[busyDue], "count(*), 0, 0, CASE WHEN max(due_at) > (SELECT now FROM clock) THEN -1 ELSE (SELECT now FROM clock) - min(due_at) END", "due_at IS NOT NULL")
	count(busy[busyClaimed], "0, count(*), 0, 0", "claim_id IS NOT NULL")
	waiting, err := db.addBacklog(ctx, all, strings.Join(parts, "\nUNION ALL "), c.args...)
	if err != nil {
		return err
	}
	if err := db.addOldest(ctx, all, waiting, oldestDueText); err != nil {
		return err
	}
	return db.addOldest(ctx, all, busy[busyClaimed], oldestClaimedText)
}

// addOldest adds how old is what some connectors have, each a part of its own:
// where indexes list every link, what is looked at of many connectors in one
// sub-select is not found by jumps.
func (db *DB) addOldest(ctx context.Context, all map[string]Backlog, connectors []string, oldest func(e *engine.Engine, connector string) string) error {
	for some := range slices.Chunk(connectors, oldestAtOnce) {
		c := &conditions{}
		parts := make([]string, len(some))
		for i, name := range c.list(some) {
			parts[i] = "SELECT " + name + ", 0, 0, 0, coalesce((SELECT now FROM clock) - " + oldest(db.engine, name) + ", 0)"
		}
		if _, err := db.addBacklog(ctx, all, strings.Join(parts, "\nUNION ALL "), c.args...); err != nil {
			return err
		}
	}
	return nil
}

// busyAtOnce is how many connectors a list of them has: of a longer one MariaDB
// makes a table to join, and reads all links of each. oldestAtOnce is how many
// parts a statement about them has.
const (
	busyAtOnce   = 400
	oldestAtOnce = 50
)
