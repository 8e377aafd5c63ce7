package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"tieline/internal/fault"
	"tieline/internal/store"
)

func newConnectorRollback(c *command) *cobra.Command {
	var to int64
	cmd := &cobra.Command{
		Use:   "rollback connector",
		Short: "Apply an earlier version again, as a new one",
		Example: `  tieline connector rollback default          # to the version before the current one
  tieline connector rollback default --to 3`,
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			current, err := currentDocument(cmd.Context(), db, args[0])
			if err != nil {
				return err
			}
			if to == 0 && current.Version > 1 {
				to = current.Version - 1
			}
			if to == 0 {
				return fault.New(fault.NotFound, fmt.Sprintf("%s has no version before %d", args[0], current.Version))
			}
			old, err := documentVersion(cmd.Context(), db, args[0], to)
			if err != nil {
				return err
			}
			saved, err := c.saveDocument(cmd.Context(), db, []byte(old.Text), current.Version, fmt.Sprintf("back to version %d", to))
			if err != nil {
				return err
			}
			c.say("%s has document version %d now, the same as version %d.", args[0], saved.Version, to)
			return c.printDocument(saved)
		}),
	}
	cmd.Flags().Int64Var(&to, "to", 0, "the version to go back to")
	return cmd
}
