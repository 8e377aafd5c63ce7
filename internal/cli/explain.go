package cli

import (
	"fmt"
	"slices"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/store"
)

// circumstances are what the answer to "why has this alert no ticket?" depends on.
type circumstances struct {
	alert   alert.Alert
	group   ha.Group
	dead    map[string]bool // servers known dead
	backlog map[string]store.Backlog
	now     time.Time // by the database's clock
}

// explainLink says in plain words what has become of an alert for a connector
// that forwards it, and what happens next or should be done.
func explainLink(l store.LinkDetail, c circumstances) string {
	switch {
	case l.Parked != "":
		return explainParked(l)
	case l.Skipped != "":
		return fmt.Sprintf("It is not sent, for good: %s.", sentence(l.Skipped))
	case !l.Due():
		return explainSettled(l)
	}
	return explainStage(l) + " " + explainWait(l, c)
}

// explainParked says when a parked link is tried again, by itself or not.
func explainParked(l store.LinkDetail) string {
	retry := "tieline alert retry " + l.Alert.String()
	switch forward.CauseOf(l.Parked) {
	case forward.CauseRemote:
		return fmt.Sprintf("It is parked: %s. It is tried again by itself after another write there has succeeded, and within %s in any case; at once: %s",
			sentence(l.Parked), ago(forward.ComebackMost), retry)
	case forward.CauseDocument:
		return fmt.Sprintf("It is parked: %s. It is tried again by itself with the next version of the document of %s; when the cause is mended elsewhere: %s",
			sentence(l.Parked), l.Connector, retry)
	default:
		return fmt.Sprintf("It is parked and waits for a person: %s. When the cause is mended: %s", sentence(l.Parked), retry)
	}
}

func explainSettled(l store.LinkDetail) string {
	when := ""
	if !l.DeliveredAt.IsZero() {
		when = ", since " + stamp(l.DeliveredAt)
	}
	switch {
	case l.Side == alert.Source:
		return fmt.Sprintf("The source shows the ticket's state%s.", when)
	case l.Ticket == "":
		return fmt.Sprintf("The remote system has revision %d%s; it has not told a ticket id yet.", l.Delivered, when)
	default:
		return fmt.Sprintf("Ticket %s shows revision %d, the newest%s.", l.Ticket, l.Delivered, when)
	}
}

// explainStage says what is known about the ticket while something remains to be done.
func explainStage(l store.LinkDetail) string {
	switch l.Stage {
	case alert.Fresh:
		return "Nothing was sent yet."
	case alert.Uncertain:
		return "A create was sent and not answered, so there may be a ticket: it is looked for before another is made."
	case alert.Looked:
		return "A create was sent and not answered; one look found no ticket. After the settle time a second look decides."
	case alert.Verify:
		return fmt.Sprintf("Ticket %s is there; an earlier write may have come late, so it is read again.", orDash(l.Ticket))
	case alert.Twins:
		return fmt.Sprintf("More than one ticket was found; they are being merged into %s.", l.Ticket)
	default:
		return fmt.Sprintf("Ticket %s shows revision %d of %d.", orDash(l.Ticket), l.Delivered, l.Wanted)
	}
}

// explainWait says what is waited for.
func explainWait(l store.LinkDetail, c circumstances) string {
	switch {
	case l.Claim == (alert.Claim{}):
	case l.ClaimedBy != "":
		return fmt.Sprintf("%s is working on it now (claimed in epoch %d).", l.ClaimedBy, l.Claim.Epoch)
	default:
		return fmt.Sprintf("It is under a claim of epoch %d, whose server is Active no more; after the send window the Active looks what became of it.", l.Claim.Epoch)
	}
	if l.Attempts > 0 && l.DueAt.After(c.now) {
		return fmt.Sprintf("%d tries failed; the next is in %s. The last failure: %s.", l.Attempts, ago(l.DueAt.Sub(c.now)), sentence(l.Failure))
	}
	active := ""
	for _, m := range c.group.Order(l.Connector) {
		if ha.StateOf(c.group, l.Connector, m.Server, c.dead) == ha.Active {
			active = m.Server
		}
	}
	switch {
	case active == "":
		return fmt.Sprintf("No server is Active for %s: see \"tieline status %s\".", l.Connector, l.Connector)
	case c.dead[active]:
		return fmt.Sprintf("The process of %s, the last Active of %s, is gone and no other server runs.", active, l.Connector)
	case l.DueAt.After(c.now):
		return fmt.Sprintf("It is held back for another %s.", ago(l.DueAt.Sub(c.now)))
	}
	text := fmt.Sprintf("It is due, and %s will send it in turn", active)
	if b := c.backlog[l.Connector]; b.Due > 1 {
		text += fmt.Sprintf("; %d links of %s are due, the oldest for %s", b.Due, l.Connector, ago(b.OldestDue))
	}
	if l.Failure != "" {
		text += fmt.Sprintf(". The last failure: %s", sentence(l.Failure))
	}
	return text + "."
}

// explainAbsent says why a connector does not forward an alert at all.
func explainAbsent(a alert.Alert, k *connector.Compiled) string {
	doc := k.Document()
	if !slices.ContainsFunc(doc.Sources, func(s connector.Source) bool { return s.Name == a.Source }) {
		return fmt.Sprintf("It does not take alerts from source %s.", a.Source)
	}
	matches, problem := k.Matches(&a)
	switch {
	case problem != "":
		return fmt.Sprintf("Its subscription cannot be evaluated for this alert, so it does not match: %s", problem)
	case !matches:
		return fmt.Sprintf("Its subscription does not match: %s", doc.Subscription)
	case a.Status == alert.Closed:
		return "Its subscription matches now, but the alert closed before; closed alerts are not taken in afterwards."
	default:
		return "Its subscription matches; the Active takes the alert in at its next sweep."
	}
}

// sentence drops a final stop, so that one can be put.
func sentence(s string) string {
	for len(s) > 0 && (s[len(s)-1] == '.' || s[len(s)-1] == '\n') {
		s = s[:len(s)-1]
	}
	return s
}

// databaseNow is the database's clock as a reading of the group shows it.
func databaseNow(g ha.Group) time.Time {
	var now time.Time
	for _, s := range g.Servers {
		if at := s.HeartbeatAt.Add(s.Silence); at.After(now) {
			now = at
		}
	}
	if now.IsZero() {
		return time.Now()
	}
	return now
}
