package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"tieline/internal/store"
)

func newHA(c *command) *cobra.Command {
	return parent(&cobra.Command{
		Use:   "ha",
		Short: "High availability: settings, communication order, switchover, history",
	}, newHASettings(c), newHAMove(c, "move-up", -1), newHAMove(c, "move-down", +1), newHASwitchover(c), newHAHistory(c), newHARemove(c))
}

func newHAMove(c *command, verb string, by int) *cobra.Command {
	where := map[int]string{-1: "up", +1: "down"}[by]
	return &cobra.Command{
		Use:   verb + " connector server",
		Short: fmt.Sprintf("Move a server one place %s in a connector's communication order", where),
		Long: fmt.Sprintf(`Move a server one place %s in a connector's communication order. The order decides who
follows when the Active fails; it does not move the Active itself: see "ha switchover",
or the connector's failback setting.`, where),
		Example:           fmt.Sprintf("  tieline ha %s default server2", verb),
		Args:              args(cobra.ExactArgs(2)),
		ValidArgsFunction: c.connectorThenServer,
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			if err := db.Move(cmd.Context(), args[0], args[1], by, c.who()); err != nil {
				return err
			}
			c.say("%s was moved %s in the communication order of %s.", args[1], where, args[0])
			return c.printOrder(cmd.Context(), db, args[0])
		}),
	}
}

// printOrder prints a connector's communication order, where not the table (a
// sentence) was asked for.
func (c *command) printOrder(ctx context.Context, db *store.DB, connector string) error {
	group, err := db.ReadGroup(ctx)
	if err != nil {
		return err
	}
	v := struct {
		Connector string   `json:"connector"`
		Order     []string `json:"order"`
	}{connector, []string{}}
	for _, m := range group.Order(connector) {
		v.Order = append(v.Order, m.Server)
	}
	return c.printUnlessTable(v)
}

func (c *command) connectorThenServer(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return c.names(0, connectorNames)(cmd, args, prefix)
	}
	return c.names(1, serverNames)(cmd, args, prefix)
}
