package cli

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"tieline/internal/fault"
	"tieline/internal/store"
)

func newDB(c *command) *cobra.Command {
	return parent(&cobra.Command{
		Use:   "db",
		Short: "Prepare and check the management group's database",
	}, newDBMigrate(c), newDBCheck(c))
}

func newDBMigrate(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the schema up to date",
		Long: `Bring the database's schema up to this program's version, under a lock, so that
several may try at once. A database newer than the program is left alone (exit code 7).`,
		Example: `  tieline db migrate --database postgres://tieline@db.example/tieline`,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config(cmd)
			if err != nil {
				return err
			}
			url, err := cfg.DatabaseURL()
			if err != nil {
				return fault.Wrap(fault.Invalid, err, "the database's password cannot be read: "+err.Error())
			}
			from, to, err := store.Migrate(cmd.Context(), url.Reveal(), slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			v := struct {
				Database string `json:"database"`
				From     int64  `json:"from"`
				To       int64  `json:"to"`
			}{cfg.DatabaseText(), from, to}
			return c.print(v, func(w io.Writer) {
				if from == to {
					fmt.Fprintf(w, "%s is up to date, at version %d.\n", v.Database, to)
					return
				}
				fmt.Fprintf(w, "%s was brought from version %d to %d.\n", v.Database, from, to)
			})
		},
	}
}

func newDBCheck(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check what the database promises",
		Long: `Check the database: reachable, schema, and the settings on which the guarantees rest
(presence, durability of commits, replication). Exit code 1 when something is not as it
should be.`,
		Args: args(cobra.NoArgs),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, _ []string) error {
			lines, err := db.Check(cmd.Context())
			if err != nil {
				return err
			}
			type line struct {
				Name string `json:"name"`
				OK   bool   `json:"ok"`
				Text string `json:"text"`
			}
			all, good := make([]line, 0, len(lines)), true
			for _, l := range lines {
				all = append(all, line{l.Name, l.OK, l.Text})
				good = good && l.OK
			}
			err = c.print(all, func(w io.Writer) {
				t := newTable(w, "CHECK", "RESULT", "WHAT WAS FOUND")
				for _, l := range all {
					t.row(l.Name, map[bool]string{true: "ok", false: "ATTENTION"}[l.OK], l.Text)
				}
				t.flush()
			})
			if err == nil && !good {
				return exitCode(1)
			}
			return err
		}),
	}
}
