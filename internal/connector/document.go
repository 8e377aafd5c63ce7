package connector

import (
	"time"

	"tieline/internal/secret"
)

// Document is one connector's configuration, as YAML has it. Parse fills in the
// defaults; Compile makes of it what servers run.
type Document struct {
	Name         string           `yaml:"name"` // lower-case letters, digits, "-"; 1-40
	Description  string           `yaml:"description,omitempty"`
	Sources      []Source         `yaml:"sources"`
	Subscription string           `yaml:"subscription,omitempty"` // CEL over the alert, bool; "" = every alert
	Remote       Remote           `yaml:"remote"`
	Fields       map[string]Value `yaml:"fields,omitempty"`   // remote field -> value; "subject" and "body" have defaults
	Severity     Severity         `yaml:"severity,omitempty"` // source's word -> remote's word
	States       States           `yaml:"states,omitempty"`
	Lifecycle    Lifecycle        `yaml:"lifecycle,omitempty"`
	Limits       Limits           `yaml:"limits,omitempty"`
	Availability HighAvailability `yaml:"high_availability,omitempty"`
	Retention    Retention        `yaml:"retention"`
}

// Source is one monitoring system that feeds the connector.
type Source struct {
	Name     string            `yaml:"name"`            // unique in the management group, part of the intake URL
	Kind     string            `yaml:"kind"`            // "alertmanager", "generic"
	Token    secret.Ref        `yaml:"token,omitempty"` // what senders must present; empty = no token asked
	URL      string            `yaml:"url,omitempty"`   // the source's API, for comparison and write-back
	APIToken secret.Ref        `yaml:"api_token,omitempty"`
	Compare  Duration          `yaml:"compare,omitempty"` // between comparisons; default 1m where url is set; 0 = never
	Settings map[string]string `yaml:"settings,omitempty"`
}

// Remote is the remote system.
type Remote struct {
	Kind      string         `yaml:"kind"`                // "rt", "files", "webhook"
	Endpoints []string       `yaml:"endpoints,omitempty"` // in communication order
	Token     secret.Ref     `yaml:"token,omitempty"`
	User      string         `yaml:"user,omitempty"`
	Password  secret.Ref     `yaml:"password,omitempty"`
	Settings  map[string]any `yaml:"settings,omitempty"` // kind-specific, checked by the adapter's Check
	Poll      Duration       `yaml:"poll,omitempty"`     // between polls for news; default 15s; 0 = never
}

// Value is a mapped value: a template ("{{ .Summary }}"), or CEL when written
// as {cel: "..."}. Exactly one of both is set; the empty Value maps to "".
type Value struct {
	Template string
	CEL      string
}

// Severity maps the source's severities to the remote's.
type Severity struct {
	Map     map[string]string `yaml:"map,omitempty"`
	Default string            `yaml:"default,omitempty"` // for unmapped ones; "" = pass the source's word on
}

// States map resolution states both ways.
type States struct {
	Open    string            `yaml:"open"`           // remote state of an open alert; "" = leave it to the remote
	Closed  string            `yaml:"closed"`         // remote state of a closed alert, e.g. "resolved"; "" = leave it
	Back    map[string]string `yaml:"back,omitempty"` // remote state -> source state (see SourceStates), e.g. resolved: acknowledged
	Ended   []string          `yaml:"ended"`          // remote states in which a ticket can no longer be worked; default: those of another class than open
	Classes map[string]string `yaml:"classes"`        // remote state -> class, for the life cycle table; added to the defaults
}

// The classes: what a remote state means to the life cycle table, whatever the
// remote system calls it. A state of no known class counts as ClassClosed where
// States.Ended lists it, otherwise as ClassOpen.
const (
	ClassOpen      = "open"
	ClassResolved  = "resolved"
	ClassClosed    = "closed"
	ClassCancelled = "cancelled"
	ClassMerged    = "merged"
	ClassDeleted   = "deleted"
)

// Classes are all of them, in the order a ticket's life has them.
var Classes = []string{ClassOpen, ClassResolved, ClassClosed, ClassCancelled, ClassMerged, ClassDeleted}

// SourceStates are the words that States.Back may map to: what a source can be
// asked to show about an alert.
var SourceStates = []string{"open", "acknowledged", "closed"}

// Lifecycle says what a ticket does when its alert closes, and fires again.
type Lifecycle struct {
	Close            Close             `yaml:"close,omitempty"`
	Refire           map[string]Refire `yaml:"refire,omitempty"`             // by the class of the earlier ticket's state; added to the defaults
	SkipClosedUnsent bool              `yaml:"skip_closed_unsent,omitempty"` // an alert that closed before it was ever claimed is not sent
}

// The close actions.
const (
	CloseResolve = "resolve" // set States.Closed, with a comment
	CloseComment = "comment" // say so, and leave the state alone
	CloseLeave   = "leave"   // show the newest content only
)

// Close is what a closing alert does to its ticket, and when.
type Close struct {
	Action string   `yaml:"action,omitempty"` // "resolve" (default), "comment", "leave"
	Wait   Duration `yaml:"wait,omitempty"`   // before it does; default 0
}

// The refire actions: what an alert that fires again does with its earlier ticket.
const (
	RefireReopen  = "reopen"  // use the earlier ticket and set it open
	RefireComment = "comment" // use the earlier ticket as it is
	RefireLinked  = "linked"  // open a ticket that refers to the earlier one
	RefireNew     = "new"     // open a ticket and mention nothing
)

// Refire is the life cycle table's entry for one class.
type Refire struct {
	Action string   `yaml:"action,omitempty"`
	Within Duration `yaml:"within,omitempty"` // for reopen and comment: since the close; later = linked. 0 = always
}

// Limits bound what the remote system is asked to bear.
type Limits struct {
	Concurrency int      `yaml:"concurrency,omitempty"` // requests in flight; default 8, 1-256
	Rate        float64  `yaml:"rate,omitempty"`        // requests per second; 0 = unlimited
	Burst       int      `yaml:"burst,omitempty"`       // default max(1, rate)
	Timeout     Duration `yaml:"timeout,omitempty"`     // of one request; default 10s. A call of several has 3 times that, and no more than half a window
	Window      Duration `yaml:"window,omitempty"`      // send window (rule C3); default 30s
	Settle      Duration `yaml:"settle,omitempty"`      // lengthens the adapter's settle time
	Attempts    int      `yaml:"attempts,omitempty"`    // before a link is parked; default 20
	Backoff     Backoff  `yaml:"backoff,omitempty"`
}

// Backoff is exponential with jitter.
type Backoff struct {
	First Duration `yaml:"first,omitempty"` // default 1s
	Max   Duration `yaml:"max,omitempty"`   // default 5m
}

// Bounds of the high-availability settings, both ends included.
const (
	PollingLeast   = time.Second
	PollingMost    = time.Hour
	ToleranceLeast = 2
	ToleranceMost  = 100
)

// HighAvailability is the High availability tab.
type HighAvailability struct {
	Polling   Duration `yaml:"polling_interval,omitempty"` // default 30s; PollingLeast to PollingMost
	Tolerance int      `yaml:"tolerance,omitempty"`        // default 3; ToleranceLeast to ToleranceMost
	Failback  string   `yaml:"failback,omitempty"`         // "manual" (default), "automatic"
}

// Retention says how long the connector keeps what is over and done with. It is
// part of the document, because what must be kept follows from the life cycle
// table beside it, and because a document is versioned and says who changed it.
type Retention struct {
	Days int `yaml:"days"` // that a closed alert and its ticket's link are kept; default 90; 0 = for ever
}

// Duration is a time.Duration written as Go does ("30s", "5m").
type Duration time.Duration
