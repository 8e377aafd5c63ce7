package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"tieline/internal/app"
	"tieline/internal/config"
)

// consoleListen is where the console alone listens unless told otherwise: beside
// a server's port, this machine only.
const consoleListen = "127.0.0.1:8643"

func newConsole(c *command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Run the console alone",
		Long: `Serve the console and the API without a server: no alerts are taken in, and nothing is
forwarded. It works while every server is down: then it shows the last known states with
their age, and the last Active as Active until its lease has run out.

Every "tieline serve" has the console too. The schema must be this program's: a server
brings it up to date, or "tieline db migrate". While the database is away, every page says
so and loads again by itself.`,
		Example: `  tieline console --database postgres://tieline@db.example/tieline --listen :8643
  tieline console --data-dir /var/lib/tieline`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config(cmd)
			if err != nil {
				return err
			}
			if cfg.Listen == config.DefaultListen && !cmd.Flags().Changed("listen") {
				cfg.Listen = consoleListen
			}
			return c.runConsole(cmd.Context(), cfg)
		},
	}
	for _, s := range config.Settings() {
		switch s.Key {
		case "listen", "log.level", "log.format":
			cmd.Flags().String(s.Flag, "", s.Usage)
			completeSetting(cmd, s)
		}
	}
	cmd.Flags().Lookup("listen").Usage = "host:port for the console and the API (default " + consoleListen + ")"
	return cmd
}

func (c *command) runConsole(ctx context.Context, cfg config.Config) error {
	log := newLogger(c.Err, cfg.Log)
	defer app.TakeStandardLog(log)()
	alone := app.NewConsole(app.Options{Config: cfg, Log: log})
	if err := alone.Start(ctx); err != nil {
		return err
	}
	var failed error
	for running := true; running; {
		select {
		case text := <-alone.Welcome():
			fmt.Fprint(c.Out, text)
		case <-ctx.Done():
			running = false
		case <-alone.Done():
			failed, running = alone.Err(), false
		}
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := alone.Stop(stopping); failed == nil {
		failed = err
	}
	return failed
}
