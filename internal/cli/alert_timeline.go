package cli

import (
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/service/alerts"
	"tieline/internal/store"
)

func newAlertTimeline(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "timeline alert",
		Short:   "Show everything that happened to an alert, oldest first",
		Example: "  tieline alert timeline 3f2a9c1e",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, alertIDs("")),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			ids, err := findAlerts(cmd.Context(), db, args)
			if err != nil {
				return err
			}
			detail, err := db.Alert(cmd.Context(), ids[0])
			if err != nil {
				return err
			}
			events, err := alerts.New(db).Timeline(cmd.Context(), detail.Alert)
			if err != nil {
				return err
			}
			return c.printTimeline(events)
		}),
	}
}

type eventView struct {
	At        time.Time `json:"at"`
	Connector string    `json:"connector,omitempty"`
	Server    string    `json:"server"`
	Epoch     int64     `json:"epoch,omitempty"`
	Kind      string    `json:"kind"`
	Text      string    `json:"text"`
	Endpoint  string    `json:"endpoint,omitempty"`
	TookMS    float64   `json:"took_ms,omitempty"`
	Revision  int64     `json:"revision,omitempty"`
	Ticket    string    `json:"ticket,omitempty"`
}

// way tells in brackets where a call went and how long it took; "" when there was none.
func (e eventView) way() string {
	took := strconv.FormatFloat(e.TookMS, 'f', 1, 64) + " ms"
	switch {
	case e.Endpoint != "" && e.TookMS > 0:
		return " (" + e.Endpoint + ", " + took + ")"
	case e.Endpoint != "":
		return " (" + e.Endpoint + ")"
	case e.TookMS > 0:
		return " (" + took + ")"
	}
	return ""
}

func (c *command) printTimeline(events []store.TimelineEvent) error {
	views := make([]eventView, 0, len(events))
	for _, e := range events {
		views = append(views, eventView{
			At: e.At, Connector: e.Connector, Server: e.Server, Epoch: e.Epoch, Kind: e.Kind, Text: e.Text,
			Endpoint: e.Endpoint, TookMS: float64(e.Took.Microseconds()) / 1000, Revision: e.Revision, Ticket: e.Ticket,
		})
	}
	return c.print(views, func(w io.Writer) {
		t := newTable(w, "AT", "CONNECTOR", "SERVER", "EPOCH", "WHAT", "REVISION", "TICKET", "TEXT")
		for _, e := range views {
			t.row(e.At.UTC().Format("2006-01-02 15:04:05.000Z"), orDash(e.Connector), orDash(e.Server), number(e.Epoch), e.Kind, number(e.Revision), orDash(e.Ticket), e.Text+e.way())
		}
		t.flush()
	})
}
