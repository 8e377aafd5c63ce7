package alerts

import (
	"fmt"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/store"
)

// Standing is where a link stands, in one word.
type Standing string

// The standings.
const (
	Done    Standing = "delivered" // the other side shows the newest revision
	Working Standing = "sending"   // claimed
	Due     Standing = "due"       // will be sent in turn
	Waiting Standing = "waiting"   // for the next try, or held back
	Stuck   Standing = "stuck"     // due, and no server is Active
	Parked  Standing = "parked"    // needs a person, or is tried again by itself much later
	Skipped Standing = "skipped"   // for good
)

// Answer says what has become of an alert for one connector.
type Answer struct {
	Standing Standing
	Text     string    // whole sentences: what is, what it means, what happens next
	Then     string    // what of it a headline leaves out, in whole sentences; may be empty
	Retry    string    // how the text goes on before what retries it; "" = nothing is to be retried
	Next     time.Time // of the next try, by the database's clock; zero = none is set
}

// circumstances are what the answer to "why has this alert no ticket?" depends on.
type circumstances struct {
	alert   alert.Alert
	group   ha.Group
	dead    map[string]bool // servers known dead
	backlog map[string]store.Backlog
	now     time.Time // by the database's clock

	document    *connector.Compiled // of the link's connector; nil = this program cannot read it
	ticketState string              // as last heard of the alert's ticket for it
}

// explainLink says in plain words what has become of an alert for a connector
// that forwards it, and what happens next or should be done.
func explainLink(l store.LinkDetail, c circumstances) Answer {
	switch {
	case l.Parked != "":
		return explainParked(l)
	case l.Skipped != "":
		return Answer{Standing: Skipped, Text: fmt.Sprintf("It is not sent, for good: %s.", sentence(l.Skipped))}
	case !l.Due():
		return Answer{Standing: Done, Text: explainSettled(l, c), Then: explainSettled(l, c)}
	}
	a := explainWait(l, c)
	a.Then = strings.TrimSpace(explainStage(l) + " " + a.Then)
	a.Text = explainStage(l) + " " + a.Text
	return a
}

// headline is the answer in one line: what is, and why.
func headline(l store.LinkDetail, a Answer, c circumstances) string {
	lead := "No ticket yet: "
	switch {
	case l.Side == alert.Source && a.Standing == Done && l.Told == "":
		return "The source was told nothing of the ticket."
	case l.Side == alert.Source && a.Standing == Done:
		return fmt.Sprintf("The source was told %q.", l.Told)
	case l.Side == alert.Source:
		lead = "The source is not told yet: "
	case a.Standing == Done && l.Ticket == "":
		return "Sent; the remote system has not told a ticket id yet."
	case a.Standing == Done && c.away(l):
		return fmt.Sprintf("Ticket %s is %s.", l.Ticket, l.Heard)
	case a.Standing == Done:
		return fmt.Sprintf("Ticket %s shows what the alert says.", l.Ticket)
	case a.Standing == Skipped && l.Ticket == "":
		lead = "No ticket: "
	case a.Standing == Skipped:
		lead = fmt.Sprintf("Ticket %s is left as it is: ", l.Ticket)
	case l.Ticket != "":
		lead = fmt.Sprintf("Ticket %s is behind: ", l.Ticket)
	}
	return lead + reason(l, a, c) + "."
}

// reason says in a few words why a link stands where it stands.
func reason(l store.LinkDetail, a Answer, c circumstances) string {
	switch a.Standing {
	case Parked:
		return Brief(l.Parked)
	case Skipped:
		return Brief(l.Skipped)
	case Working:
		if l.ClaimedBy == "" {
			return "a server that is Active no more had it in hand"
		}
		return l.ClaimedBy + " is sending it now"
	case Stuck:
		return "no server is Active for " + l.Connector
	case Due:
		if c.remark(l.Connector) != "" {
			return "calls to the remote system fail; " + c.active(l.Connector) + " will send it once they succeed"
		}
		return c.active(l.Connector) + " will send it in turn"
	}
	if l.Failure != "" {
		return Brief(l.Failure)
	}
	return "it is held back on purpose"
}

// explainParked says when a parked link is tried again, by itself or not.
func explainParked(l store.LinkDetail) Answer {
	a := Answer{Standing: Parked}
	switch forward.CauseOf(l.Parked) {
	case forward.CauseRemote:
		then := "It is tried again by itself after another write there has succeeded, and within " + ago(forward.ComebackMost) + " in any case"
		a.Text, a.Then = fmt.Sprintf("It is parked: %s. %s", sentence(l.Parked), then), then+"."
		a.Retry = "; at once: "
	case forward.CauseDocument:
		then := "It is tried again by itself with the next version of the document of " + l.Connector
		a.Text, a.Then = fmt.Sprintf("It is parked: %s. %s", sentence(l.Parked), then), then+"."
		a.Retry = "; when the cause is mended elsewhere: "
	default:
		a.Text = fmt.Sprintf("It is parked and waits for a person: %s", sentence(l.Parked))
		a.Then, a.Retry = "It waits for a person.", ". When the cause is mended: "
	}
	return a
}

func explainSettled(l store.LinkDetail, c circumstances) string {
	when := ""
	if !l.DeliveredAt.IsZero() {
		when = ", since " + stamp(l.DeliveredAt)
	}
	switch {
	case l.Side == alert.Source && l.Told == "":
		return "The source was told nothing of the ticket: " + silence(l, c) + "."
	case l.Side == alert.Source:
		return fmt.Sprintf("The source was told %q, after the ticket's state%s.", l.Told, when)
	case l.Ticket == "":
		return fmt.Sprintf("The remote system has revision %d%s; it has not told a ticket id yet.", l.Delivered, when)
	case c.away(l):
		return fmt.Sprintf("Ticket %s is %s, as the remote system told; nothing remains to be told to it.", l.Ticket, l.Heard)
	default:
		return fmt.Sprintf("Ticket %s shows revision %d, the newest%s.", l.Ticket, l.Delivered, when)
	}
}

// away reports whether a link's ticket was merged into another or deleted, as
// last heard: what its alert says is not to be seen there.
func (c circumstances) away(l store.LinkDetail) bool {
	if c.document == nil || l.Heard == "" {
		return false
	}
	class := c.document.StateClass(l.Heard)
	return class == connector.ClassMerged || class == connector.ClassDeleted
}

// silence says why the source of an alert was told nothing of its ticket.
func silence(l store.LinkDetail, c circumstances) string {
	k := c.document
	if k == nil {
		return "the document of " + l.Connector + " cannot be read by this program"
	}
	src, listed := k.Source(c.alert.Source)
	_, mapped := k.BackState(c.ticketState)
	switch {
	case !listed:
		return fmt.Sprintf("connector %s no longer has source %s", l.Connector, c.alert.Source)
	case lacks(src) != "":
		return fmt.Sprintf("source %s takes nothing back, as its document has no %s", src.Name, lacks(src))
	case c.ticketState == "":
		return "nothing was heard of the ticket's state yet"
	case !mapped:
		return fmt.Sprintf("states.back maps the ticket's state %q to nothing", c.ticketState)
	default:
		return "there was nothing to tell"
	}
}

// lacks is the setting without which a source takes nothing back; "" = it does.
func lacks(s connector.Source) string {
	switch {
	case s.Kind == "generic" && s.Settings["callback"] == "":
		return "settings.callback"
	case s.Kind != "generic" && s.URL == "":
		return "url"
	}
	return ""
}

// explainStage says what is known about the ticket while something remains to be done.
func explainStage(l store.LinkDetail) string {
	if l.Side == alert.Source {
		return explainBack(l)
	}
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

// explainBack is explainStage for the way back.
func explainBack(l store.LinkDetail) string {
	switch {
	case l.Stage != alert.Fresh && l.Stage != alert.Settled:
		return "What the source was told last was not answered: it is told again."
	case l.Told == "":
		return "The source was not told of the ticket yet."
	default:
		return fmt.Sprintf("The source was told %q last.", l.Told)
	}
}

// explainWait says what is waited for.
func explainWait(l store.LinkDetail, c circumstances) Answer {
	switch {
	case l.Claim == (alert.Claim{}):
	case l.ClaimedBy != "":
		return Answer{Standing: Working, Text: fmt.Sprintf("%s is working on it now (claimed in epoch %d).", l.ClaimedBy, l.Claim.Epoch)}
	default:
		return Answer{Standing: Working, Text: fmt.Sprintf(
			"It is under a claim of epoch %d, whose server is Active no more; after the send window the Active looks what became of it.", l.Claim.Epoch)}
	}
	if l.Attempts > 0 && l.DueAt.After(c.now) {
		return Answer{Standing: Waiting, Next: l.DueAt, Then: tries(l.Attempts) + " failed.", Text: fmt.Sprintf("%s failed; the next is in %s. The last failure: %s.",
			tries(l.Attempts), ago(l.DueAt.Sub(c.now)), sentence(l.Failure)) + explainRemote(l.Connector, c)}
	}
	active := c.active(l.Connector)
	switch {
	case active == "":
		return Answer{Standing: Stuck, Text: fmt.Sprintf("No server is Active for %s: see \"tieline status %s\".", l.Connector, l.Connector)}
	case c.dead[active]:
		return Answer{Standing: Stuck, Text: fmt.Sprintf("The process of %s, the last Active of %s, is gone and no other server runs.", active, l.Connector)}
	case l.DueAt.After(c.now):
		return Answer{Standing: Waiting, Next: l.DueAt, Text: explainHeld(l, c)}
	}
	turn := explainTurn(l, c, active)
	return Answer{Standing: Due, Text: turn, Then: turn}
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// explainHeld says until when a link is held back, and why where a failure is the
// reason: one that speaks of the remote as a whole counts as no try of the link.
func explainHeld(l store.LinkDetail, c circumstances) string {
	wait := max(l.DueAt.Sub(c.now), time.Second)
	if l.Failure == "" {
		return fmt.Sprintf("It is held back for another %s.", ago(wait))
	}
	return fmt.Sprintf("It is tried again in %s. The last failure: %s.", ago(wait), sentence(l.Failure)) + explainRemote(l.Connector, c)
}

// explainTurn says when a link that only waits for its turn is sent.
func explainTurn(l store.LinkDetail, c circumstances, active string) string {
	when := "in turn"
	if c.remark(l.Connector) != "" {
		when = "in turn once calls to the remote system succeed"
	}
	text := fmt.Sprintf("It is due, and %s will send it %s", active, when)
	if b := c.backlog[l.Connector]; b.Due > 1 {
		text += fmt.Sprintf("; %d links of %s are due, the oldest for %s", b.Due, l.Connector, ago(b.OldestDue))
	}
	if l.Failure != "" {
		text += fmt.Sprintf(". The last failure: %s", Brief(l.Failure))
	}
	return text + "." + explainRemote(l.Connector, c)
}

// explainRemote says what the Active met at the remote system that keeps it from
// sending; "" = nothing. Where its breaker is open, that is why a link waits that
// was never tried.
func explainRemote(connector string, c circumstances) string {
	remark := c.remark(connector)
	if remark == "" {
		return ""
	}
	return fmt.Sprintf(" As of the last heartbeat of %s: %s.", c.active(connector), Brief(remark))
}

// remark is what the connector's Active tells of the remote system; "" = nothing is wrong.
func (c circumstances) remark(connector string) string {
	active := c.active(connector)
	for _, m := range c.group.Order(connector) {
		if m.Server == active && m.Eligible {
			return m.Reason
		}
	}
	return ""
}

// active is the connector's Active server; "" = none.
func (c circumstances) active(connector string) string {
	for _, m := range c.group.Order(connector) {
		if ha.StateOf(c.group, connector, m.Server, c.dead) == ha.Active {
			return m.Server
		}
	}
	return ""
}

// explainAbsent says why a connector does not forward an alert at all; k is nil
// when this program cannot read its document.
func explainAbsent(a alert.Alert, k *connector.Compiled) string {
	if k == nil {
		return "Its document cannot be read by this program, which may be older than the servers."
	}
	if !takes(k, a.Source) {
		return deaf(a.Source)
	}
	matches, problem := k.Matches(&a)
	switch {
	case problem != "":
		return fmt.Sprintf("Its subscription cannot be evaluated for this alert, so it does not match: %s", problem)
	case !matches:
		return fmt.Sprintf("Its subscription does not match: %s", k.Document().Subscription)
	case a.Status == alert.Closed:
		return "Its subscription matches now, but the alert closed before; closed alerts are not taken in afterwards."
	default:
		return "Its subscription matches; the Active takes the alert in at its next sweep."
	}
}

func deaf(source string) string {
	return fmt.Sprintf("It does not take alerts from source %s.", source)
}

// sentence drops a final stop, so that one can be put.
func sentence(s string) string {
	for len(s) > 0 && (s[len(s)-1] == '.' || s[len(s)-1] == '\n') {
		s = s[:len(s)-1]
	}
	return s
}

// ago writes a duration as people say it: "4 s", "2 min 10 s", "3 h 5 min", "12 d".
func ago(d time.Duration) string {
	switch d = max(d.Round(time.Second), 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return units(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	case d < 48*time.Hour:
		return units(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	default:
		return fmt.Sprintf("%d d", int(d.Hours())/24)
	}
}

// units writes a length in two units, or in the greater alone where it is enough.
func units(n int, unit string, rest int, lesser string) string {
	if rest == 0 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%d %s %d %s", n, unit, rest, lesser)
}

// stamp writes an instant of the database's clock, as the console does.
func stamp(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 MST") }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
