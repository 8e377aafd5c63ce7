package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tieline/internal/fault"
)

// A group's name carries a mark while and after its database is copied, by which
// servers are refused, and all who would change something (engine.InService has the
// same marks).
const (
	markMoving = " [being moved]"
	markMoved  = " [moved]"
	markCopy   = " [being copied]"
	// markEnding is markMoving from just before the copy goes into service until the
	// old database is known to be out of it for good: the copy may be in service.
	markEnding = " [copied]" + markMoving
)

func unmarked(name string) string {
	for _, mark := range []string{markEnding, markMoving, markMoved, markCopy} {
		name = strings.TrimSuffix(name, mark)
	}
	return name
}

// called names a group in a sentence; one that no server ever joined has no name.
func called(group string) string {
	if group == "" {
		return "the management group, which no server ever joined,"
	}
	return fmt.Sprintf("management group %q", group)
}

// nextDatabase is the next step where a group is in another database.
const nextDatabase = "give servers, consoles and commands the new database (--database, TIELINE_DATABASE_URL)"

// movedAway refuses everybody where the group's name says that its database is
// not, or not yet, where the group is.
func movedAway(name string) error {
	group := unmarked(name)
	switch strings.TrimPrefix(name, group) {
	case markMoving, markEnding:
		return fault.New(fault.Refused, called(group)+" is being moved to another database").
			WithNext("let tieline db copy finish, by calling it again if it was interrupted, and then " + nextDatabase)
	case markMoved:
		return fault.New(fault.Refused, called(group)+" was moved to another database").
			WithNext(nextDatabase)
	case markCopy:
		return fault.New(fault.Refused, "the copy of "+called(group)+" in this database is not finished").
			WithNext("call tieline db copy again")
	}
	return nil
}

// inService refuses a transaction where the management group is, or goes, in another
// database. Copy waits for those that were not refused before it reads a row.
func (db *DB) inService(ctx context.Context, tx *sql.Tx) error {
	var name string
	if err := tx.QueryRowContext(ctx, db.statements.groupName).Scan(&name); err != nil {
		return err
	}
	return movedAway(name)
}

// notInService is the error of a transaction whose statement found the group out of
// service, which it may be no more.
func (db *DB) notInService(ctx context.Context, tx *sql.Tx) error {
	if err := db.inService(ctx, tx); err != nil {
		return err
	}
	return errAgain
}

// errOvertaken is the cause where another copy went on.
var errOvertaken = errors.New("this copy's process stood still, and lost its lock")

// whileCalled carries a step of a copy out while the group is called as this copy
// found or left it; its row is locked. A copy whose process stood still loses the lock
// that keeps others away, and another may have ended the move meanwhile: what this one
// would still do is refused with fault.Conflict.
func (db *DB) whileCalled(ctx context.Context, names []string, step func(*sql.Tx) error) error {
	return db.transact(ctx, func(tx *sql.Tx) error {
		var name string
		if err := tx.QueryRowContext(ctx, db.statements.lockGroup).Scan(&name); err != nil {
			return err
		}
		if !slices.Contains(names, name) {
			return fault.Wrap(fault.Conflict, errOvertaken, fmt.Sprintf("another copy of the management group went on meanwhile: in %s it is called %q now", db.Where(), name)).
				WithNext("nothing more was changed; call tieline db copy again, which says where the group is")
		}
		return step(tx)
	})
}

// rename marks the group, if it is called as it was found or left.
func (db *DB) rename(ctx context.Context, from []string, to string) error {
	err := db.whileCalled(ctx, from, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE management_group SET name = $1", to)
		return err
	})
	return db.explain(err, "mark the management group of "+db.Where())
}

// mark marks the old group, as long as it is called as this copy left it.
func (c *copying) mark(ctx context.Context, mark string) error {
	found := c.left
	c.left = append(c.left, c.name+mark) // which it may be called, whatever becomes of the answer
	return c.old.rename(ctx, found, c.name+mark)
}
