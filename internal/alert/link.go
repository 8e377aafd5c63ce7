package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Side says which counterpart a link keeps up to date.
type Side string

// The two directions of the connector.
const (
	Remote Side = "remote" // the alert's ticket in the remote system
	Source Side = "source" // the alert's own record at its source: the way back
)

// LinkID names a link.
type LinkID struct {
	Connector string
	Alert     ID
	Side      Side
}

// Stage is what is known about a link's counterpart.
type Stage string

// The stages; doc.go draws how they follow each other.
const (
	Fresh     Stage = "fresh"     // nothing was ever sent: create
	Uncertain Stage = "uncertain" // a create may have happened, or may yet: look
	Looked    Stage = "looked"    // one look found nothing: settle, look again, create
	Verify    Stage = "verify"    // a ticket is there; look for twins and for an older write
	Twins     Stage = "twins"     // survivor and twins are committed: merge them
	Settled   Stage = "settled"   // one ticket, showing what was last told
)

// ClaimID names the right to send one batch of links' changes. The sender
// chooses it, so that a lost answer can be re-read instead of guessed. The zero
// ClaimID is none.
type ClaimID = uuid.UUID

// Claim is the right to send a link's change, committed before the send.
type Claim struct {
	ID    ClaimID
	Epoch int64
}

// Hold keeps a link from being claimed while an unanswered write may still be
// carried out. It is measured on the clock of the term that set it: Until is
// that term's age. Another term knows only that a hold exists and waits a full
// window and settle time of its own (see Link.Claimable).
type Hold struct {
	Epoch int64         // 0 = no hold
	Until time.Duration // age of the term at which it ends
}

// Progress is what the owner of a claim knows and records.
type Progress struct {
	Stage          Stage
	Ticket         string // ticket id; the survivor's when there are Twins
	TicketURL      string
	Twins          []string // other tickets with our key, to be merged into Ticket
	Told           string   // the remote state we last set
	Delivered      int64    // revision the ticket was last told
	NotesDelivered int64    // sequence of the last note told
	Attempts       int      // failed tries since the last success
	Failure        string   // safe text of the last failure; "" after success
	Parked         string   // why a person is needed; "" = not parked
	Skipped        string   // why nothing is to be sent, for good; "" = not skipped
}

// Link ties an alert to a counterpart for one connector.
type Link struct {
	LinkID
	Progress
	Wanted      int64  // revision the counterpart should show
	NotesWanted int64  // sequence of the last note to tell
	Heard       string // the counterpart's state as last told by it, its own word
	Claim       Claim
	Hold        Hold
	Evidence    string // ticket id (or "?") that a replaced claim's owner reported; "" = none
}

// NewLink returns the link of an alert that should be told a revision.
func NewLink(id LinkID, wanted int64) Link {
	return Link{LinkID: id, Progress: Progress{Stage: Fresh}, Wanted: wanted}
}

// Tag names the link as it is: once anything about it is another, so is its tag.
func (l Link) Tag() string {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // of texts, numbers and ids
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Back returns a new link for the way back of a Remote link's alert. It takes
// over the Remote link's hold: a database that lost its last commits may have
// lost a link like it together with a claim, under which a send may yet start, or
// with what its source was told: the outcome is uncertain then.
func (l Link) Back() Link {
	id := l.LinkID
	id.Side = Source
	back := NewLink(id, 0)
	if l.Hold != (Hold{}) {
		back.Stage, back.Hold = Uncertain, l.Hold
	}
	return back
}

// Due reports whether something remains to be done, claimed or not.
func (l Link) Due() bool {
	if l.Parked != "" || l.Skipped != "" {
		return false
	}
	return l.Stage != Settled || l.Delivered < l.Wanted || l.NotesDelivered < l.NotesWanted
}

// Finished reports whether nothing is left to be done or found out about the
// link's counterpart: whoever forgets the link then breaks no rule. It is at rest
// with no claim, hold or evidence, or was skipped where nothing is in doubt.
func (l Link) Finished() bool {
	if l.Claim.ID != uuid.Nil || l.Hold.Epoch != 0 || l.Evidence != "" || l.Parked != "" {
		return false
	}
	if l.Skipped != "" {
		return l.Stage == Fresh || l.Stage == Settled
	}
	return !l.Due()
}

// TermView is what a term knows when it claims; all of it is of its own clock.
type TermView struct {
	Epoch int64
	Age   time.Duration // since the take-over was answered
	// Swept is set once claims of other terms were made uncertain and a full
	// settle time has passed since: holds of other terms have then ended too.
	Swept bool
}

// Claimable reports whether the term may claim the link. The condition is also
// part of the statement that claims (rule C1), on the very row it updates.
func (l Link) Claimable(v TermView) bool {
	if !l.Due() || l.Claim.ID != uuid.Nil {
		return false
	}
	switch l.Hold.Epoch {
	case 0:
		return true
	case v.Epoch:
		return v.Age >= l.Hold.Until
	default:
		return v.Swept
	}
}

// WithClaim returns the link claimed. It must be Claimable.
func (l Link) WithClaim(c Claim) Link {
	l.Claim = c
	return l
}

// Expire returns the link after its claim was found to belong to nobody: the
// owner died or lost its window, and what it sent may have happened. The hold
// is set by the term that expires it, until its age plus the settle time.
func (l Link) Expire(hold Hold) Link {
	l.Claim = Claim{}
	switch l.Stage {
	case Fresh, Looked:
		l.Stage = Uncertain
	case Settled:
		l.Stage = Verify
		l.Hold = hold
	}
	return l.heed()
}

// Doubt returns the link after the database's history changed (failover to a
// replica that lacks commits, restore): what we believe told may be news to the
// remote, and what we believe untold may have been told. Skipped links stay. The
// hold is of the lease's new epoch, which no term has, until its age 0: it ends
// for each later term once that has swept.
func (l Link) Doubt(hold Hold) Link {
	if l.Skipped != "" {
		return l
	}
	switch l.Stage {
	case Fresh, Looked, Uncertain:
		l.Stage = Uncertain
	default:
		l.Stage = Verify
	}
	l.Hold = hold
	return l
}

// Suspect returns the link after a comparison of both sides raised a doubt about
// its ticket, and whether that changed it: a link at rest is verified, any
// other looks anyway.
func (l Link) Suspect() (Link, bool) {
	if l.Claim.ID != uuid.Nil || l.Stage != Settled || l.Parked != "" || l.Skipped != "" {
		return l, false
	}
	l.Stage = Verify
	return l, true
}

// Yields reports whether the link's ticket may go on as that of the alert's next
// occurrence: it is known and at rest but for what its alert was yet to tell it,
// which the next occurrence takes the place of. Notes are told first.
func (l Link) Yields() bool {
	return l.Claim.ID == uuid.Nil && l.Stage == Settled && l.Ticket != "" &&
		l.NotesDelivered >= l.NotesWanted && l.Parked == "" && l.Skipped == ""
}

// Want returns the link with a newer wanted revision; an older one changes nothing.
func (l Link) Want(revision int64) Link {
	l.Wanted = max(l.Wanted, revision)
	return l
}

// Revise returns a Source link that is to be brought up to date once more: its
// ticket's state changed, or its alert closed, which ends whatever the source
// was asked to show about the alert.
func (l Link) Revise() Link { return l.Want(l.Wanted + 1) }

// Outcome is what the owner of a claim records when it is done with a link.
type Outcome struct {
	LinkID
	Claim ClaimID
	Progress
	Heard string // the counterpart's state as read; "" = not read
	Hold  Hold   // zero = none
	// Answered is set when a write was answered: should the claim have been
	// replaced meanwhile, the answer is evidence of what the remote now has.
	Answered bool
	// Delay before the next try (back-off, or the remote's Retry-After). It is
	// measured by the database's clock and decides liveness only, never safety.
	Delay time.Duration
}

// Recorded says what became of an Outcome.
type Recorded string

// What Record can do.
const (
	Mine    Recorded = "mine"     // the claim was ours: the progress is recorded
	Evident Recorded = "evidence" // it was replaced: kept as evidence, the link will be verified
	Dropped Recorded = "dropped"  // it was replaced and nothing was written: no trace needed
)

// Record returns the link after an outcome (rule C5). An owner may record under
// its claim whoever is Active by then; an outcome whose claim was replaced is
// evidence, and makes a settled link verify. What was put in doubt while it was
// claimed (rule L8) stays in doubt: the claim may have been replaced in the
// history that was lost, and its successor's window be open yet.
func (l Link) Record(o Outcome) (Link, Recorded) {
	if l.Claim.ID != o.Claim {
		if !o.Answered {
			return l, Dropped
		}
		l.Evidence = evidenceOf(o)
		if l.Claim.ID == uuid.Nil {
			l = l.heed()
		}
		return l, Evident
	}
	ticket, doubt := l.Ticket, Hold{}
	if l.Hold.Epoch > l.Claim.Epoch && l.Hold.Until == 0 {
		doubt = l.Hold // the history changed while the claim stood; see Doubt
	}
	l.Progress = o.Progress
	if l.Ticket == "" {
		l.Ticket = ticket // assigned by the remote while we were sending
	}
	// What was heard of a ticket while its create was being recorded is newer than
	// the create's answer.
	if o.Heard != "" && (ticket != "" || l.Heard == "") {
		l.Heard = o.Heard
	}
	l.Claim, l.Hold = Claim{}, o.Hold
	l = l.heed()
	if doubt != (Hold{}) {
		l = l.Doubt(doubt)
	}
	return l, Mine
}

// heed acts on evidence once the link is unclaimed: a link believed settled is
// verified, any other stage looks anyway. A link with no ticket keeps the ticket
// id, for remotes that cannot be looked up.
func (l Link) heed() Link {
	if l.Evidence == "" {
		return l
	}
	if l.Ticket == "" && l.Evidence != unknownTicket {
		l.Ticket = l.Evidence
	}
	if l.Stage == Settled {
		l.Stage = Verify
		l.Hold = Hold{}
	}
	l.Evidence = ""
	return l
}

const unknownTicket = "?"

func evidenceOf(o Outcome) string {
	if o.Ticket == "" {
		return unknownTicket
	}
	return o.Ticket
}

// Hear returns the link after news from its counterpart, and whether the news
// told something new: a state that both sides already agree on is no news, so
// that no change ever echoes.
func (l Link) Hear(n News) (Link, bool) {
	fresh := false
	if n.Assign != "" && n.Assign != l.Ticket {
		l.Ticket, fresh = n.Assign, true
	}
	if n.State != "" && n.State != l.Heard {
		l.Heard, fresh = n.State, true
	}
	return l, fresh
}
