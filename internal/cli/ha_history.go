package cli

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/store"
)

func newHAHistory(c *command) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "history connector",
		Short:   "Show who was Active when, and why it changed; newest first",
		Example: "  tieline ha history default --limit 50",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			events, err := db.AvailabilityHistory(cmd.Context(), args[0], limit)
			if err == nil && len(events) == 0 {
				_, err = currentDocument(cmd.Context(), db, args[0])
			}
			if err != nil {
				return err
			}
			type event struct {
				At     time.Time `json:"at"`
				Epoch  int64     `json:"epoch"`
				From   string    `json:"from"`
				To     string    `json:"to"`
				Reason string    `json:"reason"`
				Who    string    `json:"who,omitempty"`
			}
			view := make([]event, 0, len(events))
			for _, e := range events {
				view = append(view, event{e.At, e.Epoch, e.From, e.To, e.Reason, e.Who})
			}
			return c.print(view, func(w io.Writer) {
				t := newTable(w, "AT", "EPOCH", "FROM", "TO", "REASON", "WHO")
				for _, e := range view {
					t.row(stamp(e.At), e.Epoch, orDash(e.From), orDash(e.To), e.Reason, orDash(e.Who))
				}
				t.flush()
			})
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many changes")
	return cmd
}
