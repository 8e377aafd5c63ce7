// Package engine is what one SQL engine answers to the store: how to open it,
// how a statement gets a set of rows, what an error code means, and the few
// statements that must be written differently. Everything else is one text for
// every engine.
//
// What differs between engines and is no statement is in the schema: each
// engine's migrations create the view "clock" (its column now is microseconds
// since 1970 UTC by the database's clock) and the view "history" (its column
// identity names the history of the database, rule L8). Parameters are written
// $1, $2, ... for every engine; where a driver wants others, package param gives
// each statement its markers once.
package engine

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
)

// Now is the database's clock, in microseconds since 1970 UTC, as an expression
// that a statement evaluates once.
const Now = "(SELECT now FROM clock)"

// InService is the condition that the management group is in this database: it is
// not being copied to another one, was not, and this is no unfinished copy of it.
// Whoever writes without being fenced by a term compares it in the transaction that
// writes, in this statement or in an earlier one.
const InService = `NOT EXISTS (SELECT 1 FROM management_group WHERE name LIKE '% ![being moved]' ESCAPE '!'
	OR name LIKE '% ![moved]' ESCAPE '!' OR name LIKE '% ![being copied]' ESCAPE '!')`

// Identity names the database's history (rule L8), as an expression that a
// statement evaluates once. The view has one column, whose name some engines
// reserve. It changes when commits may have been lost: at a
// promotion and, where the engine can tell, at a restore.
const Identity = "(SELECT * FROM history)"

// Options are what every engine is opened with.
type Options struct {
	MaxConns int // connections for work; 0 = the engine's default
	Log      *slog.Logger
}

// Engine is one open database with its engine's answers.
type Engine struct {
	Name  string  // "sqlite", "postgres", "mariadb", "mysql", "sqlserver"
	Where string  // which database it is, without credentials; safe for people
	Write *sql.DB // for transactions that write
	Read  *sql.DB // for statements that only read; may be the same

	// Migrations are the schema's versions; Goose is goose's name of the dialect.
	Migrations fs.FS
	Goose      string
	// Lock runs f while no other process of the management group does: migrations.
	Lock func(ctx context.Context, f func() error) error
	// Prepare makes the database ready for a server that is about to join, where
	// that takes more than the schema. Nil = nothing.
	Prepare func(ctx context.Context) error

	// Classify says what an error of the driver means.
	Classify func(error) Class
	// Why says of an error of class Unreachable or ReadOnly what keeps the database
	// from being worked with, and what to do about it; the cause follows the
	// database's name, "" = nothing more than its class. Nil where nothing is told.
	Why func(error) (cause, next string)
	// Rows returns the text of a statement over a set of rows, which Run then
	// executes: "WITH input (columns) AS (...)" and the statement. into is what an
	// INSERT has before its query ("INSERT INTO t (columns)"), "" of any other;
	// engines differ in whether it stands before WITH or after.
	Rows func(columns []Column, into, rest string) string
	// Own returns the text of a statement that this engine writes in full, by the
	// store's name of it; "" means that the store's text serves. The columns are
	// those of a Batch, else nil. Nil where every statement of the store serves.
	Own func(name string, columns []Column) string
	// Run executes such a statement over the rows in the transaction, with as few
	// round trips as the engine needs. It returns how many rows were affected.
	Run func(ctx context.Context, tx *sql.Tx, b *Batch, rows [][]any) (int64, error)
	// Each executes a batch statement that answers rows, and calls scan for each.
	Each func(ctx context.Context, tx *sql.Tx, b *Batch, rows [][]any, scan func(*sql.Rows) error) error
	// Gate lets the engine space out write transactions: it returns when the next
	// may begin, and done is called when that one has ended.
	Gate func(ctx context.Context) (done func(), err error)
	// Moved tells when what is open is the management group's database no more, as
	// a file that was replaced: whoever has it open must end. Nil where that cannot be.
	Moved func() error

	// Coordination is the engine's part in availability; GroupQuery reads the
	// management group as the JSON object coord.Decode reads.
	Coordination Coordination
	GroupQuery   string
	// Nudged says that the engine carries no wake-ups between processes, and the
	// store nudges the other servers over HTTP instead: Coordination's Listen and
	// Announce are not called.
	Nudged bool
	// TellsLeases says that a change of a lease by the coordinator wakes every
	// process, this one included, in the very transaction that makes it.
	TellsLeases bool

	// KeepsDead says that an index keeps the entries of rows it no longer lists
	// until a vacuum, so that looking for its first row costs what was removed.
	KeepsDead bool
	// Reserved are the names of columns that the engine's statements must quote, with
	// their quotes; nil = none.
	Reserved   map[string]string
	Statements Statements
	// Durable reports settings under which a confirmed commit may be lost, one
	// text each; none is the good answer.
	Durable func(ctx context.Context) ([]string, error)
	// Inspect tells people about the database.
	Inspect Inspect
	// Close closes the pools.
	Close func() error
}

// Column is a column's name as the engine's statements have it.
func (e *Engine) Column(name string) string {
	if quoted := e.Reserved[name]; quoted != "" {
		return quoted
	}
	return name
}

// Statements are the texts that differ between engines.
type Statements struct {
	// Claim claims due links (rule C1) and affects as many rows. Parameters:
	// connector, epoch, boot, identity, claim id, limit, 1 if the term has swept,
	// age of the term in microseconds, and a time before which nothing is due.
	Claim string
	// HasSchema answers true when goose's table of versions exists.
	HasSchema string
	// Slice ends a query that answers at most n rows of an order ("" = any), after
	// offset rows were passed over ("" = none); nil is ORDER BY, LIMIT, OFFSET.
	Slice func(order, n, offset string) string
	// Quiet waits, in a transaction of its own, until every transaction has ended
	// that read management_group or lease before; "" where nothing can be under way
	// beside a transaction that wrote them.
	Quiet string
	// ForUpdate ends a SELECT whose rows must not change before the transaction
	// ends; empty where a writer is alone anyway.
	ForUpdate string
}

// Type is the type of a Batch's column.
type Type int

// The types of columns.
const (
	Text     Type = iota // string
	Int                  // int64
	UUID                 // uuid.UUID
	NullUUID             // uuid.UUID or nil
	NullText             // string or nil
	NullInt              // int64 or nil
)

// Column is one column of a Batch's input.
type Column struct {
	Name string
	Type Type
}

// Batch is a statement over a set of rows, which it reads from "input".
type Batch struct {
	Columns []Column
	Text    string // complete, as Rows returned it
}

// Class is what an error of a driver means for the caller.
type Class int

// The classes.
const (
	Other       Class = iota // nothing the store acts on
	Unreachable              // the database cannot be reached, or the connection broke
	Busy                     // a lock was not granted in time, a deadlock: the transaction may be repeated
	Duplicate                // a unique index refused a row
	BadRow                   // the engine refuses a value: repeating does not help
	ReadOnly                 // the database takes no writes: a standby, a full disk
)
