package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/alert"
	"tieline/internal/store"
)

func newAlert(c *command) *cobra.Command {
	return parent(&cobra.Command{
		Use:     "alert",
		Aliases: []string{"alerts"},
		Short:   "Alerts and what became of them; retry parked ones, close lost ones",
		Long: `An alert is named by its id, by enough of its beginning or its end to be the only one (the
end tells more: alerts that came together begin alike), or by its ticket's id.
"tieline alert show" answers the question why an alert has no ticket.`,
	}, newAlertList(c), newAlertShow(c), newAlertTimeline(c), newAlertRetry(c), newAlertClose(c))
}

// alertView is an alert as JSON and YAML show it.
type alertView struct {
	ID          string            `json:"id"`
	Source      string            `json:"source"`
	Key         string            `json:"key"`
	Status      alert.Status      `json:"status"`
	Revision    int64             `json:"revision"`
	Severity    string            `json:"severity,omitempty"`
	Summary     string            `json:"summary,omitempty"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	URL         string            `json:"url,omitempty"`
	AcceptedAt  time.Time         `json:"accepted_at"`
	ChangedAt   time.Time         `json:"changed_at"`
	AcceptedBy  string            `json:"accepted_by"`
	Previous    string            `json:"previous,omitempty"`
	Links       []linkView        `json:"links"`
}

type linkView struct {
	Connector   string      `json:"connector"`
	Side        alert.Side  `json:"side"`
	Stage       alert.Stage `json:"stage"`
	Ticket      string      `json:"ticket,omitempty"`
	TicketURL   string      `json:"ticket_url,omitempty"`
	Delivered   int64       `json:"delivered"`
	Wanted      int64       `json:"wanted"`
	Due         bool        `json:"due"`
	Attempts    int         `json:"attempts,omitempty"`
	Failure     string      `json:"failure,omitempty"`
	Parked      string      `json:"parked,omitempty"`
	Skipped     string      `json:"skipped,omitempty"`
	Claimed     bool        `json:"claimed"` // being sent now, or until what became of it is known
	ClaimedBy   string      `json:"claimed_by,omitempty"`
	DeliveredAt *time.Time  `json:"delivered_at,omitempty"`
	Explanation string      `json:"explanation,omitempty"`
}

func viewAlert(a alert.Alert) alertView {
	v := alertView{
		ID: a.ID.String(), Source: a.Source, Key: a.Key, Status: a.Status, Revision: a.Revision,
		Severity: a.Severity, Summary: a.Summary, Description: a.Description, Labels: a.Labels, Annotations: a.Annotations, URL: a.URL,
		AcceptedAt: a.AcceptedAt, ChangedAt: a.ChangedAt, AcceptedBy: a.AcceptedBy, Links: []linkView{},
	}
	if a.Previous != (alert.ID{}) {
		v.Previous = a.Previous.String()
	}
	return v
}

func viewLink(l store.LinkDetail) linkView {
	v := linkView{
		Connector: l.Connector, Side: l.Side, Stage: l.Stage, Ticket: l.Ticket, TicketURL: l.TicketURL,
		Delivered: l.Delivered, Wanted: l.Wanted, Due: l.Due(), Attempts: l.Attempts, Failure: l.Failure,
		Parked: l.Parked, Skipped: l.Skipped, Claimed: l.Claim != (alert.Claim{}),
	}
	if v.Claimed {
		v.ClaimedBy = l.ClaimedBy
	}
	if !l.DeliveredAt.IsZero() {
		v.DeliveredAt = &l.DeliveredAt
	}
	return v
}

// findAlerts resolves the ids, each of which may be abbreviated.
func findAlerts(ctx context.Context, db *store.DB, texts []string) ([]alert.ID, error) {
	var ids []alert.ID
	for _, text := range texts {
		id, err := db.FindAlert(ctx, text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
