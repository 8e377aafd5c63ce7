package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/intake"
	"tieline/internal/store"
)

// closeAtOnce is how many alerts are read and closed together.
const closeAtOnce = 500

func newAlertClose(c *command) *cobra.Command {
	var source string
	cmd := &cobra.Command{
		Use:   "close [alert ...]",
		Short: "Close alerts whose source does not, as if it had told so",
		Long: `Close alerts as if their source had told that they are over; their tickets hear of it as
of any close. It is for what a source will never close: one that left the documents, or
that lost an alert. An alert that its source still has is raised anew when it tells of it.`,
		Example: `  tieline alert close 3f2a9c1e
  tieline alert close --source retired-alertmanager`,
		Args: args(cobra.ArbitraryArgs), ValidArgsFunction: c.anyNames(alertIDs(alert.Open)),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			if (len(args) == 0) == (source == "") {
				return fault.New(fault.Invalid, "name the alerts to close, or give --source, not both")
			}
			ids, err := findAlerts(cmd.Context(), db, args)
			if err != nil {
				return err
			}
			n, err := closeNamed(cmd.Context(), db, ids)
			if err == nil && source != "" {
				n, err = closeSource(cmd.Context(), db, source)
			}
			if err != nil {
				return err
			}
			if err := c.wakeWork(cmd, db, ""); err != nil {
				return err
			}
			c.say("%s closed.", plural(n, "alert was", "alerts were"))
			return c.printUnlessTable(struct {
				Closed int `json:"closed"`
			}{n})
		}),
	}
	cmd.Flags().StringVar(&source, "source", "", "every open alert of this source")
	c.flagNames(cmd, "source", sourceNames)
	return cmd
}

func closeNamed(ctx context.Context, db *store.DB, ids []alert.ID) (int, error) {
	var all []alert.Alert
	for _, id := range ids {
		a, err := db.Alert(ctx, id)
		if err != nil {
			return 0, err
		}
		if a.Status == alert.Open {
			all = append(all, a.Alert)
		}
	}
	return closeAll(ctx, db, all)
}

func closeSource(ctx context.Context, db *store.DB, source string) (int, error) {
	closed := 0
	for {
		open, err := db.Alerts(ctx, store.AlertQuery{Source: source, Status: alert.Open, Limit: closeAtOnce})
		if err != nil || len(open) == 0 {
			return closed, err
		}
		all := make([]alert.Alert, len(open))
		for i := range open {
			all[i] = open[i].Alert
		}
		n, err := closeAll(ctx, db, all)
		closed += n
		if err != nil || n == 0 {
			return closed, err
		}
	}
}

// closeAll closes alerts, those of one generation of the documents at a time: what
// their subscriptions decided stays as it was.
func closeAll(ctx context.Context, db *store.DB, all []alert.Alert) (int, error) {
	server, err := os.Hostname()
	if err != nil {
		server = "command line"
	}
	batches := map[int64][]intake.Observed{}
	for _, a := range all {
		batches[a.Generation] = append(batches[a.Generation],
			intake.Observed{Observation: alert.Observation{Source: a.Source, Key: a.Key, Status: alert.Closed}})
	}
	closed := 0
	for generation, items := range batches {
		answers, err := db.Accept(ctx, intake.Batch{Server: server, Generation: generation, Items: items})
		if err != nil {
			return closed, err
		}
		for i, a := range answers {
			switch {
			case a.Err != nil:
				return closed, fmt.Errorf("close %s: %w", items[i].Observation.Key, a.Err)
			case a.Change == alert.Ended:
				closed++
			}
		}
	}
	return closed, nil
}
