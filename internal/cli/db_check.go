package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tieline/internal/store"
)

// needsAttention is the exit code of a check that went through and found
// something a person should look at: neither success nor an error.
const needsAttention = 8

func newDBCheck(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check what the database promises",
		Long: `Check the database, by trying what servers rely on: that it answers and how fast, its
version and schema, what lies in between, which of several hosts take writes, whether it
takes any, whether a confirmed commit stays, isolation,
privileges, a session's presence and what its end tells, wake-ups, the clock, who else is
connected, and how large each table is. Each finding that needs attention is followed by
what to do. Exit code 8 when there is one: the database works, and something may be better
or is missing. Where it does not answer at all, or its schema cannot be used, the exit code
is that of every command (6, 7). An empty database is checked as far as it can be before
tieline db migrate: what the user lacks for that is told.`,
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
				Next string `json:"next,omitempty"`
			}
			all, good := make([]line, 0, len(lines)), true
			for _, l := range lines {
				all = append(all, line(l))
				good = good && l.OK
			}
			err = c.print(all, func(w io.Writer) {
				t := newTable(w, "CHECK", "RESULT", "WHAT WAS FOUND")
				for _, l := range all {
					t.row(l.Name, map[bool]string{true: "ok", false: "ATTENTION"}[l.OK], l.Text)
				}
				t.flush()
				for _, l := range all {
					if l.Next != "" {
						fmt.Fprintf(w, "\n%s: %s.\n", l.Name, l.Next)
					}
				}
			})
			if err == nil && !good {
				return exitCode(needsAttention)
			}
			return err
		}),
	}
}
