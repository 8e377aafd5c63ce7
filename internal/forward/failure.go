package forward

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// afterFailure: a permanent failure needs a person, a retry costs time, and an
// unknown outcome of a write leaves the link in a stage that finds out (rule C6).
// What concerns the remote as a whole (down, our credentials) parks no alert.
func afterFailure(v Verdict, st Step, a Answer) Verdict {
	f := a.Failure
	if errors.Is(f, remote.ErrGone) && st.Ticket != "" {
		return gone(v, st, a)
	}
	if errors.Is(f, remote.ErrMerged) && (v.Alert.Status == alert.Closed || v.Link.Delivered >= v.Link.Wanted) {
		return nothingLeft(v, f.Msg, a)
	}
	if f.Class == remote.Permanent && !f.Shared {
		v.Result = ResultPermanent
		if st.Op == OpCreate && f.Ticket != "" {
			// Refused, but made: a retry must go on with it, not make another.
			v.Link.Ticket, v.Link.Stage, v.Answered = f.Ticket, alert.Verify, true
		}
		v.tried(st, a)
		return park(v, refusal(st, f), a)
	}
	v.Result = ResultRetry
	if f.Class == remote.Unknown && st.Op.Writes() {
		v.Result = ResultUnknown
		v.doubt(st)
	}
	if !f.Shared {
		v.Link.Attempts++
	}
	v.Link.Failure = safe(f.Msg)
	v.Delay = max(v.Rules.backoff(v.Link.Attempts, v.Jitter), f.After)
	if limit := v.Rules.Attempts; limit > 0 && v.Link.Attempts >= limit && !f.Shared {
		v.tried(st, a)
		return park(v, fmt.Sprintf(gaveUpPrefix+"%d attempts: %s", v.Link.Attempts, f.Msg), a)
	}
	if v.Result == ResultUnknown {
		v.say("unknown", "the answer to "+string(st.Op)+" was lost, it may have happened or may yet: "+v.Link.Failure, a)
		return v
	}
	v.say("failed", v.Link.Failure, a)
	return v
}

// refusal is the Parked text of a permanent failure. A create that was answered
// with success and still failed has probably made a ticket that cannot be found:
// to try again by itself might double it, so that one waits for a person.
func refusal(st Step, f *remote.Failure) string {
	if st.Op == OpCreate && f.Ticket == "" && f.Status/100 == 2 {
		return f.Msg
	}
	return refusedPrefix + f.Msg
}

// doubt moves the link to the stage that finds out what a write did.
func (v *Verdict) doubt(st Step) {
	switch {
	case st.Op == OpNote:
		v.Settle = true // told again later, in order
	case st.Op == OpCreate, st.Op == OpWrite && v.Link.Stage != alert.Settled:
		v.Link.Stage = alert.Uncertain
	default:
		v.Link.Stage, v.Settle = alert.Verify, true
	}
}

// gone: the ticket does not exist any more. A twin that went needs no merging.
func gone(v Verdict, st Step, a Answer) Verdict {
	v.Result = ResultGone
	switch {
	case st.Op == OpMerge:
		v.say("merged", "ticket "+st.Twin+" does not exist any more", a)
		return v.twinEnded()
	case v.Alert.Status == alert.Closed:
		return nothingLeft(v, lost(st, a), a)
	case v.Rules.Recreate:
		v.say("gone", lost(st, a)+"; another is made", a)
		v.Link.Ticket, v.Link.TicketURL, v.Link.Told, v.Link.Delivered = "", "", "", 0
		v.Link.Stage = alert.Uncertain // a create of ours may still be under way
		return v
	default:
		return park(v, refusedPrefix+lost(st, a), a)
	}
}

// lost says what became of a ticket that is gone, by its id.
func lost(st Step, a Answer) string {
	if msg := safe(a.Failure.Msg); strings.Contains(msg, st.Ticket) {
		return msg
	}
	return "ticket " + st.Ticket + " does not exist in the remote system any more"
}

// nothingLeft brings a link to rest whose ticket can be told no more, and need not
// be: its alert is closed, or was told of in full before.
func nothingLeft(v Verdict, why string, a Answer) Verdict {
	v.Result = ResultGone
	v.Link.Stage, v.Link.NotesDelivered = alert.Settled, v.Link.NotesWanted
	v.Link.Delivered = max(v.Link.Wanted, v.Draft.Revision)
	v.succeeded()
	if v.Alert.Status == alert.Closed {
		why += "; the alert is closed"
	}
	v.say("gone", safe(why)+"; nothing remains to be told", a)
	return v
}

func park(v Verdict, reason string, a Answer) Verdict {
	if v.Result == "" || v.Result == ResultRetry || v.Result == ResultUnknown {
		v.Result = ResultParked
	}
	v.Link.Parked = safe(reason)
	v.Link.Failure = v.Link.Parked
	v.say("parked", v.Link.Parked, a)
	return v
}

// backoff is the wait after so many failed tries: exponential, between half and
// the whole of its length.
func (r Rules) backoff(attempts int, jitter float64) time.Duration {
	d := max(r.First, time.Millisecond)
	for i := 1; i < attempts && d < r.Max; i++ {
		d *= 2
	}
	d = min(d, max(r.Max, r.First, time.Millisecond))
	return d/2 + time.Duration(jitter*float64(d/2))
}

// safe makes a remote's text storable: bounded, valid UTF-8, no NUL.
func safe(text string) string { return bounded(text, 500) }
