package store

import (
	"context"
	"time"

	"tieline/internal/store/engine"
)

// TableSize is how much a table holds.
type TableSize = engine.Size

// sizesTimeout bounds the counting of rows.
const sizesTimeout = time.Minute

// Sizes returns the tables of the management group, the largest first; none
// where the engine cannot tell.
func (db *DB) Sizes(ctx context.Context) ([]TableSize, error) {
	if db.engine.Inspect.Sizes == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, sizesTimeout)
	defer cancel()
	all, err := db.engine.Inspect.Sizes(ctx)
	return all, db.explain(err, "measure the tables")
}
