package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/connector"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/store"
)

func newHASettings(c *command) *cobra.Command {
	cmd := parent(&cobra.Command{
		Use:               "settings [connector]",
		Short:             "Show or change a connector's high-availability settings",
		Long:              `Show a connector's high-availability settings, as "ha settings show" does, or change them.`,
		Example:           "  tieline ha settings default\n  tieline ha settings set default --tolerance 5",
		ValidArgsFunction: c.names(0, connectorNames),
	}, newHASettingsShow(c), newHASettingsSet(c))
	cmd.Args = args(cobra.MaximumNArgs(1))
	help := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return help(cmd, args)
		}
		return c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			return c.showHASettings(cmd.Context(), db, args[0])
		})(cmd, args)
	}
	return cmd
}

func newHASettingsShow(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "show connector",
		Short:   "Show polling interval, tolerance and failback",
		Example: "  tieline ha settings show default",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			return c.showHASettings(cmd.Context(), db, args[0])
		}),
	}
}

func (c *command) showHASettings(ctx context.Context, db *store.DB, connector string) error {
	group, err := db.ReadGroup(ctx)
	if err != nil {
		return err
	}
	s, ok := group.Settings[connector]
	if !ok {
		return noConnector(connector)
	}
	v := struct {
		Connector string `json:"connector"`
		Document  int64  `json:"document"`
		Polling   string `json:"polling_interval"`
		Tolerance int    `json:"tolerance"`
		Failback  string `json:"failback"`
		Length    string `json:"promised_length"`
	}{connector, s.Version, s.Polling.String(), s.Tolerance, string(s.Failback), s.Length().String()}
	return c.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "polling interval  %s\ntolerance         %d missed heartbeats\nfailback          %s\n", v.Polling, v.Tolerance, v.Failback)
		fmt.Fprintf(w, "A server that is silent for %s is Offline; one whose process died, at once.\n", v.Length)
	})
}

func newHASettingsSet(c *command) *cobra.Command {
	var polling time.Duration
	var tolerance int
	var failback string
	cmd := &cobra.Command{
		Use:   "set connector",
		Short: "Change them, as a new version of the connector's document",
		Long: `Change high-availability settings. The change is a new version of the connector's
document, which every server applies live; nobody is deposed by it.`,
		Example: "  tieline ha settings set default --polling-interval 10s --tolerance 3 --failback automatic",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			values := map[string]any{}
			if cmd.Flags().Changed("polling-interval") {
				values["polling_interval"] = polling.String()
			}
			if cmd.Flags().Changed("tolerance") {
				values["tolerance"] = tolerance
			}
			if cmd.Flags().Changed("failback") {
				values["failback"] = failback
			}
			if len(values) == 0 {
				return fault.New(fault.Invalid, "nothing to set").WithNext("Give --polling-interval, --tolerance or --failback.")
			}
			return c.setHA(cmd.Context(), db, args[0], values)
		}),
	}
	// No defaults: what is not given stays as it is.
	cmd.Flags().DurationVar(&polling, "polling-interval", 0, fmt.Sprintf("between heartbeats; from %v to %v", connector.Duration(connector.PollingLeast), connector.Duration(connector.PollingMost)))
	cmd.Flags().IntVar(&tolerance, "tolerance", 0, fmt.Sprintf("heartbeats that may be missed; from %d to %d", connector.ToleranceLeast, connector.ToleranceMost))
	cmd.Flags().StringVar(&failback, "failback", "", "manual or automatic")
	choices(cmd, "failback", "manual", "automatic")
	return cmd
}

func (c *command) setHA(ctx context.Context, db *store.DB, connector string, values map[string]any) error {
	current, err := currentDocument(ctx, db, connector)
	if err != nil {
		return err
	}
	text, err := edit.Open(current.Text)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := text.Set(edit.At("high_availability", key), values[key]); err != nil {
			return err
		}
	}
	saved, err := c.saveDocument(ctx, db, []byte(text.String()), current.Version, "high availability settings")
	if err != nil {
		return err
	}
	c.say("%s has document version %d now.", connector, saved.Version)
	return c.printDocument(saved)
}
