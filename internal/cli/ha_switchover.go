package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store"
)

func newHASwitchover(c *command) *cobra.Command {
	var to string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "switchover connector",
		Short: "Make another server Active, as planned",
		Long: `Hand a connector over to another server: the Active claims nothing more, finishes what
is in flight and releases; the other takes over. Without --to the next server in
communication order follows. Waits until it happened (--wait 0: does not).`,
		Example: `  tieline ha switchover default
  tieline ha switchover default --to server2`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			return c.switchover(cmd.Context(), db, args[0], to, timeout)
		}),
	}
	cmd.Flags().StringVar(&to, "to", "", "the server that should be Active")
	cmd.Flags().DurationVar(&timeout, "wait", 15*time.Second, "how long to wait for it")
	c.flagNames(cmd, "to", serverNames)
	return cmd
}

func (c *command) switchover(ctx context.Context, db *store.DB, connector, to string, timeout time.Duration) error {
	group, err := db.ReadGroup(ctx)
	if err != nil {
		return err
	}
	if _, ok := group.Settings[connector]; !ok {
		return noConnector(connector)
	}
	before, _ := group.Lease(connector)
	if to != "" && before.Server == to && isActive(ctx, db, group, connector, to) {
		c.say("%s is Active for %s already.", to, connector)
		return c.printActive(connector, before)
	}
	if err := db.Wish(ctx, connector, to, c.who()); err != nil {
		return err
	}
	if timeout <= 0 {
		c.say("The switchover of %s was asked for.", connector)
		return c.printActive(connector, before)
	}
	return c.awaitSwitchover(ctx, db, connector, to, before.Epoch, timeout)
}

// isActive reports whether a server is Active and its process not known dead: the
// last one is shown as Active for a while when it is.
func isActive(ctx context.Context, db *store.DB, group ha.Group, connector, server string) bool {
	dead := deadServers(ctx, db.Coordinator(), group.Servers)
	return !dead[server] && ha.StateOf(group, connector, server, dead) == ha.Active
}

// printActive prints who is Active by now, where not the table (a sentence) was
// asked for.
func (c *command) printActive(connector string, l ha.Lease) error {
	return c.printUnlessTable(struct {
		Connector string `json:"connector"`
		Active    string `json:"active"`
		Epoch     int64  `json:"epoch"`
	}{connector, l.Server, l.Epoch})
}

// awaitSwitchover watches the lease until what was asked for was followed, or was
// withdrawn because the server that it named went Offline. to is the server that
// was named, "" = any.
func (c *command) awaitSwitchover(ctx context.Context, db *store.DB, connector, to string, epoch int64, timeout time.Duration) error {
	var wished string // as last seen
	begun := time.Now()
	for time.Since(begun) < timeout {
		group, err := db.ReadGroup(ctx)
		if err != nil {
			return err
		}
		lease, _ := group.Lease(connector)
		switch {
		case lease.Wish != "":
			wished = lease.Wish
		case lease.Epoch > epoch && lease.Server != "":
			if to != "" && lease.Server != to {
				return another(connector, to, lease)
			}
			c.say("%s is Active for %s, epoch %d.", lease.Server, connector, lease.Epoch)
			return c.printActive(connector, lease)
		case lease.Epoch == epoch && lease.Server != "":
			return withdrawn(connector, lease.Server)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	if wished == "" { // released, and nobody has followed yet
		return fault.New(fault.Unavailable, "the Active has handed connector "+connector+" over, and nobody has taken it within "+timeout.String()).
			WithNext(`"tieline status" shows who can.`)
	}
	return fault.New(fault.Unavailable, fmt.Sprintf("%s was asked to be Active for connector %s, and is not yet after %s", wished, connector, timeout)).
		WithNext(`It will be once the Active hears of it, at its next heartbeat at the latest, and has finished what is in flight; if ` + wished +
			` goes Offline before, that is withdrawn. "tieline status" shows who is Active, "tieline ha history ` + connector + `" what came of it.`)
}

// withdrawn says that what was asked for has ended without being followed.
func withdrawn(connector, active string) error {
	return fault.New(fault.Unavailable, fmt.Sprintf("the switchover of connector %s was withdrawn: the server that was to be Active went Offline before; %s holds the lease as before", connector, active)).
		WithNext(`"tieline status" shows which servers can be Active.`)
}

// another says that the connector was taken, and not by the server that was named.
func another(connector, to string, l ha.Lease) error {
	return fault.New(fault.Conflict, fmt.Sprintf("%s was asked to be Active for connector %s, and %s is, epoch %d", to, connector, l.Server, l.Epoch)).
		WithNext(`"tieline ha history ` + connector + `" shows what happened in between, "tieline status" whether ` + to +
			` can be Active; when it can, ask again: tieline ha switchover ` + connector + " --to " + to)
}
