package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

func TestSQLiteCoordinatorConforms(t *testing.T) {
	hatest.RunCoordinator(t, func(t *testing.T) hatest.Harness {
		return newHarness(t, freshSQLite(t)).answers()
	})
}

func TestPostgresCoordinatorConforms(t *testing.T) {
	hatest.RunCoordinator(t, func(t *testing.T) hatest.Harness {
		h := newHarness(t, freshPostgres(t))
		answers := h.answers()
		answers.Kill, answers.LockLease = h.kill, h.lockLease
		return answers
	})
}

// harness does by hand what the suite asks for, past the rules of
// administration.
type harness struct {
	db  *DB
	url string
}

func newHarness(t *testing.T, url string) *harness { return &harness{db: open(t, url), url: url} }

func (h *harness) answers() hatest.Harness {
	return hatest.Harness{
		Coordinator: h.db.Coordinator(), Join: h.join, AddConnector: h.addConnector,
		RemoveServer: h.removeServer, Wish: h.wish,
	}
}

func (h *harness) join(t *testing.T, server, boot string) {
	run(t, h.db, "UPDATE server SET boot = '' WHERE name = $1", server) // its earlier process, if any, has ended
	j := joining(server)
	j.Boot = boot
	if err := h.db.Join(t.Context(), j); err != nil {
		t.Fatal(err)
	}
}

func (h *harness) addConnector(t *testing.T, name string, s ha.Settings, servers ...string) {
	run(t, h.db, `INSERT INTO connector (name, version, polling, tolerance, failback, send_window, settle, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`, name, s.Version, s.Polling.Microseconds(), s.Tolerance, string(s.Failback),
		s.Window.Microseconds(), s.Settle.Microseconds())
	for _, server := range servers {
		err := h.db.write(t.Context(), func(tx *sql.Tx) error {
			return h.db.addMemberships(t.Context(), tx, server, []string{name})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, h.db, "UPDATE membership SET reason = ''")
}

func (h *harness) removeServer(t *testing.T, server string) {
	run(t, h.db, "DELETE FROM membership WHERE server = $1", server)
	run(t, h.db, "DELETE FROM server WHERE name = $1", server)
}

func (h *harness) wish(t *testing.T, connector, server string) {
	run(t, h.db, "UPDATE lease SET wish = $2 WHERE connector = $1", connector, server)
}

func (h *harness) kill(t *testing.T, s ha.Session) {
	g, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range g.Servers {
		if server.Presence == s.Presence() {
			terminate(t, h.db, "tieline coordination "+server.Name)
			return
		}
	}
	terminate(t, h.db, "tieline coordination %") // it has not published its presence yet
}

func (h *harness) lockLease(t *testing.T, connector string) (unlock func()) {
	conn := freeze(t, h.url, "UPDATE lease SET wish = 'nobody' WHERE connector = '"+connector+"'")
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			t.Errorf("unlock: %v", err)
		}
	}
}
