package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tieline/internal/fault"
)

// Kind is one entry of the composition root's table of source adapters.
type Kind struct {
	// Check returns every problem of the kind-specific settings, with paths below
	// "settings" ("settings.silence"). It calls nobody.
	Check func(values map[string]string) []fault.Problem
	// New builds a source. It calls nobody; its error is a *fault.Error of kind Invalid.
	New func(Settings) (Parts, error)
}

// Parts are what one source can do.
type Parts struct {
	Adapter Adapter
	Lister  Lister // nil = its alerts cannot be listed
	Writer  Writer // nil = it takes nothing back
}

// UnknownSettings returns a problem for each setting that is not known.
func UnknownSettings(values map[string]string, known ...string) []fault.Problem {
	var problems []fault.Problem
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			problems = append(problems, fault.Problem{
				Path: Join("settings", name), Message: "unknown setting; known are " + strings.Join(known, ", "),
			})
		}
	}
	return problems
}

// UpdateKey names an update for receivers that drop repeats: the alert's key
// with the state and revision that it is told.
func UpdateKey(u Update) string {
	return fmt.Sprintf("%s-%s-%s-%d", u.Key, u.Connector, u.State, u.Revision)
}
