// Package source is the contract for monitoring systems: how what they push is
// read, how the list of their alerts is compared with ours, and how news of a
// ticket is written back to them.
package source

import (
	"context"
	"net/http"

	"tieline/internal/alert"
	"tieline/internal/secret"
)

// Settings are what an adapter is built from: one source of a connector document.
type Settings struct {
	Name   string            // the source's name, used in Observation.Source
	URL    string            // the source's own API; empty = it only pushes
	Token  secret.String     // credential for URL; zero = none
	Values map[string]string // kind-specific settings, already validated by CheckValues
	Client *http.Client      // nil = a client of its own with deadlines
}

// Limits bound what one request may bring; exceeding them is an error, never a cut.
type Limits struct {
	Bytes  int64 // of the body; 0 = DefaultLimits
	Alerts int   // in one request; 0 = DefaultLimits
	Field  int   // bytes of any one text; 0 = DefaultLimits
	Labels int   // labels or annotations of one alert; 0 = DefaultLimits
}

// DefaultLimits hold where nothing else is configured.
var DefaultLimits = Limits{Bytes: 4 << 20, Alerts: 5000, Field: 64 << 10, Labels: 256}

// Adapter reads what a source pushes.
type Adapter interface {
	// Parse reads one request body. Its error is a *fault.Error of kind Invalid
	// or TooLarge which names every wrong field with its path; then nothing of
	// the request is taken.
	Parse(body []byte, limits Limits) ([]alert.Observation, error)
}

// Omitting is implemented by adapters whose source says when it left alerts out of
// a request because there were too many.
type Omitting interface {
	// ParseOmitting is Adapter.Parse, and tells how many alerts were left out.
	ParseOmitting(body []byte, limits Limits) (observations []alert.Observation, omitted int, err error)
}

// Lister reads the alerts that are open at the source now, for the periodic
// comparison that finds alerts which vanished without a closing.
type Lister interface {
	// List returns the open alerts, and an opaque text that changes when the
	// source restarted ("" = not told).
	List(ctx context.Context) (open []alert.Observation, incarnation string, err error)
}

// Announcer is implemented by Listers that can tell which of the open alerts
// they announce to us: those that went unheard are taken from the list instead.
type Announcer interface {
	// Announced returns the open alerts that the source pushes to us, or did:
	// none that is muted, none that is meant for others only.
	Announced(ctx context.Context) ([]alert.Observation, error)
}

// The words for what a source should show about an alert, after the
// resolution-state mapping.
const (
	Open         = "open"         // nobody has it in hand: as the source itself shows it
	Acknowledged = "acknowledged" // somebody has
	// Ended: the alert is over, or the remote asks that it be. Of an alert that is
	// Closed it says that whatever the source was asked to show ends with it.
	Ended = "closed"
)

// Update is what a source should show about an alert.
type Update struct {
	Key       alert.Key // the same for repeats of the same state: writers are idempotent by it
	Alert     alert.Alert
	State     string // one of the words above
	Ticket    string
	TicketURL string
	Connector string
	Revision  int64 // grows with each update
}

// Writer makes the source show an update. Writing the same twice changes
// nothing. Its failures are those of package remote's classes by meaning:
// fault kinds Invalid and NotFound are permanent, all others are tried again.
type Writer interface {
	Write(ctx context.Context, u Update) error
}
