package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// row is what became of one mutation.
type row struct {
	Rule    string  `json:"rule"`
	Broken  string  `json:"broken"`
	By      []catch `json:"by"`
	Excuse  string  `json:"excuse,omitempty"`
	Seconds float64 `json:"seconds"`
	Source  string  `json:"source"` // digest of what was tried
	untried bool
}

// catch is a check that noticed, and how.
type catch struct {
	Check string `json:"check"`
	How   string `json:"how"`
}

// verdict is what the table says of a row.
func (r row) verdict() string {
	var out []string
	for _, c := range r.By {
		out = append(out, fmt.Sprintf("%s (%s)", c.Check, c.How))
	}
	switch {
	case r.untried:
		return "not tried yet"
	case len(out) > 0:
		return strings.Join(out, "; ")
	case r.Excuse != "":
		return "not caught: " + r.Excuse
	}
	return "NOT CAUGHT"
}

func (r row) missed() bool { return !r.untried && len(r.By) == 0 && r.Excuse == "" }

func missed(rows []row) (n int) {
	for _, r := range rows {
		if r.missed() {
			n++
		}
	}
	return n
}

func (r row) String() string {
	return fmt.Sprintf("%-3s  %s\n       %s", r.Rule, r.Broken, r.verdict())
}

// sum prints the summary; the error names what was not caught.
func sum(rows []row, took time.Duration) error {
	var missed []string
	excused, untried := 0, 0
	for _, r := range rows {
		switch {
		case r.untried:
			untried++
		case r.missed():
			missed = append(missed, r.Rule+": "+r.Broken)
		case len(r.By) == 0:
			excused++
		}
	}
	fmt.Printf("\n%d mutations: %d caught, %d excused with a reason, %d not caught, %d not tried (%s)\n",
		len(rows), len(rows)-excused-len(missed)-untried, excused, len(missed), untried, took.Round(time.Second))
	if len(missed) > 0 {
		return fmt.Errorf("not caught:\n  %s", strings.Join(missed, "\n  "))
	}
	if untried > 0 {
		return fmt.Errorf("%d mutations were not tried", untried)
	}
	return nil
}

// known are results of earlier runs of the same source, and where new ones go.
type known struct {
	file *os.File // nil = results are not kept
	rows map[string]row
}

// load reads what -results has.
func (o *options) load() (*known, error) {
	k := &known{rows: map[string]row{}}
	if o.results == "" {
		return k, nil
	}
	source, err := o.digest()
	if err != nil {
		return nil, err
	}
	if k.file, err = os.OpenFile(o.results, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(k.file)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err == nil && r.Source == source { // a torn last line is tried again
			k.rows[r.Rule+r.Broken] = r
		}
	}
	k.rows[""] = row{Source: source}
	return k, lines.Err()
}

func (k *known) row(m mutation) (row, bool) {
	r, ok := k.rows[m.rule+m.broken]
	return r, ok
}

// add keeps a result.
func (k *known) add(r row) error {
	k.rows[r.Rule+r.Broken] = r
	if k.file == nil {
		return nil
	}
	r.Source = k.rows[""].Source
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = k.file.Write(append(line, '\n'))
	return err
}

func (k *known) close() {
	if k.file != nil {
		_ = k.file.Close() // each line was written when it came
	}
}

// digest names the source that a result belongs to: everything under internal
// but for this command.
func (o *options) digest() (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(filepath.Join(o.root, "internal"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "teeth" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".sql" {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody's editor just renamed it
		}
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// write writes the table for people.
func (o *options) write(ctx context.Context, rows []row) error {
	var out strings.Builder
	commit, err := exec.CommandContext(ctx, "git", "-C", o.root, "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		commit = []byte("a copy")
	}
	seconds, excused, untried := 0.0, 0, 0
	for _, r := range rows {
		seconds += r.Seconds
		if r.untried {
			untried++
		}
		if len(r.By) == 0 && r.Excuse != "" {
			excused++
		}
	}
	fmt.Fprintf(&out, "# Each rule removed in turn\n\nGenerated on %s at %s by\n\n    nice -n 15 go run ./internal/sim/teeth -table internal/sim/teeth/TABLE.md\n\n",
		time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(string(commit)))
	fmt.Fprintf(&out, "%d mutations in %s: %d were noticed, %d are excused with a reason, %d were not tried yet. For each, the tests of the\n"+
		"edited package are run first (in brackets: how long until they failed, and the last test that did), then the\n"+
		"simulation or, for SQL, the conformance suites, until one of those notices (in brackets: after how many\n"+
		"schedules, how long, and the invariant or test).\n\n| rule | what is broken | what notices |\n|---|---|---|\n",
		len(rows), time.Duration(seconds*float64(time.Second)).Round(time.Minute), len(rows)-excused-untried-missed(rows), excused, untried)
	for _, r := range rows {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", r.Rule, r.Broken, strings.ReplaceAll(r.verdict(), "|", "\\|"))
	}
	return os.WriteFile(o.document, []byte(out.String()), 0o644)
}
