package hatest

import (
	"testing"

	"tieline/internal/ha"
)

// The database in memory passes the suite it shares with the real ones.
func TestMemory(t *testing.T) {
	RunCoordinator(t, func(*testing.T) Harness {
		d := NewDatabase()
		return Harness{
			Coordinator: d.Coordinator(),
			Join:        func(_ *testing.T, server, boot string) { d.JoinAs(server, boot) },
			AddConnector: func(_ *testing.T, name string, s ha.Settings, servers ...string) {
				d.AddConnector(name, s, servers...)
			},
			RemoveServer: func(_ *testing.T, server string) { d.RemoveServer(server) },
			Wish:         func(_ *testing.T, connector, server string) { d.SetWish(connector, server) },
			Kill:         func(_ *testing.T, s ha.Session) { d.Cut(s) },
			LockLease:    func(_ *testing.T, connector string) func() { return d.LockLease(connector) },
		}
	})
}
