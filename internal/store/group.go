package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/google/uuid"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// GroupInfo is the management group's row.
type GroupInfo struct {
	ID         uuid.UUID     // part of every ticket's key
	Name       string        // "" until the first server joined
	NudgeKey   secret.String // authenticates wake-ups between servers
	Generation int64         // of the connector documents; grows with every applied one
}

// Moved is the error for whoever would change the database of a group that was
// moved, or is being moved, to another one; nil where it was not.
func (g GroupInfo) Moved() error { return movedAway(g.Name) }

// Serving reports whether the database answers and the management group is in it:
// fault.Refused where it was moved, or is being moved, to another one.
func (db *DB) Serving(ctx context.Context) error {
	g, err := db.Group(ctx)
	if err == nil {
		err = g.Moved()
	}
	return err
}

// Is returns OtherGroup's error where the group has a name, and another one.
func (g GroupInfo) Is(name, who string) error {
	if own := unmarked(g.Name); own != "" && own != name {
		return OtherGroup(own, who, name)
	}
	return nil
}

// OtherGroup is the error for somebody who is set up for another management
// group than the one whose database was opened.
func OtherGroup(database, who, set string) error {
	return fault.New(fault.Refused, fmt.Sprintf("the database belongs to management group %q, and %s is set up for %q", database, who, set)).
		WithNext("correct the management group (--management-group, TIELINE_MANAGEMENT_GROUP), or give that group's own database")
}

// Group reads the management group's row.
func (db *DB) Group(ctx context.Context) (GroupInfo, error) {
	var g GroupInfo
	var key string
	err := db.engine.Read.QueryRowContext(ctx, "SELECT id, name, nudge_key, generation FROM management_group").
		Scan(&g.ID, &g.Name, &key, &g.Generation)
	g.NudgeKey = secret.New(key)
	return g, db.explain(err, "read the management group")
}

// ServerAddresses returns where the servers are reached: those of a connector in its
// communication order, then the others by name. Servers that told no address are
// left out.
func (db *DB) ServerAddresses(ctx context.Context, connector string) ([]string, error) {
	var all []string
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var address string
		err := rows.Scan(&address)
		all = append(all, address)
		return err
	}, `SELECT s.address FROM server s LEFT JOIN membership m ON m.server = s.name AND m.connector = $1
WHERE s.address <> '' ORDER BY CASE WHEN m.position IS NULL THEN 1 ELSE 0 END, m.position, s.name`, connector)
	return all, db.explain(err, "read the servers' addresses")
}
