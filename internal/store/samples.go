package store

import (
	"context"
	"database/sql"
	"strconv"
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
	marks := make([]string, len(sources))
	args := make([]any, len(sources), len(sources)+2)
	for i, s := range sources {
		marks[i], args[i] = "$"+strconv.Itoa(i+1), s
	}
	depth, most := "$"+strconv.Itoa(len(sources)+1), "$"+strconv.Itoa(len(sources)+2)
	var list []alert.Alert
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		a, err := scanAlert(rows)
		list = append(list, a)
		return err
	}, "SELECT "+alertColumns+` FROM alert WHERE alert.accepted_at >= (SELECT coalesce(min(n.accepted_at), 0) FROM
	(SELECT accepted_at FROM alert`+db.first("accepted_at DESC, id DESC", depth)+`) AS n)
AND alert.source IN (`+strings.Join(marks, ", ")+`)`+db.first("alert.accepted_at DESC, alert.id DESC", most), append(args, sampleDepth, limit)...)
	return list, db.explain(err, "read the newest alerts")
}

// LastAccepted returns when the newest alert of each source was accepted, by the
// database's clock. Sources with none among the group's newest 20,000 alerts are
// left out.
func (db *DB) LastAccepted(ctx context.Context) (map[string]time.Time, error) {
	last := make(map[string]time.Time)
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var source string
		var at int64
		err := rows.Scan(&source, &at)
		last[source] = moment(at)
		return err
	}, `SELECT n.source, max(n.accepted_at) FROM
	(SELECT source, accepted_at FROM alert`+db.first("accepted_at DESC, id DESC", "$1")+`) AS n
GROUP BY n.source`, sampleDepth)
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
