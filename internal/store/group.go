package store

import (
	"context"

	"github.com/google/uuid"

	"tieline/internal/secret"
)

// GroupInfo is the management group's row.
type GroupInfo struct {
	ID         uuid.UUID     // part of every ticket's key
	Name       string        // "" until the first server joined
	NudgeKey   secret.String // authenticates wake-ups between servers
	Generation int64         // of the connector documents; grows with every applied one
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
