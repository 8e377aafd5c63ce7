package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// mostListed is how many rows a list has at most; the console and the API page
// through more.
const mostListed = 1000

func checkLimit(n int) error {
	if n < 1 || n > mostListed {
		return fault.New(fault.Invalid, fmt.Sprintf("--limit must be from 1 to %d, not %d", mostListed, n))
	}
	return nil
}

// connectorExists refuses a name that no connector has, which would otherwise
// find nothing and look like a good answer; "" is every connector.
func connectorExists(ctx context.Context, db *store.DB, name string) error {
	if name == "" {
		return nil
	}
	_, err := currentDocument(ctx, db, name)
	return err
}

// stages are what --stage takes.
var stages = []string{
	string(alert.Fresh), string(alert.Uncertain), string(alert.Looked), string(alert.Verify), string(alert.Twins), string(alert.Settled),
}

func newAlertList(c *command) *cobra.Command {
	var q store.AlertQuery
	var status, stage string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List alerts, the latest first",
		Example: `  tieline alert list --status open
  tieline alert list --parked --connector default
  tieline alert list --text db-03 -o json`,
		Args: args(cobra.NoArgs),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, _ []string) error {
			switch alert.Status(status) {
			case "", alert.Open, alert.Closed:
			default:
				return fault.New(fault.Invalid, fmt.Sprintf("there is no status %q; an alert is open or closed", status))
			}
			if stage != "" && !slices.Contains(stages, stage) {
				return fault.New(fault.Invalid, fmt.Sprintf("there is no stage %q; the stages are %s", stage, strings.Join(stages, ", ")))
			}
			if err := checkLimit(q.Limit); err != nil {
				return err
			}
			if err := connectorExists(cmd.Context(), db, q.Connector); err != nil {
				return err
			}
			q.Status, q.Stage = alert.Status(status), alert.Stage(stage)
			rows, err := db.Alerts(cmd.Context(), q)
			if err != nil {
				return err
			}
			return c.printAlerts(rows)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&q.Connector, "connector", "", "forwarded by this connector")
	f.StringVar(&q.Source, "source", "", "from this source")
	f.StringVar(&status, "status", "", "open or closed")
	f.StringVar(&stage, "stage", "", "what is known of the ticket: "+strings.Join(stages, ", "))
	f.StringVar(&q.Text, "text", "", "with this text in the key or the content")
	f.BoolVar(&q.Parked, "parked", false, "parked ones only")
	f.IntVar(&q.Limit, "limit", 50, "how many at most")
	c.flagNames(cmd, "connector", connectorNames)
	c.flagNames(cmd, "source", sourceNames)
	choices(cmd, "status", string(alert.Open), string(alert.Closed))
	choices(cmd, "stage", stages...)
	return cmd
}

func (c *command) printAlerts(rows []store.AlertRow) error {
	views := make([]alertView, 0, len(rows))
	for _, r := range rows {
		v := viewAlert(r.Alert)
		for _, l := range r.Links {
			v.Links = append(v.Links, viewLink(store.LinkDetail{Link: l}))
		}
		views = append(views, v)
	}
	return c.print(views, func(w io.Writer) {
		t := newTable(w, "ALERT", "STATUS", "SEVERITY", "CHANGED", "TICKETS", "SUMMARY")
		for _, v := range views {
			summary := v.Summary
			if summary == "" {
				summary = v.Key
			}
			t.row(v.ID, v.Status, orDash(v.Severity), stamp(v.ChangedAt), tickets(v.Links), clip(summary, 60))
		}
		t.flush()
	})
}

// tickets sums an alert's links up: "desk:12", "desk:parked", "desk:due".
func tickets(links []linkView) string {
	text := ""
	for _, l := range links {
		if l.Side != alert.Remote {
			continue
		}
		word := l.Ticket
		switch {
		case l.Parked != "":
			word = "PARKED"
		case l.Skipped != "":
			word = "skipped"
		case word == "" && l.Claimed:
			word = "sending"
		case word == "" && l.Due:
			word = "due"
		case word == "":
			word = "sent"
		}
		if text != "" {
			text += " "
		}
		text += l.Connector + ":" + word
	}
	return orDash(text)
}
