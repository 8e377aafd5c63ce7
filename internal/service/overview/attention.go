package overview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tieline/internal/ha"
)

// Urgency ranks what needs a person.
type Urgency int

// From "now" to "when there is time".
const (
	Urgent Urgency = iota // alerts are not forwarded
	Soon                  // they are, and less stands behind it than should
)

// Attention is one thing that needs a person.
type Attention struct {
	Urgency   Urgency
	Connector string // "" = it concerns a server
	Server    string // "" = it concerns the connector
	What      string // what is, and what it means
	Do        string // what to do
	Topic     Topic  // where it is done
}

// Topic is what an Attention is about.
type Topic string

// The topics.
const (
	Availability Topic = "High availability"
	Parked       Topic = "Parked"
	Late         Topic = "Alerts"
)

// LateAfter is how long the oldest due alert may have been waiting before somebody should look:
// longer than a usual back-off between two tries.
const LateAfter = 10 * time.Minute

// Attention lists what needs a person, the most urgent first.
func (s *Snapshot) Attention() []Attention {
	var all []Attention
	for i := range s.Connectors {
		all = append(all, s.Connectors[i].needs...)
	}
	for _, v := range s.Servers {
		if !v.On && v.Standing != Stopped {
			all = append(all, Attention{
				Urgency: Soon, Server: v.Name, Topic: Availability, What: fmt.Sprintf("Server %s is Offline, last heard %s. %s", v.Name, clock(v.Last.At), v.Why),
				Do: "Start it again, or remove it when it will not come back.",
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Attention) int { return cmp.Compare(a.Urgency, b.Urgency) })
	return all
}

// Attention lists what needs a person at the connector.
func (c Connector) Attention() []Attention { return c.needs }

// attention finds it.
func (c Connector) attention() []Attention {
	var all []Attention
	add := func(u Urgency, topic Topic, what, do string) {
		all = append(all, Attention{Urgency: u, Connector: c.Name, What: what, Do: do, Topic: topic})
	}
	_, next := c.Next()
	switch {
	case len(c.Members) == 0:
		add(Urgent, Availability, "No server serves it. "+c.Meanwhile(), c.Remedy())
	case c.Active == "":
		add(Urgent, Availability, c.nobody()+" "+c.Meanwhile(), c.Remedy())
	case c.Dead():
		add(Urgent, Availability, fmt.Sprintf("%s is known dead, last heard %s, and no other server can take over. %s", c.Active, clock(c.Heard), c.Meanwhile()),
			fmt.Sprintf("%s %s counts as Active until its lease has run out, %s.", c.Remedy(), c.Active, clock(c.LeaseEnds)))
	case c.Suspect() && !next:
		add(Urgent, Availability, fmt.Sprintf("The database has just dropped the session lock of %s, and no other server can take over.", c.Active),
			"Wait a moment: it reconnects, or it is known dead.")
	case len(c.Members) > 1 && !next:
		add(Soon, Availability, fmt.Sprintf("If %s fails, no other server can take over.", c.Active), "Look at its other servers.")
	}
	if c.Work.Parked > 0 {
		add(Urgent, Parked, fmt.Sprintf("%s parked: retries are used up, or the remote system refused.", links(c.Work.Parked)), "Look at each, then edit or retry.")
	}
	if c.Work.OldestDue > LateAfter {
		add(Urgent, Late, fmt.Sprintf("The oldest due alert has been waiting for %s.", c.Work.OldestDue.Round(time.Minute)), "Look at its timeline for the reason.")
	}
	if names := c.unreaching(); len(names) > 0 {
		add(Soon, Availability, fmt.Sprintf("%s cannot reach the remote system.", strings.Join(names, ", ")), "Look at the reason at High availability.")
	}
	if names := c.ineligible(); len(names) > 0 {
		add(Soon, Availability, fmt.Sprintf("%s cannot run document version %d.", strings.Join(names, ", "), c.Settings.Version), "Look at the reason at High availability.")
	}
	return all
}

// nobody says that nobody is Active, with what is known of the last one.
func (c Connector) nobody() string {
	switch {
	case c.Holder == "" && c.Epoch > 0 && !c.ActiveSince.IsZero():
		return fmt.Sprintf("Nobody is Active since %s.", clock(c.ActiveSince))
	case c.Holder != "" && !c.Heard.IsZero():
		return fmt.Sprintf("Nobody is Active. %s was, and was last heard %s.", c.Holder, clock(c.Heard))
	case c.Holder != "":
		return fmt.Sprintf("Nobody is Active. %s was, and its process is gone.", c.Holder)
	}
	return "Nobody is Active."
}

// Meanwhile says what becomes of alerts while nobody forwards them.
func (c Connector) Meanwhile() string {
	if c.TakenIn {
		return "Alerts are stored and not forwarded."
	}
	return "No server of the management group is on, so nobody takes alerts in: sources get no answer and must repeat them."
}

// Remedy says what ends a time without an Active.
func (c Connector) Remedy() string {
	_, next := c.Next()
	on := slices.ContainsFunc(c.Members, func(m Member) bool { return m.State == ha.Passive })
	switch {
	case next:
		return "One of its servers can take over, and does so by itself."
	case on:
		return "Its servers that are on cannot take over: mend the reason, which stands beside each, or start another."
	case len(c.Members) == 0:
		return "Start a server with this connector."
	}
	return "Start one of its servers: the first that can takes over."
}

// clock is a time in a sentence, by the database's clock.
func clock(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05 MST") }

func links(n int64) string {
	if n == 1 {
		return "1 link is"
	}
	return fmt.Sprintf("%d links are", n)
}

func (c Connector) unreaching() []string {
	return c.names(func(m Member) bool { return m.Eligible && !m.Reaches && m.Runs > 0 })
}

// ineligible leaves out who has merely not reported yet.
func (c Connector) ineligible() []string {
	return c.names(func(m Member) bool { return !m.Eligible && m.Runs > 0 && m.Runs >= c.Settings.Version })
}

func (c Connector) names(is func(Member) bool) []string {
	var names []string
	for _, m := range c.Members {
		if m.State != ha.Offline && is(m) {
			names = append(names, m.Server)
		}
	}
	return names
}

// Urgency is that of the connector's most urgent need; ok is false when it has none.
func (c Connector) Urgency() (u Urgency, ok bool) {
	for i, a := range c.needs {
		if i == 0 || a.Urgency < u {
			u = a.Urgency
		}
		ok = true
	}
	return u, ok
}
