package main

import (
	"fmt"
	"path"
	"strings"
)

// mutation is one rule broken by changing the source.
type mutation struct {
	rule   string
	broken string
	edits  []edit
	by     string // tests of the edited package that must notice, as a pattern; "" = any check will do
}

// edit replaces a text that occurs once in a file.
type edit struct{ file, old, new string }

const (
	haDir      = "internal/ha/"
	alertDir   = "internal/alert/"
	forwardDir = "internal/forward/"
	simDir     = "internal/sim/"
	storeDir   = "internal/store/"
)

// checks are the checks to try, in this order: the package's own tests, then
// the simulation's, of which the one most likely to notice comes first.
func (m mutation) checks(o *options) []check {
	var out []check
	units := map[string]bool{}
	for _, e := range m.edits {
		pkg := path.Dir(e.file)
		if strings.HasPrefix(e.file, storeDir) {
			return []check{{name: "store tests", pkg: "internal/store", run: storeTests()}}
		}
		if !strings.HasPrefix(e.file, simDir) && !units[pkg] {
			units[pkg] = true
			unit := check{name: path.Base(pkg) + " tests", pkg: pkg, run: "."}
			if m.by != "" {
				unit.run, unit.must = "^("+m.by+")$", true
			}
			out = append(out, unit)
		}
	}
	const sim = "internal/sim"
	scenes := check{name: "scenes", pkg: sim, run: "^TestScene", decisive: true}
	schedules := check{name: "schedules", pkg: sim, run: "^TestSchedules$", decisive: true,
		flags: []string{fmt.Sprintf("-sim.schedules=%d", o.schedules), "-sim.stop=1"}}
	states := check{name: "exploration", pkg: sim, run: "^TestExplore$", decisive: true}
	switch {
	case o.units && len(out) > 0:
		return out
	case m.rule[0] == 'L':
		return append(out, scenes, schedules)
	case units["internal/alert"] || units["internal/forward"]:
		return append(out, schedules, states)
	default:
		return append(out, schedules, scenes)
	}
}

// timing changes one of ha's waits.
func timing(old, new string) []edit { return []edit{{haDir + "timing.go", old, new}} }
