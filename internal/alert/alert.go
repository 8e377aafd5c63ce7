package alert

import (
	"maps"
	"time"

	"github.com/google/uuid"
)

// ID names an alert: a random UUID, never a serial number, because numbers
// repeat after a restore of the database and would find a stranger's ticket.
type ID = uuid.UUID

// NewID returns an ID of version 7: 62 random bits after the time, which puts
// alerts that came together beside each other in the database's indexes. No
// meaning is ever read from the time.
func NewID() ID { return uuid.Must(uuid.NewV7()) }

// Status of an alert at its source.
type Status string

// An alert is open from raised to closed, and never opens again: the same
// problem firing anew is a new alert.
const (
	Open   Status = "open"
	Closed Status = "closed"
)

// Content is what a source tells about an alert and a remote system is told.
type Content struct {
	Severity    string            `json:"severity,omitempty"` // the source's own word
	Summary     string            `json:"summary,omitempty"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`      // identify the problem
	Annotations map[string]string `json:"annotations,omitempty"` // describe it
	URL         string            `json:"url,omitempty"`         // the source's page about it
}

// Equal reports whether both tell the same.
func (c Content) Equal(d Content) bool {
	return c.Severity == d.Severity && c.Summary == d.Summary && c.Description == d.Description &&
		c.URL == d.URL && maps.Equal(c.Labels, d.Labels) && maps.Equal(c.Annotations, d.Annotations)
}

// Observation is one thing a source said about one alert.
type Observation struct {
	Source   string    // the source's name; sources of all connectors share one name space
	Key      string    // the source's own name for the problem (Alertmanager: fingerprint)
	Status   Status    // Open or Closed
	StartsAt time.Time // when the problem began, by the source's clock; zero = not told
	EndsAt   time.Time // when it ended, by the source's clock; zero = not told
	Content
}

// Alert is one problem at a source, from raised to closed.
type Alert struct {
	ID       ID
	Source   string
	Key      string
	Status   Status
	Revision int64 // grows with each change; starts at 1
	Seen     int64 // grows with each observation, also with repeats
	StartsAt time.Time
	EndsAt   time.Time
	Content  // what the source told, with Edits in place
	Edits    Edits

	// By the database's clock, for display.
	AcceptedAt time.Time // when the first observation was committed
	ChangedAt  time.Time // when the newest revision was
	AcceptedBy string    // the server that took it in

	// Previous is the latest earlier alert of the same source and key, zero when
	// there is none: its ticket may be reopened by the life cycle table.
	Previous ID
	// Generation is that of the connector documents which the subscriptions were
	// last evaluated with; a sweep evaluates the alerts behind the current one.
	Generation int64
}

// Change says what an observation did.
type Change string

// What Apply can conclude.
const (
	Raised   Change = "raised"   // a new alert, open
	Changed  Change = "changed"  // the open alert has a new revision
	Ended    Change = "closed"   // the open alert closed; a new revision
	Repeated Change = "repeated" // nothing new; only Seen grew
	Stale    Change = "stale"    // older than what is known; dropped
	Missed   Change = "missed"   // opened and closed before we heard of it: a new alert, closed
)

// Grew reports whether the change made a new revision, which links must be told.
func (c Change) Grew() bool { return c != Repeated && c != Stale }

// Apply decides what an observation means, given the latest alert of its source
// and key (nil when there is none). It returns the alert as it should be
// stored; its ID is zero when it is a new one, which the caller names.
//
// An open alert is as young as its latest start: the source may have closed and
// opened it again unheard. A closing that ended before is a late word about an
// earlier one and Stale. A closing for which no alert is open is Repeated when
// the latest alert closed (sources repeat "resolved"), unless it tells of a
// later problem that opened and closed unheard: that is Missed.
func Apply(latest *Alert, o Observation) (Alert, Change) {
	if latest == nil || latest.Status == Closed {
		return applyNoneOpen(latest, o)
	}
	next := *latest
	next.Seen++
	told := latest.Edits.Over(o.Content)
	if o.Status == Open && o.StartsAt.After(latest.StartsAt) {
		next.StartsAt = o.StartsAt
	}
	if o.Status == Closed {
		if !o.EndsAt.IsZero() && !latest.StartsAt.IsZero() && o.EndsAt.Before(latest.StartsAt) {
			return *latest, Stale
		}
		next.Status = Closed
		next.EndsAt = o.EndsAt
		if !isEmpty(o.Content) {
			next.Content = told
		}
		next.Revision++
		return next, Ended
	}
	if latest.Content.Equal(told) {
		return next, Repeated
	}
	next.Content = told
	next.Revision++
	return next, Changed
}

func applyNoneOpen(latest *Alert, o Observation) (Alert, Change) {
	fresh := Alert{
		Source: o.Source, Key: o.Key, Status: o.Status, Revision: 1, Seen: 1,
		StartsAt: o.StartsAt, EndsAt: o.EndsAt, Content: o.Content,
	}
	if latest != nil {
		fresh.Previous = latest.ID
	}
	if o.Status == Open {
		fresh.EndsAt = time.Time{}
		return fresh, Raised
	}
	if latest == nil {
		return fresh, Missed
	}
	later := !o.StartsAt.IsZero() && !latest.EndsAt.IsZero() && o.StartsAt.After(latest.EndsAt)
	if later {
		return fresh, Missed
	}
	again := *latest
	again.Seen++
	return again, Repeated
}

func isEmpty(c Content) bool { return c.Equal(Content{}) }
