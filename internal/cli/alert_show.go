package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"tieline/internal/alert"
	"tieline/internal/app"
	"tieline/internal/service/alerts"
	"tieline/internal/store"
)

func newAlertShow(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "show alert",
		Short: "Show an alert, and answer why it has a ticket or none",
		Long: `Show an alert with its links, and say for every connector in plain words what has become
of it: where its ticket is, what is waited for, or why nothing is sent.`,
		Example: "  tieline alert show 3f2a9c1e\n  tieline alert show 3f2a9c1e -o yaml",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, alertIDs("")),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			ids, err := findAlerts(cmd.Context(), db, args)
			if err != nil {
				return err
			}
			v, err := explainAlert(cmd.Context(), db, ids[0])
			if err != nil {
				return err
			}
			return c.print(v, func(w io.Writer) { v.text(w) })
		}),
	}
}

// explainedAlert is an alert with an answer for every connector.
type explainedAlert struct {
	alertView
	// Absent has the connectors without a link, and why.
	Absent map[string]string `json:"not_forwarded_by,omitempty"`
}

func explainAlert(ctx context.Context, db *store.DB, id alert.ID) (*explainedAlert, error) {
	e, err := alerts.New(db, app.CheckKinds).Show(ctx, id)
	if err != nil {
		return nil, err
	}
	v := &explainedAlert{alertView: viewAlert(e.Alert), Absent: map[string]string{}}
	for _, l := range e.Links {
		view := viewLink(l.LinkDetail)
		view.Explanation = l.Text
		if l.Retry != "" {
			view.Explanation += l.Retry + "tieline alert retry " + id.String()
		}
		v.Links = append(v.Links, view)
	}
	for _, a := range e.Absent {
		v.Absent[a.Connector] = a.Why
	}
	return v, nil
}

// text writes the alert for people.
func (v *explainedAlert) text(w io.Writer) {
	fmt.Fprintf(w, "Alert %s\n\n", v.ID)
	t := newLines(w)
	t.row("  source", v.Source+" / "+v.Key)
	t.row("  status", fmt.Sprintf("%s, revision %d", v.Status, v.Revision))
	t.row("  severity", orDash(v.Severity))
	t.row("  summary", orDash(v.Summary))
	t.row("  accepted", stamp(v.AcceptedAt)+" by "+orDash(v.AcceptedBy))
	t.row("  changed", stamp(v.ChangedAt))
	for _, k := range slices.Sorted(maps.Keys(v.Labels)) {
		t.row("  label "+k, v.Labels[k])
	}
	t.flush()
	for _, l := range v.Links {
		side := ""
		if l.Side == alert.Source {
			side = ", the way back"
		}
		fmt.Fprintf(w, "\n%s%s\n  %s\n", l.Connector, side, l.Explanation)
		if l.TicketURL != "" {
			fmt.Fprintf(w, "  %s\n", l.TicketURL)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Absent)) {
		fmt.Fprintf(w, "\n%s does not forward it\n  %s\n", name, v.Absent[name])
	}
	if len(v.Links)+len(v.Absent) == 0 {
		fmt.Fprintln(w, "\nNo ticket: there is no connector.")
	}
}
