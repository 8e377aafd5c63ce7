package forward

import (
	"strings"

	"tieline/internal/alert"
)

// afterLook reads the answer to "which tickets carry this key".
func afterLook(v Verdict, a Answer) Verdict {
	if v.Link.Stage == alert.Verify {
		return afterVerifyLook(v, a)
	}
	if len(a.Tickets) > 0 {
		// Other creates of ours may yet be carried out: look once more later.
		t := survivor(v.Link.Ticket, a.Tickets)
		v.Link.Ticket, v.Link.TicketURL = t.ID, t.URL
		v.Link.Stage, v.Settle = alert.Verify, true
		v.Result = ResultFound
		v.say("looked", "the ticket was found: the create whose answer was lost was carried out", a)
		return v
	}
	v.Result = ResultNothing
	if v.Link.Stage == alert.Uncertain {
		v.Link.Stage, v.Settle = alert.Looked, true
		v.say("looked", "no ticket was found; looking again when a late one would have come", a)
		return v
	}
	v.Looked, v.More = true, true
	return v
}

// afterVerifyLook: twins are committed, lowest open ticket first as survivor,
// before anything is done about them (rule C7).
func afterVerifyLook(v Verdict, a Answer) Verdict {
	open := openOnes(a.Tickets)
	switch {
	case len(open) > 1:
		v.take(open[0])
		v.Link.Twins = nil
		for _, t := range open[1:] {
			v.Link.Twins = append(v.Link.Twins, t.ID)
		}
		v.Link.Stage, v.Result = alert.Twins, ResultTwins
		v.say("looked", "several open tickets carry this alert's key: "+strings.Join(v.Link.Twins, ", ")+" will be merged into "+v.Link.Ticket, a)
		return v
	case len(a.Tickets) == 0 && v.Link.Ticket == "":
		v.Link.Stage, v.Settle, v.Result = alert.Looked, true, ResultNothing
		v.say("looked", "no ticket was found; looking again when a late one would have come", a)
		return v
	case len(a.Tickets) > 0:
		v.take(survivor(v.Link.Ticket, a.Tickets))
	}
	// A ticket that is known but carries another key (taken over from an earlier
	// alert) is found by its id alone: the comparison tells whether it is there.
	v.Link.Twins = nil
	v.Looked, v.More, v.Result = true, true, ResultFound
	return v
}

// take makes a ticket the link's. What another was told says nothing of it.
func (v *Verdict) take(t alert.Ticket) {
	if t.ID != v.Link.Ticket {
		v.Link.Ticket, v.Link.TicketURL, v.Link.Told = t.ID, t.URL, ""
	}
	if t.URL != "" {
		v.Link.TicketURL = t.URL
	}
}

// survivor is the lowest open ticket; where none is open, the known one, else
// the first.
func survivor(known string, all []alert.Ticket) alert.Ticket {
	if open := openOnes(all); len(open) > 0 {
		return open[0]
	}
	for _, t := range all {
		if t.ID == known {
			return t
		}
	}
	return all[0]
}

func openOnes(all []alert.Ticket) []alert.Ticket {
	var open []alert.Ticket
	for _, t := range all {
		if t.Open {
			open = append(open, t)
		}
	}
	return open
}
