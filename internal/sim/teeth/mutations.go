package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// mutation is one rule broken by changing the source.
type mutation struct {
	rule   string
	broken string
	edits  []edit
	by     string // tests that must notice, as a pattern: of the edited package, or of the suite on PostgreSQL; "" = any check will do
	quick  bool   // one of the few that -quick tries
}

// edit replaces a text that occurs once in a file.
type edit struct{ file, old, new string }

const (
	haDir       = "internal/ha/"
	alertDir    = "internal/alert/"
	forwardDir  = "internal/forward/"
	simDir      = "internal/sim/"
	storeDir    = "internal/store/"
	sqliteDir   = "internal/store/sqlite/"
	postgresDir = "internal/store/postgres/"
)

// mutations break each rule, in the order of the rules.
var mutations = inOrder(claimMutations, claimTexts, leaseMutations, leaseTexts, safeguards, waits)

// inOrder sorts mutations by their rules, and leaves those of one rule as they are.
func inOrder(tables ...[]mutation) []mutation {
	all := slices.Concat(tables...)
	slices.SortStableFunc(all, func(a, b mutation) int { return a.place() - b.place() })
	return all
}

// place is the rule's place: C1 to C10, then L1 to L9.
func (m mutation) place() int {
	var n int
	if _, err := fmt.Sscanf(m.rule[1:], "%d", &n); err != nil {
		panic("teeth: no rule is named " + m.rule)
	}
	if m.rule[0] == 'L' {
		n += 100
	}
	return n
}

// checks are the checks to try, in this order: the package's own tests, which
// are quick, then those of the simulation, or the conformance suites on a real
// database, of which the one most likely to notice comes first.
func (m mutation) checks(o *options) []check {
	out, units := m.ownTests()
	switch {
	case o.units && len(out) > 0:
		return out
	case m.touches(postgresDir):
		return append(out, contenders(m.by))
	case m.touches(storeDir):
		return append(out, storeChecks(m.rule[0] == 'L')...)
	}
	scenes := check{name: "scenes", pkg: simPkg, run: "^TestScene", decisive: true}
	states := check{name: "exploration", pkg: simPkg, run: "^TestExplore$", decisive: true, last: true}
	some, many := schedules(min(o.schedules, 1000)), schedules(o.schedules)
	many.last = true
	if m.rule[0] == 'L' {
		return append(out, scenes, some, many)
	}
	if units[path.Clean(alertDir)] || units[path.Clean(forwardDir)] {
		return append(out, some, many, states)
	}
	return append(out, some, scenes, many)
}

// schedules are so many seeded schedules, from the first seed on.
func schedules(n int) check {
	return check{name: "schedules", pkg: simPkg, run: "^TestSchedules$", decisive: true,
		flags: []string{fmt.Sprintf("-sim.schedules=%d", n), "-sim.stop=1"}}
}

const simPkg = "internal/sim"

// ownTests are those of the packages that are edited, but for the simulation's
// and the store's, which have a column of their own.
func (m mutation) ownTests() ([]check, map[string]bool) {
	var out []check
	units := map[string]bool{}
	for _, e := range m.edits {
		pkg := path.Dir(e.file)
		if units[pkg] || strings.HasPrefix(e.file, simDir) || strings.HasPrefix(e.file, storeDir) {
			continue
		}
		units[pkg] = true
		unit := check{name: path.Base(pkg) + " tests", pkg: pkg, run: "."}
		if m.by != "" {
			unit.run, unit.must = "^("+m.by+")$", true
		}
		out = append(out, unit)
	}
	return out, units
}

func (m mutation) touches(dir string) bool {
	return slices.ContainsFunc(m.edits, func(e edit) bool { return strings.HasPrefix(e.file, dir) })
}

// storeChecks run the conformance suites on SQLite, which needs no server: those
// of the links for the rules of claims, of the rows of servers and leases for the
// others, and at last all there is.
func storeChecks(leases bool) []check {
	links := check{name: "storetest on SQLite", pkg: "internal/store/sqlite", run: "^TestConformance$/^(claim|expire|record|mail|adopt)", decisive: true}
	rows := check{name: "hatest on SQLite", pkg: "internal/store", run: "^TestSQLiteCoordinatorConforms$", decisive: true}
	admin := check{name: "store tests on SQLite", pkg: "internal/store", decisive: true,
		run: "^Test(BeatAnswers|BeatIsA|OneOfMany|LeaseFollows|RemovedServer|DoubtFollows|Join|Memberships|Wish|Remove).*$/^sqlite$"}
	all := links
	all.run, all.last = "^TestConformance$", true
	if leases {
		return []check{rows, admin, links, all}
	}
	return []check{links, rows, admin, all}
}

// contenders is one test of the conformance suite, of those in which several
// sessions claim the same links or that say what a claim leaves alone, on a
// PostgreSQL server.
func contenders(test string) check {
	return check{name: "storetest on PostgreSQL", pkg: path.Clean(postgresDir), decisive: true, postgres: true,
		run: "^TestConformance$/^(contention|claim)$/^" + test + "$"}
}

// timing changes one of ha's waits.
func timing(old, new string) []edit { return []edit{{haDir + "timing.go", old, new}} }
