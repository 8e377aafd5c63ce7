package forward

import (
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
	"tieline/internal/source"
)

// Situation is everything that decides what to do next about a claimed link.
// Its link is at first what the claim found, then what the answers made of it.
type Situation struct {
	Work
	Draft  alert.Draft // what the ticket should show; not used for a Source link
	Back   string      // what the source should show, for a Source link; "" = it is not told
	Refire Refire      // what a Fresh link's alert does with the earlier ticket
	Rules  Rules
	Looked bool    // a look of this carry left nothing to clear up before going on
	Jitter float64 // in [0, 1), spreads the back-off
}

// Rules are what the remote offers and the document asks for.
type Rules struct {
	Guarantee   remote.Guarantee
	KeyLife     time.Duration // 0 = for ever
	CanLook     bool
	CanCompare  bool
	CanMerge    bool
	CanNote     bool
	CloseAction string        // "resolve", "comment" or "leave"
	Recreate    bool          // a gone ticket of an open alert is made anew; else the link is parked
	Attempts    int           // before a link is parked; 0 = never
	First, Max  time.Duration // back-off
}

// Refire is what the life cycle table decided about an alert that fired again.
type Refire string

// The decisions. RefireWait: the earlier ticket is still being worked on.
const (
	RefireNew     Refire = ""
	RefireReopen  Refire = "reopen"
	RefireComment Refire = "comment"
	RefireLinked  Refire = "linked"
	RefireWait    Refire = "wait"
)

// Op is one operation of a carry.
type Op string

// The operations. Those that Writes reports change the remote system or the
// source; there is at most one of them under one claim, merges excepted, which
// may be repeated harmlessly.
const (
	OpRest    Op = "rest"    // nothing to be called; After says what is recorded
	OpWait    Op = "wait"    // something else must come to rest first
	OpPark    Op = "park"    // a person is needed
	OpLook    Op = "look"    // find the tickets of the key
	OpCompare Op = "compare" // read the ticket back
	OpAdopt   Op = "adopt"   // take the earlier alert's ticket over, in the database
	OpCreate  Op = "create"
	OpUpdate  Op = "update"
	OpMerge   Op = "merge"
	OpNote    Op = "note"
	OpWrite   Op = "write" // tell the source
)

// Writes reports whether the operation may leave only within the send window
// and may have happened when its answer is lost.
func (o Op) Writes() bool {
	switch o {
	case OpCreate, OpUpdate, OpMerge, OpNote, OpWrite:
		return true
	}
	return false
}

// Step is the next operation with what it needs.
type Step struct {
	Op      Op
	Draft   alert.Draft   // OpCreate, OpUpdate, OpCompare
	Ticket  string        // OpUpdate, OpCompare, OpNote; the survivor of OpMerge
	Twin    string        // OpMerge
	Note    alert.Note    // OpNote
	Update  source.Update // OpWrite
	Telling string        // what Told becomes when the step succeeds; "" = unchanged
	Reason  string        // OpPark, OpAdopt, OpWait
}

// Answer is what became of a step.
type Answer struct {
	Unsent  bool            // it did not leave: window closed, term over, breaker open
	Failure *remote.Failure // nil = success
	Tickets []alert.Ticket  // OpLook, in creation order
	Ticket  alert.Ticket    // OpCreate, OpUpdate, OpCompare
	Differs []string        // OpCompare
	Adopted bool            // OpAdopt
	Took    time.Duration
	At      string // endpoint, for the timeline; may be empty
}

// Verdict is what an answer means.
type Verdict struct {
	Situation
	More     bool          // the carry goes on under the same claim with Next
	Settle   bool          // hold the link for the settle time
	Delay    time.Duration // before the next try
	Heard    string        // the ticket's state, where we set it; "" = as it was
	Answered bool          // a write of the ticket was answered
	Result   Result
	Events   []Event
}

// Result names a verdict for metrics; the values are bounded.
type Result string

// The results.
const (
	ResultCreated   Result = "created"
	ResultUpdated   Result = "updated"
	ResultNoted     Result = "noted"
	ResultMerged    Result = "merged"
	ResultWritten   Result = "written back"
	ResultFound     Result = "found"
	ResultNothing   Result = "nothing found"
	ResultTwins     Result = "twins"
	ResultMatches   Result = "matches"
	ResultDiffers   Result = "differs"
	ResultAdopted   Result = "adopted"
	ResultGone      Result = "gone"
	ResultRest      Result = "rest"
	ResultWaits     Result = "waits"
	ResultUnsent    Result = "unsent"
	ResultRetry     Result = "retry"
	ResultUnknown   Result = "unknown"
	ResultPermanent Result = "permanent"
	ResultParked    Result = "parked"
)

// Outcome is what is recorded for a verdict that ends a carry. The hold is that
// of the term at this moment, used where the verdict asks the link to settle;
// settle is its length, so that a held link is not looked at before.
func (v Verdict) Outcome(hold alert.Hold, settle time.Duration) alert.Outcome {
	o := alert.Outcome{
		LinkID: v.Link.LinkID, Claim: v.Link.Claim.ID, Progress: v.Link.Progress,
		Heard: v.Heard, Answered: v.Answered, Delay: v.Delay,
	}
	if v.Settle {
		o.Hold, o.Delay = hold, max(o.Delay, settle)
	}
	return o
}

// RefireFor consults the life cycle table for a Fresh link whose alert fired
// before. A ticket whose closing is still to be told goes on as the open one it
// is, where the table says so; else its closing is waited for.
func RefireFor(p *Previous, m Mapping) Refire {
	if p == nil || p.Link.Ticket == "" || p.Link.Skipped != "" || !usesTickets(m) {
		return RefireNew
	}
	l := p.Link
	if l.Parked == "" && !l.Yields() && l.Due() {
		return RefireWait
	}
	state := l.Heard
	if state == "" {
		state = l.Told
	}
	rule := m.Refire(m.StateClass(state))
	action := Refire(rule.Action)
	switch {
	case action != RefireReopen && action != RefireComment:
		if l.Parked == "" && l.Due() {
			return RefireWait
		}
		if action != RefireLinked {
			return RefireNew
		}
		return RefireLinked
	case rule.Within > 0 && p.Ago > time.Duration(rule.Within), l.Parked != "":
		return RefireLinked
	case l.Claim.ID != (alert.ClaimID{}):
		return RefireWait
	}
	return action
}

// usesTickets reports whether the table has any use for an earlier ticket.
func usesTickets(m Mapping) bool {
	for _, class := range []string{"open", "resolved", "closed", "cancelled", "merged"} {
		switch Refire(m.Refire(class).Action) {
		case RefireReopen, RefireComment, RefireLinked:
			return true
		}
	}
	return false
}
