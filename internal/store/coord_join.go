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

// Join is what a server that starts tells.
type Join struct {
	Server           string // its name, unique in the management group
	Address          string // where peers and sources reach it; may be empty
	Boot             string // random, new at each start of the process
	Version          string // of the program
	Group            string // the management group it is set up for; "" = whichever this is
	HighAvailability bool   // whether it shares connectors with other servers
	Connectors       []string
	Promised         time.Duration // how long its heartbeats may stay out
}

const (
	// firstBeat is how long a process may take from Join to its first heartbeat
	// before another of its name counts it as dead.
	firstBeat = 5 * time.Second
	// A process that was just killed may hold its presence for a moment longer.
	presenceWait  = time.Second
	presenceRetry = 50 * time.Millisecond
	// notReported is a membership's reason until its server's first report.
	notReported = "has not reported yet"
)

// Join enters a server's row and its memberships: in the named connectors, or
// in all when none is named; connectors that do not exist yet are left out (see
// JoinConnectors). Memberships of connectors it no longer names end. A repeat by
// the same process is harmless. The error is fault.Refused for another
// management group's server, for a second server of a connector where either
// lacks high availability, and for a second live process of the same name; where
// nothing but its silence can tell whether that one lives, After says when the
// name is free if it does not.
func (db *DB) Join(ctx context.Context, j Join) error {
	err := db.prepare(ctx)
	if err == nil {
		err = db.join(ctx, j)
	}
	if err == nil {
		db.nudges.joined(j.Server)
		db.Wake(ctx, TopicLease)
	}
	return db.explain(err, "join the management group")
}

func (db *DB) prepare(ctx context.Context) error {
	if db.engine.Prepare == nil {
		return nil
	}
	return db.engine.Prepare(ctx)
}

func (db *DB) join(ctx context.Context, j Join) error {
	for try := 1; ; try++ {
		earlier, err := db.earlierProcess(ctx, j)
		if err != nil {
			return err
		}
		err = db.transact(ctx, func(tx *sql.Tx) error { return db.enter(ctx, tx, j, earlier) })
		if !errors.Is(err, errOtherProcess) || try == attempts {
			return err
		}
	}
}

// errOtherProcess: the row changed since earlierProcess looked at it.
var errOtherProcess = errors.New("another process of this name joined at the same time")

// process is what a server's row says of the process behind it.
type process struct {
	boot, presence string // boot "" = none, or ended cleanly
	beat           int64
	silence        time.Duration
	promised       time.Duration
}

func (db *DB) process(ctx context.Context, q querier, server string) (process, error) {
	var p process
	var silence, promised int64
	err := q.QueryRowContext(ctx, `SELECT boot, presence, beat, `+engine.Now+` - heartbeat_at, promised
		FROM server WHERE name = $1`, server).Scan(&p.boot, &p.presence, &p.beat, &silence, &promised)
	if errors.Is(err, sql.ErrNoRows) {
		return process{}, nil
	}
	p.silence, p.promised = fromMicros(silence), fromMicros(promised)
	return p, err
}

// mayLive reports whether the process may be alive, by its heartbeats alone.
func (p process) mayLive() bool {
	if p.boot == "" {
		return false
	}
	if p.beat == 0 {
		return p.silence < min(p.promised, firstBeat)
	}
	return p.silence < p.promised
}

// earlierProcess returns the process that the joining one follows, and refuses
// when it lives: its heartbeat is young, and its presence, if it has one, held.
func (db *DB) earlierProcess(ctx context.Context, j Join) (process, error) {
	giveUp := time.Now().Add(presenceWait)
	for {
		p, err := db.process(ctx, db.engine.Read, j.Server)
		if err != nil || !p.mayLive() || p.boot == j.Boot {
			return p, err
		}
		held := true
		if p.presence != "" {
			if held, err = db.engine.Coordination.Held(ctx, p.presence); err != nil {
				return process{}, err
			}
		}
		if !held {
			return p, nil
		}
		if p.presence == "" || time.Now().After(giveUp) {
			return process{}, livesAlready(j.Server, p)
		}
		if err := sleep(ctx, presenceRetry); err != nil {
			return process{}, err
		}
	}
}

func livesAlready(server string, p process) error {
	msg := fmt.Sprintf("a server named %s is already running in this management group; its last heartbeat was %s ago",
		server, p.silence.Round(time.Millisecond))
	if p.presence != "" {
		return fault.New(fault.Refused, msg).WithNext("stop it first, or give this server another name")
	}
	length := p.promised
	if p.beat == 0 {
		length = min(length, firstBeat)
	}
	// Without a presence a dead process is told from a live one by its silence
	// alone: its lease may still be trusted, and its name with it (rule L2).
	left := max(length-p.silence, time.Millisecond)
	err := fault.New(fault.Refused, msg).
		WithNext(fmt.Sprintf("stop it first, or give this server another name; if it was killed, its name is free in %s", left.Round(time.Second)+time.Second))
	err.After = left
	return err
}

// joinServerText enters a server's row, or gives it to a new process.
const joinServerText = `
INSERT INTO server (name, address, boot, presence, beat, version, heartbeat_at, promised, high_availability, joined_at)
SELECT $1, $2, $3, '', 0, $4, now, $5, $6, now FROM clock WHERE true
ON CONFLICT (name) DO UPDATE SET address = excluded.address, boot = excluded.boot, version = excluded.version,
	promised = excluded.promised, high_availability = excluded.high_availability,
	presence = CASE WHEN server.boot = excluded.boot THEN server.presence ELSE '' END,
	beat = CASE WHEN server.boot = excluded.boot THEN server.beat ELSE 0 END,
	heartbeat_at = CASE WHEN server.boot = excluded.boot THEN server.heartbeat_at ELSE excluded.heartbeat_at END`

// heardText notes, before the row forgets it, until when the server's former
// process was heard, for each connector whose lease still names that process.
const heardText = heardOfAllText + " WHERE s.name = $1 AND s.boot <> $2"

// heardOfAllText does so for every server that a lease names.
const heardOfAllText = `
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT l.connector, l.epoch, s.heartbeat_at, l.server, '', '` + engine.LastHeard + `', ''
FROM lease l JOIN server s ON s.name = l.server AND s.boot = l.boot`

// enter is Join's transaction.
func (db *DB) enter(ctx context.Context, tx *sql.Tx, j Join, earlier process) error {
	if err := db.enterGroup(ctx, tx, j); err != nil {
		return err
	}
	now, err := db.process(ctx, tx, j.Server)
	if err != nil {
		return err
	}
	if now.boot != earlier.boot || now.boot != j.Boot && now.beat != earlier.beat {
		return errOtherProcess
	}
	connectors, err := db.existing(ctx, tx, j.Connectors)
	if err != nil {
		return err
	}
	if err := db.checkAlone(ctx, tx, j.Server, j.HighAvailability, connectors); err != nil {
		return err
	}
	if len(j.Connectors) == 0 && len(connectors) == 0 {
		if err := db.checkAloneInGroup(ctx, tx, j); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, heardText, j.Server, j.Boot); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, db.statements.joinServer,
		j.Server, j.Address, j.Boot, j.Version, j.Promised.Microseconds(), oneIf(j.HighAvailability))
	if err != nil {
		return err
	}
	if now.boot != j.Boot { // what the earlier process reported says nothing of this one
		_, err = tx.ExecContext(ctx, `UPDATE membership SET runs = 0, eligible = 0, reaches = 0, reason = $2 WHERE server = $1`,
			j.Server, notReported)
		if err == nil {
			err = db.endWishes(ctx, tx, j.Server)
		}
		if err != nil {
			return err
		}
	}
	if err := db.endMemberships(ctx, tx, j.Server, connectors); err != nil {
		return err
	}
	return db.addMemberships(ctx, tx, j.Server, connectors)
}

const lockGroupText = "SELECT name FROM management_group WHERE one = 1"

// lockGroup serialises everything that changes who is in the group and in which
// order, until the transaction ends. It refuses where the group was moved away.
func (db *DB) lockGroup(ctx context.Context, tx *sql.Tx) (name string, err error) {
	if err = tx.QueryRowContext(ctx, db.statements.lockGroup).Scan(&name); err == nil {
		err = movedAway(name)
	}
	return name, err
}

// enterGroup checks the management group's name; the first server gives it.
func (db *DB) enterGroup(ctx context.Context, tx *sql.Tx, j Join) error {
	name, err := db.lockGroup(ctx, tx)
	switch {
	case err != nil:
		return err
	case j.Group == "" || j.Group == name:
		return nil
	case name != "":
		return OtherGroup(name, "server "+j.Server, j.Group)
	}
	_, err = tx.ExecContext(ctx, "UPDATE management_group SET name = $1 WHERE one = 1", j.Group)
	return err
}

// existing returns which of the named connectors exist, all of them when none is named.
func (db *DB) existing(ctx context.Context, tx *sql.Tx, names []string) ([]string, error) {
	var found []string
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if len(names) == 0 || slices.Contains(names, name) {
			found = append(found, name)
		}
		return nil
	}, "SELECT name FROM connector ORDER BY name")
	return found, err
}

// checkAlone refuses a second server of a connector where either was set up
// without high availability.
func (db *DB) checkAlone(ctx context.Context, tx *sql.Tx, server string, highly bool, connectors []string) error {
	var refused string // the first connector that cannot be shared
	var others []string
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var connector, other string
		var otherToo int
		if err := rows.Scan(&connector, &other, &otherToo); err != nil {
			return err
		}
		if !slices.Contains(connectors, connector) || highly && otherToo != 0 {
			return nil
		}
		if refused == "" {
			refused = connector
		}
		if connector == refused {
			others = append(others, other)
		}
		return nil
	}, `SELECT m.connector, m.server, s.high_availability FROM membership m JOIN server s ON s.name = m.server
		WHERE m.server <> $1 ORDER BY m.connector, m.position`, server)
	if err != nil || len(others) == 0 {
		return err
	}
	return cannotShare(server, highly, others, "connector "+refused).
		WithNext("set up all of them with high availability, or remove " + together(others) + " from the management group first")
}

// checkAloneInGroup does so while there is no connector yet: a server that serves
// all would share the first one with every other that runs. Later it would be
// refused by a line in its log alone.
func (db *DB) checkAloneInGroup(ctx context.Context, tx *sql.Tx, j Join) error {
	var others []string
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var other string
		var otherToo int
		err := rows.Scan(&other, &otherToo)
		if err == nil && !(j.HighAvailability && otherToo != 0) {
			others = append(others, other)
		}
		return err
	}, "SELECT name, high_availability FROM server WHERE name <> $1 AND boot <> '' ORDER BY name", j.Server)
	if err != nil || len(others) == 0 {
		return err
	}
	return cannotShare(j.Server, j.HighAvailability, others, "the connectors to come").
		WithNext("set up all of them with high availability, name the connectors of each, or remove " + together(others) + " from the management group first")
}

// cannotShare refuses a server: it was set up without high availability, or, where
// it was set up with it, the others were not.
func cannotShare(server string, highly bool, others []string, what string) *fault.Error {
	without, were := server, "was"
	if highly {
		without = together(others)
		if len(others) > 1 {
			were = "were"
		}
	}
	servers := "server "
	if len(others) > 1 {
		servers = "servers "
	}
	return fault.New(fault.Refused, fmt.Sprintf("server %s cannot share %s with %s%s: %s %s set up without high availability",
		server, what, servers, together(others), without, were))
}

// together names some things in a sentence: "a, b and c".
func together(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// JoinConnectors makes a server that joined a member of more connectors, which
// were applied since: of the named ones that exist, of all when none is named.
// It returns ha.ErrReplaced when the row belongs to another process, and
// fault.Refused as Join does.
func (db *DB) JoinConnectors(ctx context.Context, server, boot string, names []string) error {
	err := db.transact(ctx, func(tx *sql.Tx) error {
		if _, err := db.lockGroup(ctx, tx); err != nil {
			return err
		}
		var highly int
		err := tx.QueryRowContext(ctx, "SELECT high_availability FROM server WHERE name = $1 AND boot = $2", server, boot).Scan(&highly)
		if errors.Is(err, sql.ErrNoRows) {
			return ha.ErrReplaced
		}
		if err != nil {
			return err
		}
		connectors, err := db.existing(ctx, tx, names)
		if err != nil {
			return err
		}
		if err := db.checkAlone(ctx, tx, server, highly != 0, connectors); err != nil {
			return err
		}
		return db.addMemberships(ctx, tx, server, connectors)
	})
	if errors.Is(err, ha.ErrReplaced) {
		return err
	}
	if err == nil {
		db.Wake(ctx, TopicLease)
	}
	return db.explain(err, "join connectors")
}

// Leave marks a server's process as ended. The row and its place in the
// communication orders stay; switchovers that were asked for to it end.
func (db *DB) Leave(ctx context.Context, server, boot string) error {
	err := db.transact(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, "UPDATE server SET boot = '', presence = '' WHERE name = $1 AND boot = $2", server, boot))
		if err != nil || n == 0 {
			return err
		}
		return db.endWishes(ctx, tx, server)
	})
	if err == nil {
		db.Wake(ctx, TopicLease)
	}
	return db.explain(err, "leave the management group")
}
