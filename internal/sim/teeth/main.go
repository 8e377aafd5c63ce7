// Command teeth removes the protocol's rules from the source, one at a time, and
// shows which check notices.
//
//	go run ./internal/sim/teeth                 # all of them; nice -n 15 is kind to others
//	go run ./internal/sim/teeth -only C4,L8     # some, with every check that notices: -all
//	go run ./internal/sim/teeth -quick          # a handful, in less than a minute
//	go run ./internal/sim/teeth -results FILE   # keep what is done: an interrupted run goes on
//	go run ./internal/sim/teeth -table FILE     # bring the table for people up to date: TABLE.md
//
// A mutation is compiled into the tests through an overlay; the tree itself is
// never touched. For each, the unit tests of the package are run, and then the
// availability scenes and the seeded schedules, until one of those has noticed;
// where nothing has, many more schedules and the complete exploration. For a
// mutation of SQL it is the conformance suites, on SQLite; where only two
// contenders can tell, on PostgreSQL, of which a server is started unless
// TIELINE_TEST_POSTGRES_URL names one. Each check is bounded. A mutation that
// nothing notices makes the command fail, and so does one whose text is not found
// exactly once.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

func main() {
	o := options{}
	flag.StringVar(&o.only, "only", "", "rules, or parts of what is broken, to try; separated by commas; empty = all")
	flag.IntVar(&o.schedules, "schedules", 4000, "schedules at most, where a mutation has not been noticed before")
	flag.BoolVar(&o.all, "all", false, "run every check, also after one has noticed")
	flag.BoolVar(&o.units, "units", false, "run only the unit tests of the package that is broken, where it has some")
	flag.BoolVar(&o.quick, "quick", false, "try only a handful, one of each kind")
	flag.BoolVar(&o.check, "check", false, "only look whether every mutation still applies, and TABLE.md tells what notices each")
	flag.BoolVar(&o.verbose, "v", false, "show what the failing checks say")
	flag.StringVar(&o.results, "results", "", "file for results as they come; what it has of this source is not tried again")
	flag.StringVar(&o.document, "table", "", "file to write the table to, as Markdown; rows that were not tried stay as they are there")
	flag.BoolVar(&o.known, "known", false, "try nothing: tell what -results has, and what is missing there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "teeth:", err)
		os.Exit(1)
	}
}

// options are the command's flags and what follows from them.
type options struct {
	only      string
	schedules int
	all       bool
	units     bool
	quick     bool
	check     bool
	verbose   bool
	results   string
	document  string
	known     bool

	root   string // of the module
	work   string // for overlays and test programs
	at     string // commit and day, as the table has them
	server string // URL of the PostgreSQL server that was started; "" = none was
}

func (o *options) run(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	o.root = strings.TrimSpace(string(out))
	if o.work, err = os.MkdirTemp("", "teeth-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.work)
	defer o.stopServer()
	chosen := o.chosen()
	if err := o.applicable(chosen); err != nil {
		return err
	}
	if o.check {
		return o.tableIsWhole()
	}
	if o.at, err = o.commit(ctx); err != nil {
		return err
	}
	return o.try(ctx, chosen)
}

// try runs the checks for each mutation, and sums up.
func (o *options) try(ctx context.Context, chosen []mutation) error {
	began := time.Now()
	known, err := o.load()
	if err != nil {
		return err
	}
	defer known.close()
	var rows []row
	for _, m := range chosen {
		r, ok := known.row(m)
		switch {
		case ok:
		case o.known:
			r = row{Rule: m.rule, Broken: m.broken, untried: true}
		default:
			if r, err = o.noticed(ctx, known, m); err == nil {
				err = known.add(r)
			}
			if err != nil {
				return fmt.Errorf("%s, %s: %w", m.rule, m.broken, err)
			}
		}
		fmt.Println(r)
		rows = append(rows, r)
	}
	if o.document != "" {
		if err := o.write(rows); err != nil {
			return err
		}
	}
	return sum(rows, time.Since(began))
}

// chosen are the mutations that -only and -quick name.
func (o *options) chosen() []mutation {
	var out []mutation
	for _, m := range mutations {
		if (o.only == "" || m.isOneOf(o.only)) && (!o.quick || m.quick) {
			out = append(out, m)
		}
	}
	return out
}

func (m mutation) isOneOf(names string) bool {
	for part := range strings.SplitSeq(names, ",") {
		if m.rule == part || strings.Contains(m.broken, part) {
			return true
		}
	}
	return false
}

// applicable checks that every mutation's text is where it should be, once.
func (o *options) applicable(ms []mutation) error {
	var missing []string
	for _, m := range ms {
		if _, err := o.mutate(m); err != nil {
			missing = append(missing, err.Error())
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the source has changed; mend the table:\n  %s", strings.Join(missing, "\n  "))
	}
	return nil
}

// sound runs a check on the source as it is, once: one that fails anyway notices
// nothing.
func (o *options) sound(ctx context.Context, known *known, c check) error {
	if c.name == "schedules" {
		c.flags = []string{"-sim.schedules=300", "-sim.stop=1"}
	}
	whole := mutation{rule: "none", broken: c.key()}
	if _, done := known.row(whole); done {
		return nil
	}
	if r := o.runCheck(ctx, c, ""); r.caught || r.broken != "" {
		return fmt.Errorf("%s fails on the source as it is:\n%s%s", c.key(), r.broken, r.text)
	}
	return known.add(row{Rule: whole.rule, Broken: whole.broken})
}

// noticed tries a mutation and returns which checks notice it.
func (o *options) noticed(ctx context.Context, known *known, m mutation) (row, error) {
	began := time.Now()
	out := row{Rule: m.rule, Broken: m.broken, At: o.at}
	files, err := o.mutate(m)
	if err != nil {
		return out, err
	}
	overlay, err := o.overlay(files)
	if err != nil {
		return out, err
	}
	for _, c := range m.checks(o) {
		if c.last && len(out.By) > 0 && !o.all {
			continue
		}
		r := o.runCheck(ctx, c, overlay)
		switch {
		case ctx.Err() != nil:
			return out, ctx.Err()
		case r.broken != "":
			return out, fmt.Errorf("it cannot be tried: %s", r.broken)
		case c.must && !r.caught:
			out.By = nil // that another check may notice is not enough
			return out, nil
		case r.caught && o.verbose:
			fmt.Fprintln(os.Stderr, r.text)
		}
		if !r.caught {
			continue
		}
		if err := o.sound(ctx, known, c); err != nil {
			return out, err
		}
		out.By = append(out.By, catch{Check: c.name, How: r.how})
		if !o.all && c.decisive {
			break
		}
	}
	out.Seconds = time.Since(began).Seconds()
	return out, nil
}
