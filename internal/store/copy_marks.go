package store

import (
	"fmt"
	"strings"

	"tieline/internal/fault"
)

// A group's name carries a mark while and after its database is copied, by which
// servers are refused.
const (
	markMoving = " [being moved]"
	markMoved  = " [moved]"
	markCopy   = " [being copied]"
)

func unmarked(name string) string {
	for _, mark := range []string{markMoving, markMoved, markCopy} {
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

// movedAway refuses a server where the group's name says that its database is
// not, or not yet, where the group is.
func movedAway(name string) error {
	group := unmarked(name)
	switch strings.TrimPrefix(name, group) {
	case markMoving:
		return fault.New(fault.Refused, called(group)+" is being moved to another database").
			WithNext("let tieline db copy finish, by calling it again if it was interrupted, and give the server the new database")
	case markMoved:
		return fault.New(fault.Refused, called(group)+" was moved to another database").
			WithNext("give the server the new database")
	case markCopy:
		return fault.New(fault.Refused, "the copy of "+called(group)+" in this database is not finished").
			WithNext("call tieline db copy again")
	}
	return nil
}
