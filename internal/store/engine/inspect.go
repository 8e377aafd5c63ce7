package engine

import "context"

// Inspect is what an engine can tell a person about the database. Each function
// returns what was found and, where something is not as it should be, what to do
// about it; "" is the good answer. A nil function cannot be answered.
type Inspect struct {
	// Version is the server's, or the library's.
	Version func(ctx context.Context) (found, todo string, err error)
	// Way is what lies between this process and the database, and what that costs.
	Way func(ctx context.Context) (found, todo string, err error)
	// Hosts are those that the database may be on, and which of them take writes. Nil
	// where there is one.
	Hosts func(ctx context.Context) (found, todo string, err error)
	// Writes is whether the database takes them, and why not. Nil where that is
	// shown by trying alone.
	Writes func(ctx context.Context) (found, todo string, err error)
	// Isolation is that of a transaction of work.
	Isolation func(ctx context.Context) (found, todo string, err error)
	// Sessions are the connections that the database has, by program and host.
	Sessions func(ctx context.Context) (found, todo string, err error)
	// Privileges are those that this user lacks.
	Privileges func(ctx context.Context) (found, todo string, err error)
	// Clock is the database's clock, in microseconds since 1970 UTC, as an expression
	// that needs no schema; "" where there is none.
	Clock string
	// Sizes are those of the tables, the largest first.
	Sizes func(ctx context.Context) ([]Size, error)
}

// Size is how much a table holds.
type Size struct {
	Table string
	Rows  int64
	About bool  // the number of rows is the engine's estimate
	Bytes int64 // with its indexes; negative = not known
}
