package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// row is what became of one mutation.
type row struct {
	Rule    string  `json:"rule"`
	Broken  string  `json:"broken"`
	By      []catch `json:"by"`
	At      string  `json:"at"` // commit and day, as the table has them
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
		return notTried
	case len(out) > 0:
		return strings.Join(out, "; ")
	}
	return notCaught
}

// What the table says of a row that nothing noticed, and of one not tried.
const (
	notCaught = "NOT CAUGHT"
	notTried  = "not tried yet"
)

func (r row) missed() bool { return !r.untried && len(r.By) == 0 }

func (r row) String() string {
	return fmt.Sprintf("%-3s  %s\n       %s", r.Rule, r.Broken, r.verdict())
}

// sum prints the summary; the error names what was not caught.
func sum(rows []row, took time.Duration) error {
	var missed []string
	untried := 0
	for _, r := range rows {
		switch {
		case r.untried:
			untried++
		case r.missed():
			missed = append(missed, r.Rule+": "+r.Broken)
		}
	}
	fmt.Printf("\n%d mutations: %d caught, %d not caught, %d not tried (%s)\n",
		len(rows), len(rows)-len(missed)-untried, len(missed), untried, took.Round(time.Second))
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
