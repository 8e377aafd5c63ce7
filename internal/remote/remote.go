// Package remote is the contract for remote systems: what an adapter can do,
// what it promises about doing it twice, and how it says that a call failed.
//
// An adapter translates drafts into its system's requests and answers into
// tickets. It decides nothing: whether to look, create, update or merge, when
// to try again and what a failure means for the alert is the forwarder's
// business. It keeps no state between calls but connections, and knows neither
// the database nor other adapters.
//
// # Abilities
//
// Every adapter is an Adapter. What else a system offers are small interfaces
// found by type assertion: Looker, Comparer, Merger, Noter, Poller, Lister.
//
// # Failure
//
// A failed call is a *Failure of one of three classes. Permanent: the remote
// understood and refused; a person is needed. Retry: certainly not carried out.
// Unknown: sent and not answered; it may have been carried out, or may yet be.
// A write's error that is no *Failure counts as Unknown.
//
// # HTTP
//
// Client calls remotes for the adapters. A request counts as sent once a
// connection was handed to it; before that, its failure is Retry with Connect.
// After that a write without an answer is Unknown and a read Retry. Of the
// answers, 401, 429 and a 503 with Retry-After are Retry and concern the remote
// as a whole; 408, 500, 502, 504 and a 503 without Retry-After leave a write
// Unknown, because gateways give them for requests that they passed on; other
// refusals are Permanent. Redirects are not followed.
//
// Endpoints are tried in their communication order and round again, beginning
// at the one that worked last, and once a minute at the first. A write that may
// have left goes to no second endpoint.
package remote

import (
	"context"
	"time"

	"tieline/internal/alert"
)

// Guarantee is what an adapter offers against doing a create twice.
type Guarantee int

// The guarantees, weakest first.
const (
	// AtLeastOnce: neither looked up nor deduplicated; an unknown outcome may double.
	AtLeastOnce Guarantee = iota
	// Lookup: tickets can be found by key, so an unknown outcome is looked up.
	Lookup
	// Idempotent: the remote itself drops a second create with the same key, also
	// one of a newer revision: whoever creates again tells the newest afterwards.
	Idempotent
)

func (g Guarantee) String() string {
	return [...]string{"AtLeastOnce", "Lookup", "Idempotent"}[g]
}

// Traits are an adapter's promises.
type Traits struct {
	Guarantee Guarantee
	// KeyLife is how long an idempotency key is remembered; 0 = for ever.
	// A create older than that is no longer Idempotent.
	KeyLife time.Duration
	// Settle is how long after its request a stalled write may still be carried
	// out, plus a pause: the wait between two looks, and before a read back.
	// The connector document may lengthen it.
	Settle time.Duration
	// TicketLater: Create answers without a ticket id; news assigns it.
	TicketLater bool
}

// Adapter is a remote system of one connector.
type Adapter interface {
	Traits() Traits
	// Create makes the ticket of a draft. The draft's key is stored in it.
	Create(ctx context.Context, d alert.Draft) (alert.Ticket, error)
	// Update makes the ticket show the draft: content, and state when the draft
	// names one. It reads back where the remote answers success without doing
	// what was asked; a state it silently refused is a Permanent failure.
	Update(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, error)
	// Probe tells whether the remote can be reached and accepts our credentials.
	// Its failure has Connect set when no connection was possible.
	Probe(ctx context.Context) error
}

// Looker finds tickets by key: all of them, in creation order, open or not.
type Looker interface {
	Look(ctx context.Context, k alert.Key) ([]alert.Ticket, error)
}

// Comparer reads a ticket back and names the fields that do not show the draft.
// Content that cannot be read back counts as not shown: it is then sent again,
// where otherwise an update that was never carried out would pass for done.
type Comparer interface {
	Compare(ctx context.Context, ticket string, d alert.Draft) (t alert.Ticket, differs []string, err error)
}

// Merger ends a twin in favour of the survivor. Repeating it is harmless.
type Merger interface {
	Merge(ctx context.Context, survivor, twin string) error
}

// Noter adds a note to a ticket.
type Noter interface {
	Note(ctx context.Context, ticket string, k alert.Key, n alert.Note) error
}

// Poller reads what happened to our tickets since a bookmark. The empty
// bookmark means "from now on": the call returns the present position. A poll
// re-reads an overlap; News.ID makes repeats harmless.
type Poller interface {
	News(ctx context.Context, bookmark string) (news []alert.News, next string, err error)
}

// Lister pages through the tickets that carry keys of ours, for a reconcile run.
type Lister interface {
	List(ctx context.Context, page string) (tickets []alert.Ticket, next string, err error)
}
