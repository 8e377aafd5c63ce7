package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"tieline/internal/fault"
	"tieline/internal/nudge"
	"tieline/internal/secret"
)

// peersLife is how long the list of servers to nudge is used. A server that
// comes or goes announces it, which empties the list.
const peersLife = 5 * time.Second

// nudger wakes the other servers over HTTP where the engine carries no wake-ups.
type nudger struct {
	sender *nudge.Sender // nil: the engine carries them

	mu    sync.Mutex
	self  string // this process's server; "" = it is none
	key   secret.String
	peers []nudge.Peer
	read  time.Time // when peers were read
}

// Nudged calls every listener of this process with what another server nudged:
// its lines are topics with their origins.
func (db *DB) Nudged(lines []string) {
	for _, line := range lines {
		if topic, _, _ := strings.Cut(line, " "); topic == TopicLease {
			db.nudges.forget()
		}
	}
	db.wakes.each(func(in *inbox) {
		for _, line := range lines {
			db.hear(in, line)
		}
	})
}

func (n *nudger) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.read = time.Time{}
}

// joined notes which server this process is: it nudges all others.
func (n *nudger) joined(server string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.self = server
}

// nudge tells the other servers that live.
func (db *DB) nudge(ctx context.Context, lines []string) error {
	if len(lines) > nudge.MaxLines {
		lines = []string{TopicRefresh}
	}
	peers, key, err := db.peers(ctx)
	if err == nil && len(peers) > 0 {
		db.nudges.sender.Send(peers, key, lines)
	}
	return err
}

// peers returns the other servers that live and have an address, and the
// group's key.
func (db *DB) peers(ctx context.Context) ([]nudge.Peer, secret.String, error) {
	n := &db.nudges
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.read.IsZero() && time.Since(n.read) < peersLife {
		return n.peers, n.key, nil
	}
	if n.key.IsZero() {
		g, err := db.Group(ctx)
		if err != nil {
			return nil, n.key, err
		}
		n.key = g.NudgeKey
	}
	n.peers = nil
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var p nudge.Peer
		err := rows.Scan(&p.Name, &p.URL)
		n.peers = append(n.peers, p)
		return err
	}, `SELECT name, address FROM server WHERE boot <> '' AND address <> '' AND name <> $1
		AND heartbeat_at + promised > (SELECT now FROM clock) ORDER BY name`, n.self)
	if err != nil {
		return nil, n.key, fmt.Errorf("read the servers to wake: %w", err)
	}
	n.read = time.Now()
	return n.peers, n.key, nil
}

// checkNudges nudges every server that lives, as wake-ups do.
func (db *DB) checkNudges(ctx context.Context) (string, error) {
	db.nudges.forget()
	peers, key, err := db.peers(ctx)
	if err != nil {
		return "", err
	}
	if len(peers) == 0 {
		return "go from server to server over HTTP; no other server runs", nil
	}
	var failed []error
	began := time.Now()
	for _, p := range peers {
		if err := db.nudges.sender.Nudge(ctx, p, key, []string{TopicLease}); err != nil {
			failed = append(failed, fmt.Errorf("server %s at %s: %w", p.Name, p.URL, err))
		}
	}
	if len(failed) > 0 {
		return "", fault.Wrap(fault.Unavailable, errors.Join(failed...),
			fmt.Sprintf("%d of %d servers cannot be woken over HTTP: %v", len(failed), len(peers), failed[0])).
			WithNext("they see new work only at their next poll; set --advertise to an address that the other servers reach")
	}
	each := (time.Since(began) / time.Duration(len(peers))).Round(10 * time.Microsecond)
	return fmt.Sprintf("other servers are woken over HTTP after %s", each), nil
}
