package forward

import (
	"fmt"
	"strings"

	"tieline/internal/alert"
)

// After decides what an answer means for the link: what to record, or how the
// carry goes on. It is pure.
func After(s Situation, st Step, a Answer) Verdict {
	v := Verdict{Situation: s}
	v.Link.Twins = append([]string(nil), s.Link.Twins...)
	switch {
	case a.Unsent:
		v.Result = ResultUnsent
		return v
	case a.Failure != nil:
		return afterFailure(v, st, a)
	}
	switch st.Op {
	case OpLook:
		return afterLook(v, a)
	case OpCompare:
		return afterCompare(v, st, a)
	case OpAdopt:
		return afterAdopt(v, a)
	case OpCreate:
		return afterCreate(v, st, a)
	case OpUpdate:
		return afterUpdate(v, st, a)
	case OpMerge:
		return afterMerge(v, st, a)
	case OpNote:
		return afterNote(v, st, a)
	case OpWrite:
		return afterWrite(v, st, a)
	case OpWait:
		v.Result, v.Delay = ResultWaits, v.Rules.backoff(1, v.Jitter)
		v.Link.Failure = st.Reason
		return v
	case OpPark:
		return park(v, st.Reason, a)
	default:
		return afterRest(v)
	}
}

// afterCreate: a create from a stage in which another may have happened, or may
// yet, is looked at once more when that is over (rule C6).
func afterCreate(v Verdict, st Step, a Answer) Verdict {
	first := v.Link.Stage == alert.Fresh
	v.Link.Ticket, v.Link.TicketURL = a.Ticket.ID, a.Ticket.URL
	v.Heard = a.Ticket.State
	v.delivered(st, a, ResultCreated, "the ticket was created")
	if first {
		v.Link.Stage = alert.Settled
		return v
	}
	v.Link.Stage, v.Settle = alert.Verify, true
	return v
}

func afterUpdate(v Verdict, st Step, a Answer) Verdict {
	v.Link.Stage = alert.Settled
	if a.Ticket.URL != "" {
		v.Link.TicketURL = a.Ticket.URL
	}
	if v.Link.Ticket == "" {
		v.Link.Ticket = a.Ticket.ID
	}
	if st.Draft.State != "" {
		// What others did to the state is not taken from here: it would no longer be
		// news when the remote tells it.
		v.Heard = a.Ticket.State
		if v.Heard == "" {
			v.Heard = st.Draft.State
		}
	}
	v.delivered(st, a, ResultUpdated, updateText(st))
	return v
}

func updateText(st Step) string {
	switch {
	case st.Draft.State != "":
		return "the ticket was updated and its state set to " + st.Draft.State
	case st.Draft.Comment != "":
		return "the ticket was updated with a comment"
	default:
		return "the ticket was updated"
	}
}

func (v *Verdict) delivered(st Step, a Answer, r Result, text string) {
	v.Link.Delivered = st.Draft.Revision
	if st.Telling != "" {
		v.Link.Told = st.Telling
	}
	v.succeeded()
	v.Answered, v.Result = true, r
	v.say("sent", text, a)
}

func (v *Verdict) succeeded() { v.Link.Attempts, v.Link.Failure = 0, "" }

func afterNote(v Verdict, st Step, a Answer) Verdict {
	v.Link.NotesDelivered = st.Note.Seq
	v.succeeded()
	v.Result = ResultNoted
	v.say("note", fmt.Sprintf("note %d was added to the ticket", st.Note.Seq), a)
	return v
}

func afterMerge(v Verdict, st Step, a Answer) Verdict {
	v.Answered, v.Result = true, ResultMerged
	v.say("merged", fmt.Sprintf("ticket %s was merged into %s", st.Twin, st.Ticket), a)
	return v.twinEnded()
}

func (v Verdict) twinEnded() Verdict {
	v.Link.Twins = v.Link.Twins[1:]
	if len(v.Link.Twins) > 0 {
		v.More = true
		return v
	}
	v.Link.Twins, v.Link.Stage = nil, alert.Verify
	return v
}

func afterWrite(v Verdict, st Step, a Answer) Verdict {
	uncertain := v.Link.Stage == alert.Uncertain
	v.Link.Delivered, v.Link.Told = st.Update.Revision, st.Telling
	v.succeeded()
	v.Answered, v.Result = true, ResultWritten
	v.say("written back", "the source was told "+st.Update.State, a)
	v.Link.Stage = alert.Settled
	if uncertain {
		v.Link.Stage, v.Settle = alert.Verify, true
	}
	return v
}

// afterAdopt: the database made the link Settled with the earlier ticket, still
// under our claim; the update that reopens or comments it follows.
func afterAdopt(v Verdict, a Answer) Verdict {
	if !a.Adopted {
		v.Result, v.Delay = ResultWaits, v.Rules.backoff(1, v.Jitter)
		return v
	}
	p := v.Previous.Link
	v.Link.Stage, v.Link.Delivered = alert.Settled, 0
	v.Link.Ticket, v.Link.TicketURL = p.Ticket, p.TicketURL
	v.Link.Told, v.Link.Heard = p.Told, p.Heard
	v.More, v.Result = true, ResultAdopted
	v.say("ticket", "the alert fired again: it goes on with the earlier alert's ticket", a)
	return v
}

// afterRest ends a carry in which there was nothing to call.
func afterRest(v Verdict) Verdict {
	v.Result = ResultRest
	l := &v.Link
	switch {
	case l.Stage == alert.Twins:
		l.Stage = alert.Verify
	case l.Side == alert.Source && v.Back == "":
		l.Stage, l.Delivered, l.NotesDelivered = alert.Settled, l.Wanted, l.NotesWanted
	case l.Stage == alert.Verify, l.Side == alert.Source && l.Stage == alert.Looked:
		// What it shows cannot be read, and a late older write may have come: send
		// the newest again, from a stage in which a crash is noticed.
		l.Stage = alert.Settled
		v.lower()
		v.say("due", "the outcome cannot be read back; the newest revision is sent again", Answer{})
	case l.Side == alert.Source:
		l.Stage, l.Delivered, l.NotesDelivered = alert.Settled, l.Wanted, l.NotesWanted
	case !v.Rules.CanNote:
		l.NotesDelivered = l.NotesWanted
	}
	return v
}

// lower makes the link due with what it was told forgotten.
func (v *Verdict) lower() {
	v.Link.Delivered = min(v.Link.Delivered, v.Link.Wanted-1)
	v.Link.Told = ""
}

func afterCompare(v Verdict, st Step, a Answer) Verdict {
	v.Link.Stage = alert.Settled
	if a.Ticket.URL != "" {
		v.Link.TicketURL = a.Ticket.URL
	}
	if len(a.Differs) == 0 {
		return v.matches(st, a)
	}
	told := v.Link.Told
	v.lower()
	if st.Draft.State == "" {
		v.Link.Told = told
	}
	v.Result = ResultDiffers
	v.say("looked", "the ticket does not show what it was told ("+strings.Join(a.Differs, ", ")+"); it is sent again", a)
	return v
}

// matches: the ticket shows the draft. A close that is told by a comment alone
// cannot be read back: it is said again unless its answer is recorded.
func (v Verdict) matches(st Step, a Answer) Verdict {
	v.Link.Delivered, v.Result = st.Draft.Revision, ResultMatches
	if st.Draft.State != "" {
		v.Link.Told = st.Draft.State
	}
	if state, _ := v.target(); state == toldComment && v.Link.Told != toldComment {
		v.Link.Delivered = min(v.Link.Delivered, v.Link.Wanted-1)
		return v
	}
	v.succeeded()
	v.say("looked", "the ticket shows what it was told", a)
	return v
}

// say adds a line to the alert's timeline.
func (v *Verdict) say(kind, text string, a Answer) {
	v.Events = append(v.Events, Event{
		Kind: kind, Text: text, Endpoint: a.At, Took: a.Took,
		Revision: v.Link.Delivered, Ticket: v.Link.Ticket,
	})
}
