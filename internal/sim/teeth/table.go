package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tableFile is the table for people, relative to the module.
const tableFile = "internal/sim/teeth/TABLE.md"

// line is a row of the table.
type line struct {
	rule, broken string
	verdict      string // what notices
	at           string // commit and day it was tried; "" = it was not
}

func (l line) key() string { return l.rule + " " + l.broken }

// commit names what is tried: the commit and its day, and whether the tree under
// internal differs from it.
func (o *options) commit(ctx context.Context) (string, error) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", o.root}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	at, err := git("log", "-1", "--format=%h %cd", "--date=short")
	if err != nil {
		return "", fmt.Errorf("find the commit that is tried: %w", err)
	}
	changed, err := git("status", "--porcelain", "--", "internal", ":!internal/sim/teeth")
	if changed != "" {
		at += ", changed"
	}
	return at, err
}

// write brings the table up to date: rows that were not tried stay as the file
// has them, with the commit at which they were.
func (o *options) write(rows []row) error {
	known, err := readTable(o.document)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tried := map[string]line{}
	for _, l := range known {
		tried[l.key()] = l
	}
	for _, r := range rows {
		if !r.untried {
			l := line{rule: r.Rule, broken: r.Broken, verdict: strings.ReplaceAll(r.verdict(), "|", "\\|"), at: r.At}
			tried[l.key()] = l
		}
	}
	var lines []line
	for _, m := range mutations {
		l := line{rule: m.rule, broken: m.broken, verdict: notTried}
		if of, ok := tried[l.key()]; ok {
			l = of
		}
		lines = append(lines, l)
	}
	return os.WriteFile(o.document, []byte(tableText(lines)), 0o644)
}

// tableText is the whole file.
func tableText(lines []line) string {
	var out strings.Builder
	missed, untried, parts, of := 0, 0, []string{}, map[string]int{}
	for _, l := range lines {
		switch {
		case l.verdict == notCaught:
			missed++
		case l.verdict == notTried:
			untried++
		}
		if of[l.at]++; of[l.at] == 1 && l.at != "" {
			parts = append(parts, l.at)
		}
	}
	fmt.Fprintf(&out, "# Each rule removed in turn\n\nWritten on %s by\n\n    nice -n 15 go run ./internal/sim/teeth -table %s\n\n"+
		"which brings up to date the rows that it tries (`-only` names some) and leaves the others. The last column has the\n"+
		"commit at which a row was tried, and that commit's day.\n\n", time.Now().UTC().Format(time.DateOnly), tableFile)
	fmt.Fprintf(&out, "%d mutations: %d were noticed, %d were not, %d were not tried yet. Tried at:\n\n",
		len(lines), len(lines)-missed-untried, missed, untried)
	for _, at := range parts {
		fmt.Fprintf(&out, "- %s: %d\n", at, of[at])
	}
	out.WriteString("\nFor each, the tests of the edited package are run first (in brackets: how long until they failed, and the last\n" +
		"test that did), then the simulation or, for SQL, the conformance suites, until one of those notices (in brackets:\n" +
		"after how many schedules, how long, and the invariant or test).\n\n" +
		"| rule | what is broken | what notices | tried at |\n|---|---|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", l.rule, l.broken, l.verdict, l.at)
	}
	return out.String()
}

// readTable reads the rows of the file that tableText wrote.
func readTable(path string) ([]line, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []line
	for row := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), " | ")
		if len(cells) != 4 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if l := (line{cells[0], cells[1], cells[2], cells[3]}); l.rule != "rule" {
			out = append(out, l)
		}
	}
	return out, nil
}

// tableIsWhole checks that the table has every mutation, no other, and a check
// that notices each.
func (o *options) tableIsWhole() error {
	lines, err := readTable(filepath.Join(o.root, tableFile))
	if err != nil {
		return err
	}
	stand := map[string]line{}
	for _, l := range lines {
		stand[l.key()] = l
	}
	var wrong []string
	for _, m := range o.chosen() {
		key := line{rule: m.rule, broken: m.broken}.key()
		switch l, ok := stand[key]; {
		case !ok:
			wrong = append(wrong, key+": no row")
		case l.verdict == notCaught || l.verdict == notTried:
			wrong = append(wrong, key+": "+l.verdict)
		}
		delete(stand, key)
	}
	if o.only == "" && !o.quick {
		for key := range stand {
			wrong = append(wrong, key+": there is no such mutation")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s is behind; bring it up to date with -table:\n  %s", tableFile, strings.Join(wrong, "\n  "))
	}
	return nil
}
