package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/demo"
	"tieline/internal/fault"
)

func newDemo(c *command) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it fail over: three servers, one of them killed every few seconds",
		Long: `Run three real servers over an embedded database in a temporary directory, feed them
alerts that open, change and close, and kill the Active every few seconds with kill -9.
At the end, compare what was accepted with what reached the ticket desk: lost, doubled,
out of order, and the gap of each failover. Ctrl-C audits early.

The servers run with the default polling interval (30 s) and tolerance (3): take-over
within a second is the work of presence, not of short timeouts.

With -o json or yaml the audit goes to standard output, and what happens to standard error.

The exit code is 1 when anything was lost, doubled, out of order or parked.`,
		Example: `  tieline demo
  tieline demo --duration 5m --kill 3s
  tieline demo -o json --duration 20s | jq .failovers
  tieline demo --keep            # leave the database and the servers' logs to look at`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Duration <= 0 || o.Rate <= 0 || o.Rate > 1000 || o.Kill <= 0 || o.Restart < 0 {
				return fault.New(fault.Invalid, "--duration and --kill must be positive, --restart not negative, --rate from 0 to 1000")
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			o.Out, o.Program, o.Terminal = c.Out, program, terminal(c.Out, c.Env)
			if c.output != "table" {
				o.Out, o.Terminal = c.Err, false // standard output has the audit alone
			}
			result, err := demo.Run(cmd.Context(), o)
			if err != nil {
				return fmt.Errorf("the demo could not be played to its end: %w", err)
			}
			if err := c.print(viewAudit(result), result.Print); err != nil {
				return err
			}
			if !result.OK() {
				return exitCode(1)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.Duration, "duration", time.Minute, "how long alerts are streamed")
	f.Float64Var(&o.Rate, "rate", 40, "observations per second")
	f.DurationVar(&o.Kill, "kill", 6*time.Second, "mean time between two kills of the Active")
	f.DurationVar(&o.Restart, "restart", 5*time.Second, "mean time until a killed server is started again")
	f.BoolVar(&o.Keep, "keep", false, "keep the directory with the database and the logs")
	return cmd
}

// auditView is the demo's audit as JSON and YAML show it.
type auditView struct {
	OK         bool           `json:"ok"` // nothing lost, doubled, out of order or parked
	Seconds    float64        `json:"seconds"`
	Accepted   int            `json:"accepted"` // observations answered 2xx
	Alerts     int            `json:"alerts"`   // they were of
	Delivered  int            `json:"delivered"`
	Requests   int            `json:"requests"` // that the desk took
	Lost       []string       `json:"lost"`
	Doubled    []string       `json:"doubled"`
	OutOfOrder []string       `json:"out_of_order"`
	Parked     int64          `json:"parked"`
	Failovers  []failoverView `json:"failovers"`
	KeptIn     string         `json:"kept_in,omitempty"` // with --keep: the database and the logs
}

type failoverView struct {
	KilledAt    time.Time `json:"killed_at"`
	From        string    `json:"from"`
	To          string    `json:"to"`
	GapMS       int64     `json:"gap_ms"`        // last request of the old Active to the first of the new
	AfterKillMS int64     `json:"after_kill_ms"` // kill to that first request
}

func viewAudit(r *demo.Result) auditView {
	v := auditView{
		OK: r.OK(), Seconds: r.Took.Seconds(), Accepted: r.Promised, Alerts: r.Alerts, Delivered: r.Delivered, Requests: r.Requests,
		Lost: append([]string{}, r.Lost...), Doubled: append([]string{}, r.Doubled...), OutOfOrder: append([]string{}, r.OutOfOrder...),
		Parked: r.Parked, Failovers: []failoverView{}, KeptIn: r.Kept,
	}
	for _, f := range r.Failovers {
		v.Failovers = append(v.Failovers, failoverView{f.Killed.UTC(), f.From, f.To, f.Gap.Milliseconds(), f.Out.Milliseconds()})
	}
	return v
}

// terminal reports whether a screen can be redrawn on w.
func terminal(w any, env func(string) (string, bool)) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	term, _ := env("TERM")
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && term != "dumb" && term != ""
}
