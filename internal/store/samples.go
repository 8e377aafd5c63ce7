package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"tieline/internal/alert"
)

// sampleDepth bounds how many of the newest alerts a sample is taken from, so
// that one of a source that fell silent long ago costs no more than another.
const sampleDepth = 20_000

// RecentAlerts returns the newest alerts of the sources, newest first, at most
// limit. Only the newest 20,000 of the group are looked through.
func (db *DB) RecentAlerts(ctx context.Context, sources []string, limit int) ([]alert.Alert, error) {
	if len(sources) == 0 || limit <= 0 {
		return nil, nil
	}
	c := &conditions{}
	of := strings.Join(c.list(sources), ", ")
	var list []alert.Alert
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		a, err := scanAlert(rows)
		list = append(list, a)
		return err
	}, "SELECT "+alertColumns+" FROM alert WHERE "+db.sampled(c)+" AND alert.source IN ("+of+")"+
		db.first("alert.accepted_at DESC, alert.id DESC", c.arg(limit)), c.args...)
	return list, db.explain(err, "read the newest alerts")
}

// sampled is the condition that an alert is among the newest of the group, or as
// young as the last of them.
func (db *DB) sampled(c *conditions) string {
	return "alert.accepted_at >= coalesce((SELECT n.accepted_at FROM alert AS n" +
		db.slice("n.accepted_at DESC, n.id DESC", "1", c.arg(sampleDepth-1)) + "), 0)"
}

// LastAccepted returns when the newest alert of each of the sources was accepted,
// by the database's clock. Sources with none among the group's newest 20,000
// alerts are left out.
func (db *DB) LastAccepted(ctx context.Context, sources []string) (map[string]time.Time, error) {
	last := make(map[string]time.Time)
	if len(sources) == 0 {
		return last, nil
	}
	c := &conditions{}
	depth := db.sampled(c)
	parts := make([]string, len(sources))
	for i, source := range c.list(sources) {
		parts[i] = fmt.Sprintf("SELECT source, accepted_at FROM (SELECT alert.source, alert.accepted_at FROM alert WHERE %s AND alert.source = %s%s) AS s%d",
			depth, source, db.first("alert.accepted_at DESC, alert.id DESC", "1"), i)
	}
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var source string
		var at int64
		err := rows.Scan(&source, &at)
		last[source] = moment(at)
		return err
	}, strings.Join(parts, "\nUNION ALL "), c.args...)
	return last, db.explain(err, "read when sources were last heard")
}

// HeardStates counts the states that a connector's tickets were last heard in,
// among the group's newest limit alerts.
func (db *DB) HeardStates(ctx context.Context, connector string, limit int) (map[string]int, error) {
	heard := make(map[string]int)
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var state string
		var n int
		err := rows.Scan(&state, &n)
		heard[state] = n
		return err
	}, `SELECT l.heard, count(*) FROM
	(SELECT id FROM alert`+db.first("accepted_at DESC, id DESC", "$2")+`) AS n
JOIN link l ON l.alert_id = n.id AND l.connector = $1 AND l.side = $3
WHERE l.heard <> '' GROUP BY l.heard`, connector, limit, string(alert.Remote))
	return heard, db.explain(err, "read the states of the tickets of connector "+connector)
}
