package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tieline/internal/app"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store"
)

func newReconcile(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "reconcile connector",
		Short: "Compare alerts and tickets now, and have differences mended",
		Long: `Ask the Active to compare both sides by the remote system's listing: open alerts without
a ticket, closed alerts whose ticket is open, tickets without an alert, several tickets
for one alert. The run sends nothing itself: it marks links, which are then looked at and
mended in turn. It also happens by itself, every hour and after an outage.`,
		Example: "  tieline reconcile default",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			return c.reconcile(cmd, db, args[0])
		}),
	}
}

func (c *command) reconcile(cmd *cobra.Command, db *store.DB, connector string) error {
	address, err := activeAddress(cmd, db, connector)
	if err != nil {
		return err
	}
	info, err := db.Group(cmd.Context())
	if err != nil {
		return err
	}
	answer, err := post(cmd.Context(), address+"/v1/connectors/"+connector+"/reconcile", info.NudgeKey, nil)
	if err != nil {
		return err
	}
	var r app.Reconciled
	if err := json.Unmarshal(answer, &r); err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	return c.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s compared %s with %s at rest:\n", r.Server, plural(r.Tickets, "ticket", "tickets"), plural(r.Links, "link", "links"))
		t := newLines(w)
		t.row("  open alerts whose ticket is gone", r.Missing)
		t.row("  closed alerts whose ticket is open", r.LeftOpen)
		t.row("  alerts with several open tickets", r.Twins)
		t.row("  open tickets of alerts no longer kept", r.Strangers)
		t.row("  ended tickets of alerts no longer kept", r.Forgotten)
		t.flush()
		if len(r.Open) > 0 {
			fmt.Fprintf(w, "Nothing will close these tickets, whose alerts are no longer kept: %s.\n", strings.Join(r.Open, ", "))
		}
		fmt.Fprintf(w, "%s looked at again now.\n", plural(r.Marked, "link is", "links are"))
	})
}

// activeAddress is where the Active of a connector is reached.
func activeAddress(cmd *cobra.Command, db *store.DB, connector string) (string, error) {
	group, err := db.ReadGroup(cmd.Context())
	if err != nil {
		return "", err
	}
	if _, ok := group.Settings[connector]; !ok {
		return "", noConnector(connector)
	}
	dead := deadServers(cmd.Context(), db.Coordinator(), group.Servers)
	for _, s := range group.Servers {
		if ha.StateOf(group, connector, s.Name, dead) == ha.Active && s.Address != "" && !dead[s.Name] {
			return s.Address, nil
		}
	}
	return "", fault.New(fault.Unavailable, fmt.Sprintf("nobody is Active for %s", connector)).
		WithNext(fmt.Sprintf("\"tieline status %s\" shows its servers.", connector))
}
