package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store/engine"
)

// AvailabilityEvent is a line of a connector's availability history: a change
// of the Active, or of who may be.
type AvailabilityEvent struct {
	ID        int64 // grows with each event
	Connector string
	Epoch     int64     // of the lease after the event
	At        time.Time // by the database's clock
	From, To  string    // servers; "" = none
	Reason    string    // an ha.Reason, or what a person changed
	Who       string    // the person; "" = a server of itself
}

// AvailabilityHistory returns a connector's latest events, newest first; limit
// is 1 to 1000. Of "" it returns those of all connectors.
func (db *DB) AvailabilityHistory(ctx context.Context, connector string, limit int) ([]AvailabilityEvent, error) {
	var events []AvailabilityEvent
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var e AvailabilityEvent
		var at int64
		err := rows.Scan(&e.ID, &e.Connector, &e.Epoch, &at, &e.From, &e.To, &e.Reason, &e.Who)
		e.At = time.UnixMicro(at).UTC()
		events = append(events, e)
		return err
	}, `SELECT id, connector, epoch, at, from_server, to_server, reason, who FROM availability_event
		WHERE (connector = $1 OR $1 = '')`+noSigns+db.first("id DESC", "$2"), connector, min(max(limit, 1), 1000))
	return events, db.explain(err, "read the availability history")
}

// Move moves a server in a connector's communication order: by -1 up, by +1
// down. The error is fault.NotFound for a server that is not in the order, and
// fault.Refused at its end.
func (db *DB) Move(ctx context.Context, connector, server string, by int, who string) error {
	return db.MoveFrom(ctx, nil, connector, server, by, who)
}

// MoveFrom is Move for somebody who decided on an order: where it is another by
// now, the error is fault.Conflict. Of nil it is whatever it is.
func (db *DB) MoveFrom(ctx context.Context, seen []string, connector, server string, by int, who string) error {
	err := db.administer(ctx, func(tx *sql.Tx) error {
		order, err := db.order(ctx, tx, connector)
		if err != nil {
			return err
		}
		if seen != nil && !slices.Equal(seen, order) {
			return OrderChanged(connector, order)
		}
		at := slices.Index(order, server)
		if at < 0 {
			return db.notMember(ctx, tx, connector, server)
		}
		to := at + by
		if by == 0 || to < 0 || to >= len(order) {
			return cannotMove(connector, server, at, len(order), by)
		}
		order = slices.Insert(slices.Delete(order, at, at+1), to, server)
		if err := db.reorder(ctx, tx, connector, order); err != nil {
			return err
		}
		reason := reasonUp
		if by > 0 {
			reason = reasonDown
		}
		return db.note(ctx, tx, event{connector: connector, to: server, reason: reason, who: who})
	})
	return db.explain(err, "move the server")
}

// OrderChanged is the error about a change that was decided on another
// communication order than the one there is.
func OrderChanged(connector string, order []string) error {
	return fault.New(fault.Conflict, fmt.Sprintf("the communication order of connector %s was changed in between: it is %s now",
		connector, strings.Join(order, ", "))).WithNext("Look at it, and move the server again if that is still right.")
}

// cannotMove says why the server at a place, counted from 0, stays there.
func cannotMove(connector, server string, at, of, by int) error {
	order := "the communication order of connector " + connector
	switch {
	case of == 1:
		return fault.New(fault.Refused, fmt.Sprintf("server %s is the only one in %s", server, order))
	case by < 0 && at == 0:
		return fault.New(fault.Refused, fmt.Sprintf("server %s is the first in %s already", server, order))
	case by > 0 && at == of-1:
		return fault.New(fault.Refused, fmt.Sprintf("server %s is the last in %s already", server, order))
	}
	return fault.New(fault.Refused, fmt.Sprintf("server %s is at place %d of %d in %s and cannot move by %d places", server, at+1, of, order, by))
}

// notMember says that a server is not in a connector's order, or that there is
// no such connector.
func (db *DB) notMember(ctx context.Context, q querier, connector, server string) error {
	var n int
	err := q.QueryRowContext(ctx, "SELECT count(*) FROM connector WHERE name = $1", connector).Scan(&n)
	switch {
	case err != nil:
		return err
	case n == 0:
		return fault.New(fault.NotFound, fmt.Sprintf("there is no connector %q", connector)).
			WithNext(`"tieline connector list" shows those there are.`)
	case server == "":
		return fault.New(fault.Refused, "no server has joined connector "+connector)
	}
	return fault.New(fault.NotFound, fmt.Sprintf("connector %s has no server %s", connector, server)).
		WithNext("tieline status lists the servers of each connector")
}

// administer runs a change of the order, of wishes or of the servers, alone
// among its kind, and wakes the servers.
func (db *DB) administer(ctx context.Context, f func(*sql.Tx) error) error {
	err := db.transact(ctx, func(tx *sql.Tx) error {
		if _, err := db.lockGroup(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
	if err == nil {
		db.Wake(ctx, TopicLease)
	}
	return err
}

// Wish asks for a switchover ("Make Active"): the Active hands over to the
// server, or to the next one in order that can, when server is "". It returns
// when the wish is stored. The error is fault.NotFound for a server that is not
// in the order and fault.Refused for one that is Offline or not eligible.
func (db *DB) Wish(ctx context.Context, connector, server, who string) error {
	return db.WishFrom(ctx, nil, connector, server, who)
}

// Standing is what somebody saw who decides on a switchover: all of the lease
// that a switchover changes. The epoch alone does not tell: between the release by
// one server and the take-over by another it stands still.
type Standing struct {
	Epoch     int64
	Holder    string // whom the lease names; "" = nobody
	Successor string // whom the last release named; "" = nobody
	Wish      string // the server that was asked to be Active by then; "" = none
}

// WishFrom is Wish for somebody who decided on a standing: where it is another by
// now, the error is fault.Conflict. Of nil it is whatever it is.
func (db *DB) WishFrom(ctx context.Context, seen *Standing, connector, server, who string) error {
	gone, err := db.gone(ctx)
	if err != nil {
		return db.explain(err, "ask for a switchover")
	}
	err = db.administer(ctx, func(tx *sql.Tx) error {
		holder, members, err := db.candidates(ctx, tx, connector, gone)
		if err != nil {
			return err
		}
		is := func(c candidate) bool { return server == "" || c.server == server }
		if !slices.ContainsFunc(members, is) {
			return db.notMember(ctx, tx, connector, server)
		}
		target, err := choose(connector, server, holder, members)
		if err != nil {
			return err
		}
		if seen != nil {
			if err := db.standsAs(ctx, tx, connector, *seen); err != nil {
				return err
			}
		}
		return db.wish(ctx, tx, connector, target, who)
	})
	return db.explain(err, "ask for a switchover")
}

// standsAs returns fault.Conflict where a connector's lease is not as it was
// seen. It also locks the lease: who takes over meanwhile does so after the wish.
func (db *DB) standsAs(ctx context.Context, tx *sql.Tx, connector string, seen Standing) error {
	n, err := affected(tx.ExecContext(ctx, `UPDATE lease SET wish = wish
		WHERE connector = $1 AND epoch = $2 AND server = $3 AND successor = $4 AND wish = $5`,
		connector, seen.Epoch, seen.Holder, seen.Successor, seen.Wish))
	if err != nil || n > 0 {
		return err
	}
	var is Standing
	err = tx.QueryRowContext(ctx, "SELECT epoch, server, successor, wish FROM lease WHERE connector = $1", connector).
		Scan(&is.Epoch, &is.Holder, &is.Successor, &is.Wish)
	if err != nil {
		return err
	}
	return StandingChanged(connector, is, seen)
}

// StandingChanged is the error about a switchover that was decided on another
// standing than the one there is.
func StandingChanged(connector string, is, seen Standing) error {
	var now string
	switch {
	case is.Holder == "" && is.Successor != "":
		now = fmt.Sprintf("a switchover of connector %s to %s is under way", connector, is.Successor)
	case is.Holder == "":
		now = fmt.Sprintf("nobody is Active for connector %s now", connector)
	case is.Epoch != seen.Epoch || is.Holder != seen.Holder:
		now = fmt.Sprintf("%s has become Active for connector %s, under epoch %d", is.Holder, connector, is.Epoch)
	case is.Wish == "":
		now = fmt.Sprintf("what was asked for of connector %s by then is over", connector)
	default:
		now = fmt.Sprintf("somebody has asked for %s to be Active for connector %s", is.Wish, connector)
	}
	return fault.New(fault.Conflict, "the switchover was decided on what is no more: "+now).
		WithNext("Look at it, and ask for the switchover again if that is still right.")
}

func (db *DB) wish(ctx context.Context, tx *sql.Tx, connector, server, who string) error {
	if _, err := tx.ExecContext(ctx, "UPDATE lease SET wish = $2 WHERE connector = $1", connector, server); err != nil {
		return err
	}
	return db.note(ctx, tx, event{connector: connector, to: server, reason: reasonWished, who: who})
}

// candidate is a member as a switchover sees it.
type candidate struct {
	server   string
	live     bool // by its heartbeats and its presence
	eligible bool
	reason   string // why not
}

// candidates reads a connector's holder and members, in order; gone are the
// presences of servers known dead.
func (db *DB) candidates(ctx context.Context, tx *sql.Tx, connector string, gone map[string]bool) (holder string, members []candidate, err error) {
	err = tx.QueryRowContext(ctx, "SELECT server FROM lease WHERE connector = $1", connector).Scan(&holder)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, fault.New(fault.NotFound, fmt.Sprintf("no server has joined connector %q", connector)).
			WithNext("tieline status lists the connectors and their servers")
	}
	if err != nil {
		return "", nil, err
	}
	err = each(ctx, tx, func(rows *sql.Rows) error {
		var c candidate
		var live, eligible int
		var presence string
		err := rows.Scan(&c.server, &live, &eligible, &c.reason, &presence)
		c.live, c.eligible = live != 0 && !gone[presence], eligible != 0
		members = append(members, c)
		return err
	}, `SELECT m.server, CASE WHEN s.boot <> '' AND `+engine.Now+` - s.heartbeat_at < s.promised THEN 1 ELSE 0 END, m.eligible, m.reason, s.presence
		FROM membership m JOIN server s ON s.name = m.server WHERE m.connector = $1 ORDER BY m.position`, connector)
	return holder, members, err
}

// choose returns the member a switchover goes to: the server, which is one, or
// with "" the first of the others that can.
func choose(connector, server, holder string, members []candidate) (string, error) {
	if server == "" {
		for _, c := range members {
			if c.server != holder && c.live && c.eligible {
				return c.server, nil
			}
		}
		return "", fault.New(fault.Refused, "no other server can run connector "+connector+" now").
			WithNext("tieline status tells which are Offline, or why they cannot")
	}
	at := slices.IndexFunc(members, func(c candidate) bool { return c.server == server }) // it is one
	switch c := members[at]; {
	case !c.live:
		return "", fault.New(fault.Refused, fmt.Sprintf("server %s is Offline and cannot become Active for connector %s", server, connector)).
			WithNext("start it first")
	case !c.eligible:
		return "", fault.New(fault.Refused, fmt.Sprintf("server %s cannot run connector %s: %s", server, connector, c.reason))
	}
	return server, nil
}

// RemoveServer takes a server out of the management group (rule L9). Where it
// is Active, a switchover is asked for and the call refused: repeat it when that
// is done. The last server of a connector, and of the group, is not removed. A
// removed process that still runs finds its row gone and stops.
func (db *DB) RemoveServer(ctx context.Context, server, who string) error {
	var refused error
	gone, err := db.gone(ctx)
	if err != nil {
		return db.explain(err, "remove the server")
	}
	err = db.administer(ctx, func(tx *sql.Tx) (err error) {
		refused, err = db.remove(ctx, tx, server, who, gone)
		return err
	})
	if err == nil {
		err = refused // the wishes for a switchover are committed
	}
	return db.explain(err, "remove the server")
}

func (db *DB) remove(ctx context.Context, tx *sql.Tx, server, who string, gone map[string]bool) (refused, err error) {
	var servers, mine int
	err = tx.QueryRowContext(ctx, "SELECT count(*), count(CASE WHEN name = $1 THEN 1 END) FROM server", server).Scan(&servers, &mine)
	switch {
	case err != nil:
		return nil, err
	case mine == 0:
		return nil, fault.New(fault.NotFound, "the management group has no server "+server)
	case servers == 1:
		return nil, fault.New(fault.Refused, "server "+server+" is the last of the management group and cannot be removed")
	}
	connectors, err := db.memberOf(ctx, tx, server)
	if err != nil {
		return nil, err
	}
	var active []string
	for _, connector := range connectors {
		held, err := db.vacate(ctx, tx, connector, server, who, gone)
		if err != nil {
			return nil, err
		}
		if held {
			active = append(active, connector)
		}
	}
	if len(active) > 0 {
		return fault.New(fault.Refused, fmt.Sprintf("server %s is Active for %s; the switchover has been asked for", server, strings.Join(active, ", "))).
			WithNext("remove it again in a few seconds"), nil
	}
	for _, connector := range connectors {
		if err := db.endMembership(ctx, tx, connector, server, who); err != nil {
			return nil, err
		}
	}
	for _, text := range []string{"DELETE FROM throughput WHERE server = $1", "DELETE FROM server WHERE name = $1"} {
		if _, err := tx.ExecContext(ctx, text, server); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// vacate sees to it that a server to be removed does not hold a connector's
// lease: if it lives it is asked to hand over, and held is true; if it does not,
// its lease is released for it.
func (db *DB) vacate(ctx context.Context, tx *sql.Tx, connector, server, who string, gone map[string]bool) (held bool, err error) {
	holder, members, err := db.candidates(ctx, tx, connector, gone)
	if err != nil {
		return false, err
	}
	if len(members) == 1 {
		return false, fault.New(fault.Refused, fmt.Sprintf("server %s is the last of connector %s and cannot be removed", server, connector)).
			WithNext("let another server join the connector first")
	}
	if holder != server {
		return false, nil
	}
	at := slices.IndexFunc(members, func(c candidate) bool { return c.server == server })
	if members[at].live {
		target, err := choose(connector, "", holder, members)
		if err != nil {
			return true, err
		}
		return true, db.wish(ctx, tx, connector, target, who)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE lease SET beat = beat + 1, server = '', boot = '', successor = '', since = `+engine.Now+`
		WHERE connector = $1 AND server = $2`, connector, server); err != nil {
		return false, err
	}
	return false, db.note(ctx, tx, event{connector: connector, from: server, reason: string(ha.ReasonWish), who: who})
}
