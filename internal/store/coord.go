package store

import (
	"context"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

// Coordinator opens coordination sessions on connections of their own.
func (db *DB) Coordinator() ha.Coordinator { return db.engine.Coordination }

// ReadGroup reads the management group as a Session does, on a connection of
// the pool: for people and pages, never for a decision.
func (db *DB) ReadGroup(ctx context.Context) (ha.Group, error) {
	var text string
	if err := db.engine.Read.QueryRowContext(ctx, db.engine.GroupQuery).Scan(&text); err != nil {
		return ha.Group{}, db.explain(err, "read the management group")
	}
	r, err := coord.Decode([]byte(text))
	return r.Group, err
}
