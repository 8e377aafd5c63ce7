package ha

import (
	"cmp"
	"slices"
)

// Server returns the row of the named server.
func (g Group) Server(name string) (Server, bool) {
	for _, s := range g.Servers {
		if s.Name == name {
			return s, true
		}
	}
	return Server{}, false
}

// Lease returns the lease row of a connector.
func (g Group) Lease(connector string) (Lease, bool) {
	for _, l := range g.Leases {
		if l.Connector == connector {
			return l, true
		}
	}
	return Lease{}, false
}

// Order returns a connector's members in communication order.
func (g Group) Order(connector string) []Member {
	var ms []Member
	for _, m := range g.Members {
		if m.Connector == connector {
			ms = append(ms, m)
		}
	}
	sortOrder(ms)
	return ms
}

func sortOrder(ms []Member) {
	slices.SortFunc(ms, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Server, b.Server))
	})
}

// State is what a server is for one connector.
type State string

// The three states. They are derived from the rows, never stored.
const (
	Active  State = "Active"
	Passive State = "Passive"
	Offline State = "Offline"
)

// StateOf derives a server's state for a connector from a reading of the group.
// Active is who the lease names, within its promised length; Offline who was
// not heard for the promised length, or is known dead because nobody holds its
// presence (dead, by server name; may be nil); Passive the rest. While every
// member is off, the last Active is still shown as Active until its promised
// length is up: nobody is left who could have taken over.
//
// It goes by the database's clock (Server.Silence) and is for people and
// metrics. The servers themselves decide by what they watched (Knowledge).
func StateOf(g Group, connector, server string, dead map[string]bool) State {
	row, ok := g.Server(server)
	lease, _ := g.Lease(connector)
	if ok && lease.Server == server && lease.Boot == row.Boot && row.Boot != "" {
		switch {
		case row.Silence >= lease.Promised:
			return Offline
		case !dead[server] || !anyOn(g, connector, dead):
			return Active
		}
		return Offline
	}
	if !ok || !on(row, dead) {
		return Offline
	}
	return Passive
}

func on(s Server, dead map[string]bool) bool {
	return s.Boot != "" && s.Silence < s.Promised && !dead[s.Name]
}

func anyOn(g Group, connector string, dead map[string]bool) bool {
	for _, m := range g.Members {
		if m.Connector != connector {
			continue
		}
		if s, ok := g.Server(m.Server); ok && on(s, dead) {
			return true
		}
	}
	return false
}
