package cli

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"tieline/internal/config"
	"tieline/internal/fault"
	"tieline/internal/secret"
	"tieline/internal/store"
)

func newDBCopy(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Move the management group to another database",
		Long: `Move a management group to another database, of any engine: from SQLite to PostgreSQL
when a site grows. Every row is copied, read back and compared. The group keeps its id and
keys, so that no ticket is opened twice.

Stop every server first; a live one is refused (exit code 7), and so is a TO that is not
empty. One that db migrate prepared and no server joined is empty. Stop consoles too: one
that still runs shows nothing but that the group was moved. From then on FROM takes
neither servers nor alerts nor changes. What fails, or is stopped by Ctrl-C, leaves FROM
in service; what was killed begins anew when it is called again. Where TO did not say
whether it is in service, neither is, until the command is called again. With --management-group, another group is refused (exit code
7). Afterwards give the servers TO.

FROM and TO are database URLs, or "env:NAME" or "file:/path" where one is written, so that
no password stands on the command line. Directories that connectors use, as those of the
files adapter, are not in the database.`,
		Example: `  tieline db copy sqlite:/var/lib/tieline/tieline.db postgres://tieline@db.example/tieline
  OLD=... NEW=... tieline db copy env:OLD env:NEW`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, given []string) error {
			from, err := databaseArgument("FROM", given[0])
			if err != nil {
				return err
			}
			to, err := databaseArgument("TO", given[1])
			if err != nil {
				return err
			}
			cfg, err := c.config(cmd)
			if err != nil {
				return err
			}
			o := store.CopyOptions{Log: slog.New(slog.DiscardHandler), Progress: c.progress()}
			if cfg.GroupNamed {
				o.Group = cfg.ManagementGroup
			}
			out, err := store.Copy(cmd.Context(), from, to, o)
			if out.Back {
				fmt.Fprintf(c.Err, "%s is in service as before.\n", out.From)
			}
			if err != nil {
				return err
			}
			if err := c.auditMade(cmd, to, "from "+out.From); err != nil {
				return err
			}
			return c.printCopied(out)
		},
	}
}

// databaseArgument reads a database URL, or where it is written. It is never
// repeated: a URL may carry a password.
func databaseArgument(name, given string) (string, error) {
	if strings.HasPrefix(given, "env:") || strings.HasPrefix(given, "file:") {
		url, err := secret.Ref(given).Resolve()
		if err != nil {
			return "", fault.Wrap(fault.Invalid, err, name+" cannot be read: "+err.Error())
		}
		given = strings.TrimSpace(url.Reveal())
	}
	if err := config.CheckDatabase(given); err != nil {
		return "", fault.New(fault.Invalid, name+" "+err.Error())
	}
	if path, ok := strings.CutPrefix(given, "sqlite:"); ok && name == "FROM" {
		return given, fileExists(strings.TrimPrefix(path, "//"))
	}
	return given, nil
}

// progress tells standard error, so that the result can be piped.
func (c *command) progress() func(table string, rows int64, done bool) {
	const every = 100_000 // rows of a large table between two lines
	told := int64(0)
	return func(table string, rows int64, done bool) {
		switch {
		case done:
			told = 0
			if rows > 0 {
				fmt.Fprintf(c.Err, "%s: %d rows copied and compared\n", table, rows)
			}
		case rows-told >= every:
			told = rows
			fmt.Fprintf(c.Err, "%s: %d rows ...\n", table, rows)
		}
	}
}

func (c *command) printCopied(out store.Copied) error {
	type table struct {
		Name string `json:"name"`
		Rows int64  `json:"rows"`
	}
	v := struct {
		From    string   `json:"from"`
		To      string   `json:"to"`
		Group   string   `json:"management_group_id"`
		Rows    int64    `json:"rows"`
		Tables  []table  `json:"tables"`
		Doubted []string `json:"doubted"`
	}{out.From, out.To, out.Group.String(), 0, []table{}, append([]string{}, out.Doubted...)}
	for _, t := range out.Tables {
		v.Tables = append(v.Tables, table(t))
		v.Rows += t.Rows
	}
	return c.print(v, func(w io.Writer) {
		if out.Already {
			fmt.Fprintf(w, "The management group had been moved to %s; %s now refuses servers for good.\n", v.To, v.From)
		} else {
			fmt.Fprintf(w, "The management group was moved to %s: %d rows in %d tables, each read back and the same.\n", v.To, v.Rows, len(v.Tables))
		}
		for _, name := range v.Doubted {
			fmt.Fprintf(w, "Connector %s: the old database's history had changed; its tickets are looked up before anything is sent.\n", name)
		}
		fmt.Fprintf(w, "Give the servers the new database (--database, TIELINE_DATABASE_URL) and start them. %s refuses them.\n", v.From)
	})
}
