// Command teeth breaks each rule of the protocol in turn, in the source that
// ships, and shows which check notices.
//
//	go run ./internal/sim/teeth [-only C4] [-schedules 4000]
//
// A mutation is compiled into the tests through an overlay; the tree itself is
// never touched. For each the unit tests of the package, the exhaustive
// exploration, the availability scenes and the seeded schedules are run, and a
// table says which of them failed and how soon. A mutation that nothing notices
// makes the command fail, and so does one whose text is not found exactly once.
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
	flag.IntVar(&o.schedules, "schedules", 4000, "schedules at most for each mutation")
	flag.BoolVar(&o.all, "all", false, "run every check, also after one of the simulation has noticed")
	flag.BoolVar(&o.units, "units", false, "run only the unit tests of the package that is broken, where it has some")
	flag.BoolVar(&o.check, "check", false, "only look whether every mutation still applies")
	flag.BoolVar(&o.verbose, "v", false, "show what the failing checks say")
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
	check     bool
	verbose   bool

	root string // of the module
	work string // for overlays and test programs
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
	chosen := o.chosen()
	if err := o.applicable(chosen); err != nil || o.check {
		return err
	}
	if err := o.baseline(ctx, chosen); err != nil {
		return err
	}
	return o.table(ctx, chosen)
}

// chosen are the mutations that -only names.
func (o *options) chosen() []mutation {
	if o.only == "" {
		return mutations
	}
	var out []mutation
	for _, m := range mutations {
		for part := range strings.SplitSeq(o.only, ",") {
			if m.rule == part || strings.Contains(m.broken, part) {
				out = append(out, m)
				break
			}
		}
	}
	return out
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

// baseline runs every check on the source as it is: a check that fails anyway
// notices nothing.
func (o *options) baseline(ctx context.Context, ms []mutation) error {
	done := map[string]bool{}
	for _, m := range ms {
		for _, c := range m.checks(o) {
			if c.pkg == "internal/sim" && c.name == "schedules" {
				c.flags = []string{"-sim.schedules=300", "-sim.stop=1"}
			}
			if done[c.key()] || ctx.Err() != nil {
				continue
			}
			done[c.key()] = true
			r := o.try(ctx, c, "")
			if r.caught || r.broken != "" {
				return fmt.Errorf("%s fails on the source as it is:\n%s%s", c.key(), r.broken, r.text)
			}
		}
	}
	return ctx.Err()
}

// table tries the mutations and prints a line for each.
func (o *options) table(ctx context.Context, ms []mutation) error {
	fmt.Printf("| %-4s | %-78s | %s |\n|------|%s|-------------|\n", "rule", "broken", "noticed by", strings.Repeat("-", 80))
	var missed []string
	for _, m := range ms {
		noticed, err := o.noticed(ctx, m)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", m.rule, m.broken, err)
		}
		if len(noticed) == 0 {
			missed = append(missed, m.rule+": "+m.broken)
			noticed = []string{"NOT CAUGHT"}
		}
		fmt.Printf("| %-4s | %-78s | %s |\n", m.rule, m.broken, strings.Join(noticed, "; "))
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d of %d mutations were not caught:\n  %s", len(missed), len(ms), strings.Join(missed, "\n  "))
	}
	fmt.Printf("\nall %d mutations were caught\n", len(ms))
	return nil
}

// noticed returns which checks notice a mutation.
func (o *options) noticed(ctx context.Context, m mutation) ([]string, error) {
	files, err := o.mutate(m)
	if err != nil {
		return nil, err
	}
	overlay, err := o.overlay(files)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range m.checks(o) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := o.try(ctx, c, overlay)
		if r.broken != "" {
			return nil, fmt.Errorf("the mutation does not compile: %s", r.broken)
		}
		if o.verbose && r.caught {
			fmt.Fprintln(os.Stderr, r.text)
		}
		if c.must && !r.caught {
			return nil, nil
		}
		if r.caught {
			out = append(out, fmt.Sprintf("%s (%s)", c.name, r.how))
			if !o.all && c.decisive {
				break
			}
		}
	}
	return out, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
