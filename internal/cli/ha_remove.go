package cli

import (
	"github.com/spf13/cobra"

	"tieline/internal/store"
)

func newHARemove(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "remove server",
		Short: "Remove a server from the management group",
		Long: `Remove a server that will not come back, with its place in every communication order.
Where a live server is Active, the switchover is asked for and the removal refused (exit
code 7): repeat it a few seconds later. The last server of a connector cannot be removed.
A removed server that still runs stops by itself.`,
		Example: "  tieline ha remove server3",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, serverNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			if err := db.RemoveServer(cmd.Context(), args[0], c.who()); err != nil {
				return err
			}
			c.say("%s was removed.", args[0])
			return c.printUnlessTable(struct {
				Removed string `json:"removed"`
			}{args[0]})
		}),
	}
}
