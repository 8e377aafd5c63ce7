package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

// ParkedSet is all that a filter finds of the parked desk, on however many pages.
type ParkedSet struct {
	Links int64
	Tag   string // another one once a link of it changed or left, or one came
}

// parkedSum tells sets of parked links apart: every change of a link gives it a
// new time. Sums over any number of rows stay small by the remainders.
type parkedSum struct{ links, times, latest, wanted int64 }

const (
	parkedRest    = 1_000_003
	parkedSumText = "SELECT count(*), coalesce(sum(link.changed_at % 1000003), 0), coalesce(max(link.changed_at), 0), coalesce(sum(link.wanted % 1000003), 0)"
)

func (s *parkedSum) add(changedAt, wanted int64) {
	s.links++
	s.times += changedAt % parkedRest
	s.latest = max(s.latest, changedAt)
	s.wanted += wanted % parkedRest
}

// set names the sum. The tag begins with how many links there are, for somebody
// who is told later that there are more.
func (s parkedSum) set() ParkedSet {
	return ParkedSet{s.links, fmt.Sprintf("%d.%x.%x.%x", s.links, s.times, s.latest, s.wanted)}
}

// check compares the set with the one that something was decided on.
func (s parkedSum) check(seen string) error {
	now := s.set()
	if now.Tag == seen {
		return nil
	}
	what := fmt.Sprintf("the parked links are not those that were seen: %d are parked now", now.Links)
	if text, _, _ := strings.Cut(seen, "."); text != "" {
		if were, err := strconv.ParseInt(text, 10, 64); err == nil && were == now.Links {
			what = fmt.Sprintf("the parked links are not those that were seen: there are %d still, and some of them are others or have changed", were)
		} else if err == nil {
			what = fmt.Sprintf("the parked links are not those that were seen: there were %d, and %d are parked now", were, now.Links)
		}
	}
	return fault.Wrap(fault.Conflict, ErrChanged, what).WithNext("Look at them, and ask again if that is still right.")
}

// ParkedSet tells, in one statement, what a filter finds of the parked desk:
// q.Limit and q.After do not count.
func (db *DB) ParkedSet(ctx context.Context, q ParkedQuery) (ParkedSet, error) {
	q.After = nil
	c := q.conditions()
	var s parkedSum
	err := db.engine.Read.QueryRowContext(ctx, parkedSumText+db.statements.parkedLinks+strings.Join(c.link, ""), c.args...).
		Scan(&s.links, &s.times, &s.latest, &s.wanted)
	return s.set(), db.explain(err, "count parked links")
}

// deskSet is deskWork for the very links of a set that somebody saw: none is
// changed where it is another set by now; and of those that are, none that
// becomes another before its turn comes.
func (db *DB) deskSet(ctx context.Context, r DeskRequest, kind, text string, change func(l *linkRow, now int64) bool) (total int, work []string, err error) {
	ids, seen, err := db.parkedNow(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	unchanged := func(l *linkRow, now int64) bool { return l.changedAt == seen[l.LinkID] && change(l, now) }
	for some := range slices.Chunk(ids, retryPage) {
		n, due, err := db.deskOnce(ctx, some, nil, kind, text, unchanged)
		total += n
		work = slices.Compact(slices.Sorted(slices.Values(append(work, due...))))
		if err != nil {
			return total, work, db.explain(err, "change parked links")
		}
	}
	return total, work, nil
}

// parkedNow reads, in one statement, the links that a request's filter finds, and
// when each was changed last. The error is fault.Conflict over ErrChanged where
// they are not the set that the request was decided on.
func (db *DB) parkedNow(ctx context.Context, r DeskRequest) (ids []alert.LinkID, changedAt map[alert.LinkID]int64, err error) {
	c := ParkedQuery{Connector: r.Connector, Text: r.Text}.conditions()
	var sum parkedSum
	changedAt = map[alert.LinkID]int64{}
	err = each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var id alert.LinkID
		var at, wanted int64
		err := rows.Scan(&id.Alert, &id.Connector, &id.Side, &at, &wanted)
		ids, changedAt[id] = append(ids, id), at
		sum.add(at, wanted)
		return err
	}, "SELECT link.alert_id, link.connector, link.side, link.changed_at, link.wanted"+db.statements.parkedLinks+strings.Join(c.link, ""), c.args...)
	if err != nil {
		return nil, nil, db.explain(err, "find parked links")
	}
	return ids, changedAt, sum.check(r.SeenAll)
}
