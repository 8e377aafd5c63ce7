package connector

import (
	"fmt"
	"slices"
	"strings"
)

// circle follows the state maps from every state of the source: to the ticket,
// back to the source, to the ticket again. It returns the states of a circle
// with the first repeated at the end, nil when every way comes to rest.
//
// An alert is open while it is acknowledged, so that an acknowledgement maps to
// the same ticket state as an open alert. A way rests where a map says nothing,
// and where the state it arrives at is the one it came from.
func (s States) circle() []string {
	for _, start := range SourceStates {
		var path []string
		for state := start; ; {
			if at := slices.Index(path, state); at >= 0 {
				return s.spell(append(path[at:], state))
			}
			path = append(path, state)
			next, moved := s.roundTrip(state)
			if !moved {
				break
			}
			state = next
		}
	}
	return nil
}

// roundTrip maps a source state to the ticket and back; moved is false where it rests.
func (s States) roundTrip(state string) (next string, moved bool) {
	next, ok := s.Back[s.there(state)]
	return next, ok && next != state
}

func (s States) there(state string) string {
	if state == "closed" {
		return s.Closed
	}
	return s.Open
}

// spell puts the ticket's states between the source's.
func (s States) spell(sources []string) []string {
	var all []string
	for i, state := range sources {
		all = append(all, "alert "+state)
		if i < len(sources)-1 {
			all = append(all, fmt.Sprintf("ticket %q", s.there(state)))
		}
	}
	return all
}

func arrows(states []string) string { return strings.Join(states, " -> ") }
