package config

import (
	"slices"
	"strings"
)

// Stranger is an environment variable that looks like a setting and is none.
type Stranger struct {
	Name    string
	Nearest string // the setting's variable that it is most like
}

// others are the variables of the program that are no settings of a server.
var others = []string{"TIELINE_CONFIG", "TIELINE_WHO"}

// forTests begins the names that the project's own tests read.
const forTests = "TIELINE_TEST_"

// Strangers returns the variables, given as NAME=value, that begin as settings
// do and that nothing reads, in the order of their names: most often a letter is
// wrong, and the setting is not in effect. (A document may name one of them for a
// secret; it is read all the same.)
func Strangers(environ []string) []Stranger {
	known := slices.Clone(others)
	for _, s := range Settings() {
		known = append(known, s.Env())
	}
	var out []Stranger
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "TIELINE_") && !strings.HasPrefix(name, forTests) && !slices.Contains(known, name) {
			out = append(out, Stranger{name, nearest(name, known)})
		}
	}
	slices.SortFunc(out, func(a, b Stranger) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// nearest takes a name that was left unfinished for the first that it begins,
// and any other for the one that takes the fewest changes.
func nearest(name string, known []string) string {
	if i := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(k, name+"_") }); i >= 0 {
		return known[i]
	}
	return slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is how many letters must be put in, left out or changed to make one
// word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
