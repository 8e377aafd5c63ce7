package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"tieline/internal/store/engine"
)

// memberOf returns the connectors a server is a member of.
func (db *DB) memberOf(ctx context.Context, tx *sql.Tx, server string) ([]string, error) {
	var connectors []string
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		connectors = append(connectors, name)
		return err
	}, "SELECT connector FROM membership WHERE server = $1 ORDER BY connector", server)
	return connectors, err
}

// addMemberships puts a server at the end of the connectors' orders in which it
// has no place yet, and gives each connector its lease row.
func (db *DB) addMemberships(ctx context.Context, tx *sql.Tx, server string, connectors []string) error {
	have, err := db.memberOf(ctx, tx, server)
	if err != nil {
		return err
	}
	for _, connector := range connectors {
		if slices.Contains(have, connector) {
			continue
		}
		if err := db.addMembership(ctx, tx, connector, server); err != nil {
			return err
		}
		if err := db.note(ctx, tx, event{connector: connector, to: server, reason: reasonJoined}); err != nil {
			return err
		}
	}
	return nil
}

const addLeaseText = `
INSERT INTO lease (connector, epoch, beat, server, boot, promised, successor, wish, identity, since)
SELECT $1, 0, 0, '', '', 0, '', '', '', now FROM clock WHERE true
ON CONFLICT (connector) DO NOTHING`

func (db *DB) addMembership(ctx context.Context, tx *sql.Tx, connector, server string) error {
	_, err := tx.ExecContext(ctx, db.statements.addLease, connector)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
INSERT INTO membership (connector, server, position, runs, eligible, reaches, reason)
SELECT $1, $2, coalesce(max(position), 0) + 1, 0, 0, 0, $3 FROM membership WHERE connector = $1`, connector, server, notReported)
	return err
}

// endMemberships takes a server out of the orders of all connectors but those kept.
func (db *DB) endMemberships(ctx context.Context, tx *sql.Tx, server string, keep []string) error {
	have, err := db.memberOf(ctx, tx, server)
	if err != nil {
		return err
	}
	for _, connector := range have {
		if slices.Contains(keep, connector) {
			continue
		}
		if err := db.endMembership(ctx, tx, connector, server, ""); err != nil {
			return err
		}
	}
	return nil
}

// endMembership takes a server out of a connector's order. The lease's beat
// grows, so that a take-over of this server's, decided before, does not pass.
func (db *DB) endMembership(ctx context.Context, tx *sql.Tx, connector, server, who string) error {
	for _, text := range []string{
		"DELETE FROM membership WHERE connector = $1 AND server = $2",
		`UPDATE lease SET beat = beat + 1, wish = CASE WHEN wish = $2 THEN '' ELSE wish END,
			successor = CASE WHEN successor = $2 THEN '' ELSE successor END WHERE connector = $1`,
	} {
		if _, err := tx.ExecContext(ctx, text, connector, server); err != nil {
			return err
		}
	}
	order, err := db.order(ctx, tx, connector)
	if err != nil {
		return err
	}
	if err := db.reorder(ctx, tx, connector, order); err != nil {
		return err
	}
	return db.note(ctx, tx, event{connector: connector, from: server, reason: reasonRemoved, who: who})
}

// order reads a connector's communication order.
func (db *DB) order(ctx context.Context, tx *sql.Tx, connector string) ([]string, error) {
	var servers []string
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var server string
		err := rows.Scan(&server)
		servers = append(servers, server)
		return err
	}, "SELECT server FROM membership WHERE connector = $1 ORDER BY position, server", connector)
	return servers, err
}

// reorder writes a communication order as positions 1 to n.
func (db *DB) reorder(ctx context.Context, tx *sql.Tx, connector string, servers []string) error {
	for i, server := range servers {
		_, err := tx.ExecContext(ctx, "UPDATE membership SET position = $3 WHERE connector = $1 AND server = $2 AND position <> $3",
			connector, server, i+1)
		if err != nil {
			return err
		}
	}
	return nil
}

// event is a line of a connector's availability history that a person or a
// server's coming or going caused.
type event struct {
	connector, from, to, reason, who string
}

// Reasons of events that change no Active; those that do are ha.Reason.
const (
	reasonJoined  = "joined"
	reasonRemoved = "removed"
	reasonUp      = "moved up"
	reasonDown    = "moved down"
	reasonWished  = "make active"
)

// note writes an event at the lease's present epoch.
func (db *DB) note(ctx context.Context, tx *sql.Tx, e event) error {
	_, err := tx.ExecContext(ctx, `
INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
SELECT $1, coalesce((SELECT epoch FROM lease WHERE connector = $1), 0), `+engine.Now+`, $2, $3, $4, $5`,
		e.connector, e.from, e.to, e.reason, e.who)
	return err
}

func fromMicros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}
