package forward

import (
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/remote"
	"tieline/internal/source"
)

// Mapping is what forwarding needs of a connector's compiled document. All
// methods are pure and safe for concurrent use.
type Mapping interface {
	// Draft maps an alert to what its ticket should show: key, revision (the
	// alert's), subject, body, severity, fields, the state its status maps to
	// ("" = leave it to the remote) and what to say when the state changes
	// (Comment, may be empty). The link tells what is known of the ticket. The
	// plan decides afterwards whether state and comment are to be sent. The error
	// names the field and the cause and is shown to people: the link is parked
	// with it.
	Draft(a *alert.Alert, l *alert.Link, key alert.Key) (alert.Draft, error)
	// BackState maps a ticket's state to the source's word; ok is false when the
	// source is not to be told.
	BackState(remoteState string) (sourceState string, ok bool)
	// StateClass classes a ticket's state for the life cycle table: "open",
	// "resolved", "closed", "cancelled", "merged" or "deleted". A state nobody
	// mapped, and "", is "open".
	StateClass(remoteState string) string
	// Refire is what an alert that fired again does with an earlier ticket whose
	// state is of the class, defaults filled in. That of "deleted" also says what
	// becomes of an open alert whose ticket has gone: "new" and "linked" make
	// another one, everything else parks the link.
	Refire(class string) connector.Refire
	// CloseAction is what a closing alert does to its ticket: "resolve",
	// "comment" or "leave".
	CloseAction() string
	// Limits are the document's, defaults filled in.
	Limits() connector.Limits
}

// Setup is a connector as one version of its document has it.
type Setup struct {
	Version int64 // of the document
	Mapping Mapping
	Remote  remote.Adapter
	Poll    time.Duration // between polls for news; 0 = never
	Sources []SourceSetup
}

// SourceSetup is one source of a Setup.
type SourceSetup struct {
	Name    string
	Writer  source.Writer // nil = the source takes nothing back
	Lister  source.Lister // nil = its list cannot be read
	Compare time.Duration // between comparisons with the list; 0 = never
}

// Setups provides a connector's current Setup. The channel is closed when
// another one has taken its place; a nil Setup means that this server cannot
// run the current document, and nothing is claimed until that changes.
type Setups interface {
	Setup() (s *Setup, changed <-chan struct{})
}
