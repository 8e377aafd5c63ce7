package edit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const desk = `# the desk's connector
name: desk # ours

# Where alerts come from.
sources:
  - name: am   # unique
    kind: alertmanager

  - name: scripts
    kind: generic

subscription: >-
  severity == "critical"


remote:
  kind: rt
  endpoints:
    - http://rt-1   # the house
    - http://rt-2
  poll: "15s"
severity:
  map: {critical: high} # theirs
# the end
`

func TestSetKeepsEverythingElse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		path       Path
		value      any
		old, want  string // old: part of the text that becomes want
	}{
		{"a quoted value", desk, At("remote", "poll"), "30s", `poll: "15s"`, `poll: "30s"`},
		{"with its comment", desk, At("remote", "endpoints").Item(0), "http://rt-9", "http://rt-1   # the house", "http://rt-9 # the house"},
		{"a new key", desk, At("severity", "map", "warning"), "medium", "{critical: high}", "{critical: high, warning: medium}"},
		{"a new section", "name: desk\n", At("limits", "rate"), 5, "desk\n", "desk\nlimits:\n  rate: 5\n"},
		{"a section with nothing in it", "limits:\nname: desk\n", At("limits", "rate"), 2.5, "limits:\n", "limits:\n  rate: 2.5\n"},
		{"a folded text", desk, At("subscription"), `severity != ""`, `severity == "critical"`, `severity != ""`},
		{"a template", "name: x\n", At("fields", "Alert Source"), "{{ .Source }}", "x\n", "x\nfields:\n  Alert Source: '{{ .Source }}'\n"},
		{"an empty text", "name: x\n", At("states", "open"), "", "x\n", "x\nstates:\n  open: \"\"\n"},
		{"nothing at all yet", "", At("name"), "x", "", "name: x\n"},
	} {
		text, err := Open(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := text.Set(c.path, c.value); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(strings.Replace(c.text, c.old, c.want, 1), text.String()); c.name != "with its comment" && c.name != "a quoted value" && diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if !strings.Contains(text.String(), c.want) {
			t.Errorf("%s: %q is not in\n%s", c.name, c.want, text)
		}
	}
}

// A change of one section leaves the others' lines as they were, blank lines and all.
func TestOnlyTheChangedSectionIsWrittenAnew(t *testing.T) {
	text, err := Open(desk)
	if err != nil {
		t.Fatal(err)
	}
	text.Move(At("remote", "endpoints"), 1, 0)
	want := strings.Replace(desk, "    - http://rt-1   # the house\n    - http://rt-2\n", "    - http://rt-2\n    - http://rt-1 # the house\n", 1)
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
	text.Move(At("remote", "endpoints"), 0, 1)
	if diff := cmp.Diff(desk, text.String()); diff != "" {
		t.Errorf("moved there and back: %s", diff)
	}
}

func TestRemoveTakesEmptyParentsAlong(t *testing.T) {
	text, err := Open(desk)
	if err != nil {
		t.Fatal(err)
	}
	text.Remove(At("severity", "map", "critical"))
	text.Remove(At("sources").Item(1))
	text.Remove(At("nowhere", "at", "all"))
	got := text.String()
	if strings.Contains(got, "severity:") || strings.Contains(got, "scripts") || !strings.Contains(got, "# the end") || !strings.Contains(got, "# Where alerts come from.") {
		t.Errorf("got\n%s", got)
	}
	if text.Len(At("sources")) != 1 || text.Len(At("name")) != 0 {
		t.Errorf("%d sources", text.Len(At("sources")))
	}
}

func TestReading(t *testing.T) {
	text, err := Open(desk)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := text.Scalar(At("sources").Item(1).Key("name")); v != "scripts" || !ok {
		t.Errorf("the second source is %q, %t", v, ok)
	}
	for _, p := range []Path{At("sources"), At("sources").Item(7), At("name", "deeper"), At("no")} {
		if v, ok := text.Scalar(p); ok {
			t.Errorf("%s is %q", p, v)
		}
	}
	if keys := text.Keys(At("remote")); !cmp.Equal(keys, []string{"kind", "endpoints", "poll"}) {
		t.Errorf("keys %v", keys)
	}
}

func TestWhatStandsInTheWayIsNotOverwritten(t *testing.T) {
	text, err := Open("name: x\nlimits: 3\nremote: {endpoints: here}\n")
	if err != nil {
		t.Fatal(err)
	}
	for path, err := range map[string]error{
		"limits":           text.Set(At("limits", "rate"), 1),
		"remote.endpoints": text.Append(At("remote", "endpoints"), "http://x"),
		"sources[0]":       text.Set(At("sources").Item(0), "x"),
	} {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, broken := range []string{"- a\n", "a: [\n", "just text"} {
		if _, err := Open(broken); err == nil {
			t.Errorf("%q was opened", broken)
		}
	}
}

func TestAppend(t *testing.T) {
	text, err := Open("name: x\nremote:\n  kind: rt\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"http://a", "http://b"} {
		if err := text.Append(At("remote", "endpoints"), address); err != nil {
			t.Fatal(err)
		}
	}
	if want := "name: x\nremote:\n  kind: rt\n  endpoints:\n    - http://a\n    - http://b\n"; text.String() != want {
		t.Errorf("got\n%s", text)
	}
}

func TestPaths(t *testing.T) {
	for _, text := range []string{"name", "remote.poll", "sources[12].token", `fields["Alert Source"].cel`, `severity.map["a.b[\"]"]`, `["x y"]`, ""} {
		p, err := ParsePath(text)
		if err != nil || p.String() != text {
			t.Errorf("%q reads as %q: %v", text, p, err)
		}
	}
	for _, text := range []string{".", "a..b", "a[", "a[-1]", `a["b`, `a["b"`, "a b", "a[1]b"} {
		if p, err := ParsePath(text); err == nil {
			t.Errorf("%q reads as %v", text, p)
		}
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ name, old, next, want string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"changed in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", " 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n...\n"},
		{"from nothing", "", "a\nb\n", "+a\n+b\n"},
		{"to nothing", "a\n", "", "-a\n"},
		{"no newline at the end", "a", "a\nb", " a\n+b\n"},
	} {
		if got := Diff(c.old, c.next); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// Two texts with nothing in common cost no table of millions of lines.
func TestDiffOfHugeTextsIsBounded(t *testing.T) {
	lines := Lines(strings.Repeat("a\n", 5000), strings.Repeat("b\n", 5000))
	if len(lines) != 10000 || lines[0].Mark != '-' || lines[9999] != (Line{Mark: '+', Text: "b", New: 5000}) {
		t.Errorf("%d lines, the last %+v", len(lines), lines[len(lines)-1])
	}
}

func TestChanges(t *testing.T) {
	next := strings.NewReplacer("high}", "urgent, low: minor}", "kind: generic", "kind: generic\n    token: env:T", "http://rt-2\n", "http://rt-3\n", "name: desk", "description: two\n\nname: desk").Replace(desk)
	got, err := Changes(desk, next)
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{"description", "", "two"},
		{"sources.scripts.token", "", "env:T"},
		{"remote.endpoints", "[http://rt-1, http://rt-2]", "[http://rt-1, http://rt-3]"},
		{"severity.map.critical", "high", "urgent"},
		{"severity.map.low", "", "minor"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	swapped, err := Changes("sources: [{name: a}, {name: b}]", "sources: [{name: b}, {name: a}]")
	if err != nil || len(swapped) != 1 || swapped[0].Path != "sources" {
		t.Errorf("another order: %+v, %v", swapped, err)
	}
}

func TestMerge(t *testing.T) {
	mine := strings.NewReplacer("{critical: high}", "{critical: high, warning: low}", "name: scripts", "name: scripts\n    token: env:T").Replace(desk)
	theirs := strings.NewReplacer("http://rt-2", "http://rt-3", "kind: alertmanager", "kind: alertmanager\n    url: http://am").Replace(desk)
	got, overlaps, err := Merge(desk, mine, theirs, Mine)
	if err != nil || len(overlaps) != 0 {
		t.Fatalf("overlaps %+v, %v", overlaps, err)
	}
	for _, part := range []string{"warning: low", "token: env:T", "http://rt-3", "url: http://am", "# the end", "# Where alerts come from.\n", "# the house", "\n\n\nremote:"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in\n%s", part, got)
		}
	}
}

func TestMergeTellsOverlaps(t *testing.T) {
	const base = "name: x\nremote:\n  poll: 15s\n  user: a\nlimits: {rate: 1}\n"
	const mine = "name: x\nremote:\n  poll: 20s\n  user: b\n"
	const theirs = "name: x\nremote:\n  poll: 30s\n  user: a\nlimits: {rate: 2}\n"
	for prefer, want := range map[Prefer]string{
		Mine:   "name: x\nremote:\n  poll: 20s\n  user: b\n",
		Theirs: "name: x\nremote:\n  poll: 30s\n  user: b\nlimits: {rate: 2}\n",
	} {
		got, overlaps, err := Merge(base, mine, theirs, prefer)
		if err != nil || got != want {
			t.Errorf("prefer %d: %v\n%s", prefer, err, got)
		}
		if diff := cmp.Diff([]Overlap{{"remote.poll", "15s", "20s", "30s"}, {"limits", "{rate: 1}", "", "{rate: 2}"}}, overlaps); diff != "" {
			t.Error(diff)
		}
	}
	if got, overlaps, err := Merge(base, base, base, Mine); got != base || overlaps != nil || err != nil {
		t.Errorf("nothing changed: %q, %v, %v", got, overlaps, err)
	}
}

func TestBlocks(t *testing.T) {
	text, err := Open(desk)
	if err != nil {
		t.Fatal(err)
	}
	if got := text.Block(At("severity")); got != "map: {critical: high} # theirs\n" {
		t.Errorf("the block is %q", got)
	}
	if got := text.Block(At("nothing")); got != "" {
		t.Errorf("nothing is %q", got)
	}
	if err := text.SetBlock(At("remote", "settings"), "queue: Alerts # ours\nended: [a, b]\n"); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); !strings.Contains(got, "  settings:\n    queue: Alerts # ours\n    ended: [a, b]\n") {
		t.Errorf("got\n%s", got)
	}
	for _, broken := range []string{"a: [", ""} {
		if err := text.SetBlock(At("limits"), broken); err == nil || !strings.Contains(err.Error(), "limits") {
			t.Errorf("%q: %v", broken, err)
		}
	}
}
