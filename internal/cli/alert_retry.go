package cli

import (
	"github.com/spf13/cobra"

	"tieline/internal/fault"
	"tieline/internal/store"
)

func newAlertRetry(c *command) *cobra.Command {
	var r store.RetryRequest
	cmd := &cobra.Command{
		Use:   "retry [alert ...]",
		Short: "Try again at once: the links of some alerts, parked or waiting, or every parked one",
		Example: `  tieline alert retry 3f2a9c1e 81b0
  tieline alert retry --all-parked --connector default`,
		Args: args(cobra.ArbitraryArgs), ValidArgsFunction: c.anyNames(alertIDs("")),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			if (len(args) == 0) == !r.AllParked {
				return fault.New(fault.Invalid, "name the alerts to retry, or give --all-parked, not both")
			}
			if err := connectorExists(cmd.Context(), db, r.Connector); err != nil {
				return err
			}
			ids, err := findAlerts(cmd.Context(), db, args)
			if err != nil {
				return err
			}
			r.Alerts, r.Who = ids, c.who()
			n, err := db.Retry(cmd.Context(), r)
			if err != nil {
				return err
			}
			if err := c.wakeWork(cmd, db, r.Connector); err != nil {
				return err
			}
			c.say("%s due now.", plural(n, "link is", "links are"))
			return c.printUnlessTable(struct {
				Retried int `json:"retried"`
			}{n})
		}),
	}
	cmd.Flags().StringVar(&r.Connector, "connector", "", "of this connector only")
	cmd.Flags().BoolVar(&r.AllParked, "all-parked", false, "every parked link")
	c.flagNames(cmd, "connector", connectorNames)
	return cmd
}

// wakeWork tells the Actives that there is work; connector "" is all of them.
func (c *command) wakeWork(cmd *cobra.Command, db *store.DB, connector string) error {
	names := []string{connector}
	if connector == "" {
		var err error
		if names, err = connectorNames(cmd.Context(), db); err != nil {
			return err
		}
	}
	var topics []string
	for _, name := range names {
		topics = append(topics, store.TopicWork(name))
	}
	db.Wake(cmd.Context(), topics...)
	return nil
}
