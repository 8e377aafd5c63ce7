package store

import "tieline/internal/store/engine"

// first ends a query that answers at most n rows (a number or a parameter, "$2"),
// the first in the order; order "" is any. Engines differ in how that is said.
func (db *DB) first(order, n string) string { return db.slice(order, n, "") }

// slice is first, after so many rows were passed over; offset "" is none.
func (db *DB) slice(order, n, offset string) string { return sliceOf(db.engine, order, n, offset) }

func sliceOf(e *engine.Engine, order, n, offset string) string {
	if own := e.Statements.Slice; own != nil {
		return own(order, n, offset)
	}
	text := " LIMIT " + n
	if order != "" {
		text = " ORDER BY " + order + text
	}
	if offset != "" {
		text += " OFFSET " + offset
	}
	return text
}
