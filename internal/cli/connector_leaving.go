package cli

import (
	"context"
	"fmt"

	"tieline/internal/alert"
	"tieline/internal/app"
	"tieline/internal/connector"
	"tieline/internal/store"
)

// manyOpen is how many open alerts of a source are counted at most.
const manyOpen = 1000

// leavingNotes says which sources a new version of a document lets go of while
// they have open alerts: nothing will ever close those.
func leavingNotes(ctx context.Context, db *store.DB, before string, doc *connector.Document) ([]app.Note, error) {
	old, err := connector.Parse([]byte(before))
	if err != nil {
		return nil, nil // one that is wrong by now has no sources
	}
	stays := map[string]bool{}
	for _, s := range doc.Sources {
		stays[s.Name] = true
	}
	var notes []app.Note
	for _, s := range old.Sources {
		if stays[s.Name] {
			continue
		}
		open, err := db.Alerts(ctx, store.AlertQuery{Source: s.Name, Status: alert.Open, Limit: manyOpen})
		if err != nil {
			return nil, err
		}
		if len(open) == 0 {
			continue
		}
		count := plural(len(open), "open alert", "open alerts")
		if len(open) == manyOpen {
			count = fmt.Sprintf("%d open alerts or more", manyOpen)
		}
		notes = append(notes, app.Note{Path: "sources", Message: fmt.Sprintf("source %s is no longer in it and has %s, which nothing closes any more. "+
			`Where no other connector has that source, "tieline alert close --source %s" closes them and their tickets.`, s.Name, count, s.Name)})
	}
	return notes, nil
}
