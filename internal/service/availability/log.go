package availability

import (
	"cmp"
	"context"
	"slices"
	"time"

	"tieline/internal/connector/edit"
	"tieline/internal/store"
)

// Event is a change of who is Active, or of who may be.
type Event = store.AvailabilityEvent

// WishWithdrawn is the reason of an event: a switchover that was asked for will
// not be, because the server's process ended before.
const WishWithdrawn = store.WishWithdrawn

// Line is one line of a history: a change of availability, or of a document.
type Line struct {
	At        time.Time
	Connector string
	Who       string // "" = a server of itself
	Event     *Event
	Document  *store.StoredDocument
	Previous  *store.StoredDocument // the version before; nil = there is none, or it was not read
}

// Changes lists the values that a document's version changed; none where the
// version before is not there.
func (l Line) Changes() []edit.Change {
	if l.Document == nil || l.Previous == nil {
		return nil
	}
	changes, err := edit.Changes(l.Previous.Text, l.Document.Text)
	if err != nil {
		return nil // the lines below tell of a text that is no YAML
	}
	return changes
}

// Diff compares a document's version with the one before, line by line.
func (l Line) Diff() []edit.Line {
	if l.Document == nil || l.Previous == nil {
		return nil
	}
	return edit.Lines(l.Previous.Text, l.Document.Text)
}

// Log is one page of a history, newest first.
type Log struct {
	Lines []Line
	Older time.Time // the next page is before that; zero = there is none
}

// Log returns changes of availability and of documents on one time line: of a
// connector with the documents' differences, or of all ("") without.
func (s *Service) Log(ctx context.Context, connector string, before time.Time, limit int) (Log, error) {
	q := store.HistoryQuery{Connector: connector, Before: before, Limit: limit + 1, Texts: connector != ""}
	events, err := s.store.AvailabilityEvents(ctx, q)
	if err != nil {
		return Log{}, err
	}
	docs, err := s.store.DocumentLog(ctx, q)
	if err != nil {
		return Log{}, err
	}
	lines := make([]Line, 0, len(events)+len(docs))
	for i := range events {
		lines = append(lines, Line{At: events[i].At, Connector: events[i].Connector, Who: events[i].Who, Event: &events[i]})
	}
	for i := range docs {
		line := Line{At: docs[i].At, Connector: docs[i].Connector, Who: docs[i].Who, Document: &docs[i]}
		if connector != "" && i+1 < len(docs) {
			line.Previous = &docs[i+1]
		}
		lines = append(lines, line)
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(b.At.UnixMicro(), a.At.UnixMicro()) })
	log := Log{Lines: lines}
	if len(lines) > limit {
		n := limit
		for n < len(lines) && lines[n].At.Equal(lines[n-1].At) {
			n++ // the next page begins before this moment
		}
		log.Lines, log.Older = lines[:n], lines[n-1].At
	}
	return log, nil
}
