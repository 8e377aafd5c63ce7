package app

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/store"
	"tieline/internal/store/sqlite"
)

// TestOldAlertsAreForgotten has a document say, while its server runs, that
// closed alerts are kept for 30 days.
func TestOldAlertsAreForgotten(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document+"retention: {days: 0}\n")
	a := New(Options{Config: settings(dir, "north"), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	a.forgetAfter = 20 * time.Millisecond
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, a) })
	for i, status := range []string{"open", "closed", "open"} {
		post(t, a, "shop", map[string]any{"key": "disk", "status": status, "summary": status})
		eventually(t, "the desk shows it", func() bool { return backlogOf(t, a) == 0 && len(d.Tickets()) >= i/2+1 })
	}
	old := listed(t, a)
	if len(old) != 2 {
		t.Fatalf("alerts: %+v", old)
	}
	grow(t, dir, 100*24*time.Hour)
	apply(t, dir, d.document+"retention: {days: 30}\n")
	eventually(t, "the closed alert is gone", func() bool { return len(listed(t, a)) == 1 })
	if left := listed(t, a)[0]; left.Status != alert.Open {
		t.Errorf("left is %+v", left)
	}
}

func backlogOf(t *testing.T, a *App) int64 {
	t.Helper()
	b, err := a.db.Backlog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b["desk"].Due + b["desk"].Claimed
}

func listed(t *testing.T, a *App) []store.AlertRow {
	t.Helper()
	list, err := a.db.Alerts(t.Context(), store.AlertQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// grow makes every alert and link older.
func grow(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	raw, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(dir, "tieline.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, text := range []string{
		"UPDATE alert SET accepted_at = accepted_at - $1, changed_at = changed_at - $1",
		"UPDATE link SET created_at = created_at - $1, changed_at = changed_at - $1",
	} {
		if _, err := raw.ExecContext(t.Context(), text, by.Microseconds()); err != nil {
			t.Fatal(err)
		}
	}
}
