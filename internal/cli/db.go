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
		Short: "Prepare, check and move the management group's database",
	}, newDBMigrate(c), newDBCheck(c), newDBCopy(c))
}

func newDBMigrate(c *command) *cobra.Command {
	dry := false
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the schema up to date",
		Long: `Bring the database's schema up to this program's version, under a lock, so that
several may try at once. One that was interrupted goes on when it is run again. A
database newer than the program is left alone (exit code 7).

With --dry-run nothing is changed: it lists what would be run; -o json has the statements.`,
		Example: `  tieline db migrate --database postgres://tieline@db.example/tieline --dry-run
  tieline db migrate --database postgres://tieline@db.example/tieline`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config(cmd)
			if err != nil {
				return err
			}
			url, err := cfg.DatabaseURL()
			if err != nil {
				return fault.Wrap(fault.Invalid, err, "the database's password cannot be read: "+err.Error())
			}
			plan, err := store.PlanMigration(cmd.Context(), url.Reveal())
			if err != nil {
				return err
			}
			if err := namedGroup(store.GroupInfo{Name: plan.Group}, cfg); err != nil {
				return err
			}
			if dry {
				return c.printPlan(cfg.DatabaseText(), plan)
			}
			from, to, err := store.Migrate(cmd.Context(), url.Reveal(), slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			if from != to {
				if err := c.auditMade(cmd, url.Reveal(), fmt.Sprintf("version %d -> %d", from, to)); err != nil {
					return err
				}
			}
			v := migrated{cfg.DatabaseText(), from, to}
			return c.print(v, func(w io.Writer) {
				if from == to {
					fmt.Fprintf(w, "%s is up to date, at version %d.\n", v.Database, to)
					return
				}
				fmt.Fprintf(w, "%s was brought from version %d to %d.\n", v.Database, from, to)
			})
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be run, and change nothing")
	return cmd
}

type migrated struct {
	Database string `json:"database"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
}

func (c *command) printPlan(database string, plan store.MigrationPlan) error {
	type step struct {
		Version    int64  `json:"version"`
		Name       string `json:"name"`
		Statements string `json:"statements"`
	}
	v := struct {
		migrated
		Steps []step `json:"steps"`
	}{migrated: migrated{database, plan.From, plan.To}, Steps: []step{}}
	for _, m := range plan.Steps {
		v.Steps = append(v.Steps, step(m))
	}
	return c.print(v, func(w io.Writer) {
		if len(v.Steps) == 0 {
			fmt.Fprintf(w, "%s is up to date, at version %d; nothing would be run.\n", database, plan.To)
			return
		}
		fmt.Fprintf(w, "%s would be brought from version %d to %d; nothing was changed.\n\n", database, plan.From, plan.To)
		t := newTable(w, "VERSION", "WHAT")
		for _, s := range v.Steps {
			t.row(fmt.Sprint(s.Version), s.Name)
		}
		t.flush()
	})
}
