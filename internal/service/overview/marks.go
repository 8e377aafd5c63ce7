package overview

import (
	"maps"
	"strconv"
	"time"

	"tieline/internal/store"
)

// Subject is something that lists show and a Snapshot has not.
type Subject string

// The subjects.
const (
	Alerts    Subject = "alerts"    // alerts, their links and timelines
	Documents Subject = "documents" // connectors' documents and drafts
	Changes   Subject = "changes"   // the history of who was Active, and who may be
)

// Marks tell by subject whether something has changed: then the mark is another.
type Marks map[Subject]string

func marksOf(g store.Glance, backlog map[string]store.Backlog) Marks {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var all store.Backlog // a claim makes no entry in a timeline
	for _, b := range backlog {
		all.Due, all.Claimed, all.Parked = all.Due+b.Due, all.Claimed+b.Claimed, all.Parked+b.Parked
	}
	return Marks{
		Alerts:    number(g.Alerts) + "/" + number(all.Due) + "/" + number(all.Claimed) + "/" + number(all.Parked),
		Documents: number(g.Documents),
		Changes:   number(g.Changes),
	}
}

// changed returns when each subject was seen to change, by the database's clock:
// as before where the mark is what it was.
func changed(before map[Subject]time.Time, was *Snapshot, is *Snapshot) map[Subject]time.Time {
	after := maps.Clone(before)
	if after == nil {
		after = map[Subject]time.Time{}
	}
	for subject, mark := range is.Marks {
		if was == nil || was.Marks[subject] != mark {
			after[subject] = is.At
		}
	}
	return after
}
