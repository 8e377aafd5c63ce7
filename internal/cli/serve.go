package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/app"
	"tieline/internal/config"
)

// stopTime bounds a planned stop: draining, releasing, closing.
const stopTime = 20 * time.Second

func newServe(c *command) *cobra.Command {
	var untilEOF bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a server",
		Long: `Run a server: it takes alerts in, and forwards those of the connectors it is Active for.

Without any settings it runs by itself: an embedded database in ./tieline-data, and
one connector, "default", from the generic source to files, made at the first start.

Several servers share one database, each with a name of its own. Whether a server
permits others beside it is chosen when it is set up (--high-availability).

A planned stop (SIGTERM, Ctrl-C) finishes what is in flight and hands over first.`,
		Example: `  tieline serve
  tieline serve --listen :8642 --database postgres://tieline@db.example/tieline --high-availability
  tieline serve --config /etc/tieline.yaml`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config(cmd)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if untilEOF {
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(ctx)
				defer cancel()
				go func() {
					_, _ = io.Copy(io.Discard, c.In) // whatever ends it: whoever started us is gone
					cancel()
				}()
			}
			return c.serve(ctx, cfg)
		},
	}
	for _, s := range config.Settings() {
		switch {
		case s.Flag == "" || global(s.Key):
		case s.Bool:
			cmd.Flags().Bool(s.Flag, false, s.Usage)
		default:
			cmd.Flags().String(s.Flag, "", s.Usage)
			completeSetting(cmd, s)
		}
	}
	cmd.Flags().BoolVar(&untilEOF, "until-eof", false, "stop, as planned, when the standard input ends")
	_ = cmd.Flags().MarkHidden("until-eof")
	return cmd
}

func (c *command) serve(ctx context.Context, cfg config.Config) error {
	log := newLogger(c.Err, cfg.Log)
	defer app.TakeStandardLog(log)()
	for _, v := range config.Strangers(c.Environ) {
		log.Warn("an environment variable is none of Tieline's settings and has no effect as one", "variable", v.Name, "nearest", v.Nearest)
	}
	a := app.New(app.Options{Config: cfg, Log: log})
	if err := a.Start(ctx); err != nil {
		return err
	}
	fmt.Fprint(c.Out, a.Welcome())
	var failed error
	select {
	case <-ctx.Done():
	case <-a.Done():
		failed = a.Err()
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := a.Stop(stopping); failed == nil {
		failed = err
	}
	return failed
}

// newLogger writes in the given form; config has checked both words.
func newLogger(w io.Writer, l config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // checked by config
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
