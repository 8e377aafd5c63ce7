package overview

import (
	"slices"
	"strings"
	"time"

	"tieline/internal/ha"
)

// Snapshot is the management group at a moment. It is shared among readers and
// never changed.
type Snapshot struct {
	At         time.Time // by the database's clock
	Group      string    // the management group's name
	Connectors []Connector
	Servers    []Server
	Marks      Marks
}

// Connector is one connector at that moment.
type Connector struct {
	Name        string
	Settings    ha.Settings // Version is the current document's
	Epoch       int64
	Active      string    // who is, "" = nobody
	ActiveSince time.Time // when the lease got its holder, or lost it
	Holder      string    // whom the lease names: the last Active, unless it let go
	Heard       time.Time // the holder's last heartbeat; zero = its row tells of another process by now
	LeaseEnds   time.Time // when the lease runs out, unless the holder is heard again; zero as Heard
	Successor   string    // whom the last release named, "" = nobody; until somebody takes over
	Wish        string    // the server a person asked to be Active, "" = none
	Members     []Member  // in communication order
	Work        Work
	TakenIn     bool // a server of the group is on: each takes any alert in, whatever it serves

	needs []Attention // what needs a person
}

// Work is what lies before a connector and what it did.
type Work struct {
	Due       int64 // waiting, also for back-off
	InFlight  int64 // claimed
	Parked    int64
	OldestDue time.Duration // how long the oldest has been waiting, also where its tries fail (store.Backlog)
	PerMinute int64         // tickets written in the last minute
}

// Standing says more of a state than its word.
type Standing string

// The standings that need words beside the state.
const (
	Plain       Standing = ""
	Suspect     Standing = "suspect"      // nobody holds its presence, since a moment ago
	Draining    Standing = "draining"     // asked to hand over, and still Active
	NotEligible Standing = "not eligible" // it cannot run the current document
	Stopped     Standing = "stopped"      // ended as planned
	Dead        Standing = "known dead"   // nobody holds its presence
	Silent      Standing = "silent"       // not heard for its promised length
)

// Member is one server of a connector.
type Member struct {
	Server   string
	Rank     int // 1 is first in communication order
	State    ha.State
	Standing Standing
	Why      string // the standing's reason in words; "" where there is none
	Runs     int64  // document version; 0 = none yet
	Eligible bool
	Reaches  bool   // its last probe of the remote connected
	Reason   string // what the server said of not being eligible, or not reaching
	Last     Heartbeat
}

// Heartbeat is a server's last sign of life.
type Heartbeat struct {
	At       time.Time     // by the database's clock
	Ago      time.Duration // by the same
	Promised time.Duration // how long it may be silent
}

// Server is one server of the group.
type Server struct {
	Name     string
	Address  string
	Version  string
	On       bool
	Standing Standing
	Why      string
	Last     Heartbeat
	Active   []string // the connectors it is Active for, by name
	Others   []string // those it is a member of beside
	// WithoutPresence: its death shows only by its silence.
	WithoutPresence bool
}

// Connector returns the named connector.
func (s *Snapshot) Connector(name string) (Connector, bool) {
	i, ok := slices.BinarySearchFunc(s.Connectors, name, func(c Connector, n string) int { return strings.Compare(c.Name, n) })
	if !ok {
		return Connector{}, false
	}
	return s.Connectors[i], true
}

// Find returns the connectors whose name has the text in it, in any case, by
// name; with attention only those that need a person.
func (s *Snapshot) Find(text string, attention bool) []Connector {
	var found []Connector
	for _, c := range s.Connectors {
		_, needs := c.Urgency()
		if strings.Contains(c.Name, strings.ToLower(text)) && (needs || !attention) {
			found = append(found, c)
		}
	}
	return found
}

// Member returns the named server's place.
func (c Connector) Member(server string) (Member, bool) {
	i := slices.IndexFunc(c.Members, func(m Member) bool { return m.Server == server })
	if i < 0 {
		return Member{}, false
	}
	return c.Members[i], true
}

// Dead reports whether the Active is known to be dead: nobody else can take over,
// so it counts as Active until its lease has run out.
func (c Connector) Dead() bool {
	m, ok := c.Member(c.Active)
	return ok && m.Standing == Dead
}

// Suspect reports whether the Active may have died this moment.
func (c Connector) Suspect() bool {
	m, ok := c.Member(c.Active)
	return ok && m.Standing == Suspect
}

// Order is the communication order by name.
func (c Connector) Order() []string {
	names := make([]string, len(c.Members))
	for i, m := range c.Members {
		names[i] = m.Server
	}
	return names
}

// Next is who would take over if the Active ended now; false when nobody could.
func (c Connector) Next() (Member, bool) {
	for _, m := range c.Members {
		if m.Server != c.Active && m.State == ha.Passive && m.Eligible && m.Standing != Suspect {
			return m, true
		}
	}
	return Member{}, false
}

// Others are the members that are not the Active, in order.
func (c Connector) Others() []Member {
	return slices.DeleteFunc(slices.Clone(c.Members), func(m Member) bool { return m.Server == c.Active && c.Active != "" })
}

// Behind counts the live members that run another document version than the
// current one.
func (c Connector) Behind() int {
	n := 0
	for _, m := range c.Members {
		if m.State != ha.Offline && m.Runs != c.Settings.Version {
			n++
		}
	}
	return n
}
