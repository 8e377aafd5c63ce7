package forward

import (
	"context"
	"errors"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// ErrDeposed is returned by fenced statements when the lease no longer names
// the term's epoch, boot id and database identity. Nothing was changed.
var ErrDeposed = errors.New("the term is no longer the lease's")

// ErrMoved is returned by Mail.Receive when the bookmark is not where the caller
// believed. Nothing was changed; the caller reads it again.
var ErrMoved = errors.New("the bookmark has moved on")

// ClaimRequest asks for up to Limit due links of one connector, oldest due first.
type ClaimRequest struct {
	Term  ha.Term
	View  alert.TermView
	Claim alert.ClaimID // chosen by the sender (rule C2)
	Limit int           // 1 to 1000
	After time.Time     // by the database's clock: what was due by then is passed over; zero = nothing is
}

// Work is a claimed link with what it should show, read after the claim was
// confirmed, at the revision it then had.
type Work struct {
	Link     alert.Link
	Alert    alert.Alert
	Notes    []alert.Note // those after Link.NotesDelivered, in order
	Previous *Previous    // for a Fresh remote link whose alert fired before
	// Peer is the alert's Remote link of the same connector, for a Source link:
	// its Heard is the state that the source is to be told. nil = there is none.
	Peer *alert.Link
	// Age of the link, by the database's clock alone: now minus when it was made.
	// It bounds from above how long ago its first create was sent (key life).
	Age time.Duration
	// Changed is when the link was last changed, but by a claim, by the database's clock.
	Changed time.Time
}

// Previous is the counterpart of the latest earlier alert of the same source
// and key, for the life cycle table.
type Previous struct {
	Link     alert.Link
	ClosedAt time.Time     // of the earlier alert, by the database's clock
	Ago      time.Duration // database's now minus ClosedAt
}

// Links is what forwarding needs of storage for links. Statements marked
// fenced compare the lease row's epoch, boot id and identity in the same
// statement, and return ErrDeposed. Any other error means that the outcome is
// unknown.
type Links interface {
	// Claim claims due links (rule C1): fenced, one statement, the claim condition
	// of alert.Link.Claimable repeated on the very rows it updates. It returns
	// how many links it claimed.
	Claim(ctx context.Context, r ClaimRequest) (int, error)
	// Claimed re-reads which links a claim holds, after a lost answer (rule C2),
	// with their payloads. It is not fenced: an owner may always ask. It is also
	// how payloads are read after a claim.
	Claimed(ctx context.Context, connector string, claim alert.ClaimID) ([]Work, error)
	// Record records outcomes under their claims (rule C5), each as
	// alert.Link.Record does, with their events on the timeline, in one
	// transaction. It is not fenced. The answers stand in the outcomes' order.
	Record(ctx context.Context, term ha.Term, entries []Entry) ([]alert.Recorded, error)
	// Expire makes the connector's claims of earlier epochs, and those in stuck,
	// uncertain (rule C4), as alert.Link.Expire does: fenced, one statement. No
	// other claim is touched. Links are due at once; where the hold was set, after
	// it has passed.
	Expire(ctx context.Context, term ha.Term, stuck []alert.ClaimID, hold alert.Hold) (int, error)
	// OpenClaims returns the claim ids that links of the connector carry now.
	OpenClaims(ctx context.Context, connector string) ([]alert.ClaimID, error)
	// NextDue is how long until the next unclaimed link is due, by the database's
	// clock; ok is false when none is.
	NextDue(ctx context.Context, connector string) (wait time.Duration, ok bool, err error)
	// Adopt gives a Fresh claimed link the ticket of the previous alert's link
	// (life cycle "reopen" and "comment"): in one transaction the previous link
	// becomes Skipped with the reason and this one Settled with the ticket
	// (Ticket, TicketURL, Told and Heard of the previous link, Delivered 0),
	// still claimed. ok is false when either changed meanwhile: the link must be
	// Fresh under this claim, and the previous one must yield (alert.Link.Yields).
	Adopt(ctx context.Context, claim alert.ClaimID, link, previous alert.LinkID, reason string) (ok bool, err error)
}

// Entry is one outcome with what the timeline should say about it.
type Entry struct {
	Outcome alert.Outcome
	Events  []Event
}

// Event is one line of an alert's timeline.
type Event struct {
	Kind     string // "sent", "failed", "parked", "tried", "looked", "ticket", "merged", "news", "skipped", ...
	Text     string // safe for people
	Endpoint string
	Took     time.Duration
	Revision int64
	Ticket   string
}

// Mail is what forwarding needs of storage for the way back.
type Mail interface {
	// Bookmark returns a named bookmark's value; "" when it was never set.
	Bookmark(ctx context.Context, connector, name string) (string, error)
	// Receive stores news and moves the bookmark from old to next by
	// compare-and-swap, in one fenced transaction. News already stored is dropped
	// by its id. The fresh ones are heard in their order, so that one that assigns
	// a ticket makes it known to those after it; News.Unheard is set of each whose
	// link is not known. For each fresh one whose link is known, the link hears it
	// (alert.Link.Hear), the timeline tells it, and where backState maps the state
	// to a word for the source, the alert's Source link is told to want it. News
	// that names a ticket other than the link's is a twin's and is dropped (rule
	// C7), unless it assigns the ticket. A bookmark that is no longer old stores
	// nothing and returns ErrMoved.
	Receive(ctx context.Context, term ha.Term, name, old, next string, news []alert.News, backState func(remoteState string) (sourceState string, ok bool)) error
}

// Absences is what the comparison with a source's list needs of storage.
type Absences interface {
	// OpenAlerts returns the open alerts of a source: key, id and seen count.
	OpenAlerts(ctx context.Context, source string) ([]OpenAlert, error)
	// CloseAbsent closes alerts whose seen count is still the given one: fenced.
	// It returns how many it closed.
	CloseAbsent(ctx context.Context, term ha.Term, source string, gone []OpenAlert, reason string) (int, error)
}

// OpenAlert is an open alert as the comparison sees it.
type OpenAlert struct {
	ID   alert.ID
	Key  string
	Seen int64
}

// Books is what a reconcile run needs of storage.
type Books interface {
	// Now is the database's time, compared with the database's own stamps only.
	Now(ctx context.Context) (time.Time, error)
	// Standing pages through the connector's Remote links that are Settled,
	// unclaimed, not parked and not skipped, in the order of their alerts' ids,
	// from the first one after the given id (zero = from the start), at most limit.
	Standing(ctx context.Context, connector string, after alert.ID, limit int) ([]Standing, error)
	// Doubtful makes the Remote links of the alerts verify, as alert.Link.Suspect
	// does: fenced; those that are claimed, not Settled, parked or skipped by now,
	// or changed at or after since (the database's time), are left alone. It
	// returns how many it marked.
	Doubtful(ctx context.Context, term ha.Term, alerts []alert.ID, since time.Time) (int, error)
	// Linked returns which of the alerts have a Remote link of the connector.
	Linked(ctx context.Context, connector string, alerts []alert.ID) (map[alert.ID]bool, error)
}

// Standing is a link at rest, as a reconcile run sees it.
type Standing struct {
	Alert  alert.ID
	Status alert.Status
	Ticket string
	Heard  string
	Due    bool // it is going to be worked anyway
}

// Desk is what forwarding needs of storage for parked links.
type Desk interface {
	// Unpark makes links of the connector whose Parked text begins with the prefix
	// due again, with no attempts: fenced. It returns how many.
	Unpark(ctx context.Context, term ha.Term, prefix string) (int, error)
}
