package overview

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tieline/internal/ha"
	"tieline/internal/store"
)

// reading is what the database answered, before anything is concluded.
type reading struct {
	name      string
	now       time.Time
	group     ha.Group
	since     map[string]time.Time // by connector: when its lease last changed hands
	backlog   map[string]store.Backlog
	delivered map[string]int64 // in the last minute, by connector
	suspect   map[string]bool  // by server: nobody holds its presence since a moment ago
	dead      map[string]bool  // by server: nobody has held it for longer
}

// derive concludes the states from the rows.
func derive(r reading) *Snapshot {
	takenIn := slices.ContainsFunc(r.group.Servers, r.on)
	s := &Snapshot{At: r.now, Group: r.name, Connectors: make([]Connector, 0, len(r.group.Settings))}
	servers := make(map[string]ha.Server, len(r.group.Servers))
	for _, row := range r.group.Servers {
		servers[row.Name] = row
	}
	members := make(map[string][]ha.Member, len(r.group.Settings))
	for _, m := range r.group.Members {
		if members[m.Connector] == nil {
			members[m.Connector] = make([]ha.Member, 0, len(servers))
		}
		members[m.Connector] = append(members[m.Connector], m)
	}
	leases := make(map[string]ha.Lease, len(r.group.Leases))
	for _, l := range r.group.Leases {
		leases[l.Connector] = l
	}
	for _, name := range slices.Sorted(maps.Keys(r.group.Settings)) {
		part := ha.Group{Members: members[name], Leases: []ha.Lease{leases[name]}, Servers: make([]ha.Server, 0, len(members[name]))}
		for _, m := range part.Members {
			if row, ok := servers[m.Server]; ok {
				part.Servers = append(part.Servers, row)
			}
		}
		s.Connectors = append(s.Connectors, r.connector(name, part, takenIn))
	}
	s.Servers = r.servers(s.Connectors)
	return s
}

// on reports whether a server is there, as far as is known.
func (r reading) on(row ha.Server) bool {
	return row.Boot != "" && row.Silence < row.Promised && !r.dead[row.Name]
}

// connector looks at the rows of one connector alone.
func (r reading) connector(name string, part ha.Group, takenIn bool) Connector {
	lease := part.Leases[0]
	c := Connector{
		Name: name, Settings: r.group.Settings[name], Epoch: lease.Epoch, Successor: lease.Successor, Wish: lease.Wish,
		ActiveSince: r.since[name], Work: r.work(name), TakenIn: takenIn,
	}
	if row, ok := part.Server(lease.Server); lease.Server != "" {
		c.Holder = lease.Server
		if ok && row.Boot == lease.Boot {
			c.Heard, c.LeaseEnds = row.HeartbeatAt, row.HeartbeatAt.Add(lease.Promised)
		}
	}
	order := part.Order(name)
	c.Members = make([]Member, 0, len(order))
	for i, m := range order {
		row, _ := part.Server(m.Server)
		member := Member{
			Server: m.Server, Rank: i + 1, State: ha.StateOf(part, name, m.Server, r.dead), Runs: m.Runs,
			Eligible: m.Eligible, Reaches: m.Reaches, Reason: m.Reason, Last: heartbeat(row),
		}
		if member.State == ha.Active {
			c.Active = m.Server
		}
		c.Members = append(c.Members, member)
	}
	for i := range c.Members {
		row, _ := part.Server(c.Members[i].Server)
		c.Members[i].Standing, c.Members[i].Why = r.standing(c, c.Members[i], row)
	}
	c.needs = c.attention()
	return c
}

func (r reading) work(name string) Work {
	b := r.backlog[name]
	return Work{Due: b.Due, InFlight: b.Claimed, Parked: b.Parked, OldestDue: b.OldestDue, PerMinute: r.delivered[name]}
}

func heartbeat(row ha.Server) Heartbeat {
	return Heartbeat{At: row.HeartbeatAt, Ago: row.Silence, Promised: row.Promised}
}

// standing says why a member's state is what it is, where that needs words.
func (r reading) standing(c Connector, m Member, row ha.Server) (Standing, string) {
	if m.State == ha.Offline {
		return r.absence(row)
	}
	switch {
	case r.dead[m.Server]:
		return Dead, "Its process is gone and no other server can take over; it counts as Active until its lease has run out."
	case r.suspect[m.Server]:
		return Suspect, "The database has just dropped its session lock. If it does not reconnect within half a second, its process is gone."
	case m.State == ha.Active && c.Wish != "" && c.Wish != m.Server:
		return Draining, fmt.Sprintf("Asked to hand over to %s: it claims nothing more and finishes what is in flight.", c.Wish)
	case !m.Eligible:
		return NotEligible, notEligible(c, m)
	}
	return Plain, ""
}

func notEligible(c Connector, m Member) string {
	if m.Reason != "" {
		return sentence(m.Reason)
	}
	return fmt.Sprintf("It has not applied document version %d yet.", c.Settings.Version)
}

// absence says how it is known that a server is off.
func (r reading) absence(row ha.Server) (Standing, string) {
	switch {
	case row.Name == "":
		return Stopped, "It has left the management group."
	case row.Boot == "":
		return Stopped, "It was stopped as planned, and said so."
	case r.dead[row.Name]:
		return Dead, "Known at once: the database dropped its session lock, so its process is gone."
	case row.Silence >= row.Promised:
		return Silent, fmt.Sprintf("Not heard for longer than the %g s it had promised. Its host or the network may be lost.", row.Promised.Seconds())
	}
	return Silent, "Its lease has run out without a renewal."
}

func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// servers looks at each server as a whole.
func (r reading) servers(connectors []Connector) []Server {
	active, others := map[string][]string{}, map[string][]string{}
	for _, c := range connectors {
		for _, m := range c.Members {
			if m.Server == c.Active {
				active[m.Server] = append(active[m.Server], c.Name)
			} else {
				others[m.Server] = append(others[m.Server], c.Name)
			}
		}
	}
	all := make([]Server, 0, len(r.group.Servers))
	for _, row := range r.group.Servers {
		s := Server{
			Name: row.Name, Address: row.Address, Version: row.Version, Last: heartbeat(row),
			Active: active[row.Name], Others: others[row.Name],
			On: r.on(row),
		}
		s.WithoutPresence = s.On && row.Presence == ""
		switch {
		case !s.On:
			s.Standing, s.Why = r.absence(row)
		case r.suspect[row.Name]:
			s.Standing, s.Why = Suspect, "The database has just dropped its session lock."
		}
		all = append(all, s)
	}
	return all
}
