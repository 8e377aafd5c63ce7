package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/ha"
	"tieline/internal/store"
)

func newStatus(c *command) *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "status [connector]",
		Short: "Who is Active, how far behind, what is parked",
		Long: `Show each connector's servers in communication order, as the database has them: state,
last heartbeat (by the database's clock), epoch, program version, the document version a
server runs, and the backlog. REMARK says, as of the last heartbeat, why a server cannot
run the document, what its probe of the remote system met, that its breaker is open, or
that the database keeps no presence for it. "Oldest due" is how long the oldest alert has
been waiting to be sent, also where its tries fail.

When every server is off, the last Active is shown as Active until its lease has run
out; the age of its heartbeat stands beside it.`,
		Example: `  tieline status
  tieline status --watch
  tieline status default -o json`,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			only := strings.Join(args, "")
			if watch {
				return c.watchStatus(cmd.Context(), db, only, every)
			}
			view, err := readStatus(cmd.Context(), db, only)
			if err != nil {
				return err
			}
			return c.print(view, func(w io.Writer) { view.table(w) })
		}),
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again, until Ctrl-C")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "with --watch: time between two looks")
	return cmd
}

// watchStatus redraws on a terminal; elsewhere, and in the other forms, it
// writes one result after another, YAML's as documents of one stream.
func (c *command) watchStatus(ctx context.Context, db *store.DB, only string, every time.Duration) error {
	tick := time.NewTicker(max(every, 100*time.Millisecond))
	defer tick.Stop()
	for first := true; ; first = false {
		view, err := readStatus(ctx, db, only)
		if ctx.Err() != nil {
			return nil // Ctrl-C is how it ends
		}
		if err != nil {
			return err
		}
		if c.output == "table" && terminal(c.Out, c.Env) {
			fmt.Fprint(c.Out, "\x1b[H\x1b[2J")
		}
		if c.output == "yaml" && !first {
			fmt.Fprintln(c.Out, "---")
		}
		if err := c.print(view, func(w io.Writer) { view.table(w) }); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// table writes the status for people.
func (v *statusView) table(w io.Writer) {
	fmt.Fprintf(w, "Management group %s, database %s\n", v.ManagementGroup, v.Engine)
	if len(v.Connectors) == 0 {
		fmt.Fprintln(w, "\nThere is no connector yet; \"tieline connector apply -f FILE\" makes one.")
	}
	for _, k := range v.Connectors {
		fmt.Fprintf(w, "\n%s   document %d, epoch %d, %s\n", k.Connector, k.Document, k.Epoch, k.headline())
		fmt.Fprintf(w, "  due %d   in flight %d   parked %d   oldest due %s\n\n",
			k.Backlog.Due, k.Backlog.InFlight, k.Backlog.Parked, ago(seconds(k.Backlog.OldestDueSeconds)))
		t := newTable(w, "  #", "SERVER", "STATE", "LAST HEARTBEAT", "AGO", "EPOCH", "VERSION", "RUNS", "REMARK")
		for _, s := range k.Servers {
			epoch := "-"
			if s.Epoch > 0 {
				epoch = fmt.Sprint(s.Epoch)
			}
			t.row(fmt.Sprintf("  %d", s.Position), s.Server, s.State, stamp(s.HeartbeatAt), ago(seconds(s.HeartbeatAgoSeconds)), epoch, orDash(s.Version), s.runs(k.Document), s.remark())
		}
		t.flush()
	}
}

func (k connectorStatus) headline() string {
	switch {
	case len(k.Servers) == 0:
		return "no server serves it"
	case k.Active == "":
		return "nobody is Active"
	default:
		return k.Active + " is Active"
	}
}

func (s serverStatus) runs(current int64) string {
	switch s.Runs {
	case 0:
		return "-"
	case current:
		return fmt.Sprint(s.Runs)
	default:
		return fmt.Sprintf("%d of %d", s.Runs, current)
	}
}

func (s serverStatus) remark() string {
	var parts []string
	switch {
	case s.Reason != "":
		parts = append(parts, s.Reason)
	case !s.Eligible:
		parts = append(parts, "has not applied the document yet")
	}
	if !s.Presence && s.State != string(ha.Offline) {
		parts = append(parts, "no presence: a crash is noticed by silence alone")
	}
	return clip(strings.Join(parts, "; "), 80)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
