package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
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

// whose stands before a mark, and tells which copy made it: one that stood still
// must not take another's for its own.
var whose = regexp.MustCompile(` #[0-9a-f]{8}$`)

func newWhose() string { return fmt.Sprintf(" #%08x", rand.Uint32()) }

// splitName parts a group's name from its mark, "" = none.
func splitName(name string) (group, mark string) {
	for _, mark := range []string{markEnding, markMoving, markMoved, markCopy} {
		if group, marked := strings.CutSuffix(name, mark); marked {
			return whose.ReplaceAllString(group, ""), mark
		}
	}
	return name, ""
}

func unmarked(name string) string {
	group, _ := splitName(name)
	return group
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
	group, mark := splitName(name)
	switch mark {
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

// called is the group's name with a mark of this copy's; what is not under way any
// more is nobody's.
func (c *copying) called(mark string) string {
	if mark == "" || mark == markMoved {
		return c.name + mark
	}
	return c.name + c.whose + mark
}

// mark marks the old group, as long as it is called as this copy left it.
func (c *copying) mark(ctx context.Context, mark string) error {
	return c.leave(mark, func(found []string) error { return c.old.rename(ctx, found, c.called(mark)) })
}

// leave keeps what the old group may be called after a step that marks it: one name
// where the step is known to have been carried out.
func (c *copying) leave(mark string, step func(found []string) error) error {
	found := c.left
	c.left = append(slices.Clone(found), c.called(mark))
	err := step(found)
	if err == nil {
		c.left = []string{c.called(mark)}
	}
	return err
}
