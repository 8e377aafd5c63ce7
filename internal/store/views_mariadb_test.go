package store

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"tieline/internal/fault"
)

// TestViewsOutliveWhoMadeThem: after a restore on another server the user who
// migrated may not be there, and what is read by that user's rights cannot be read.
func TestViewsOutliveWhoMadeThem(t *testing.T) {
	db := open(t, freshMariaDB(t))
	views := 0
	err := each(t.Context(), db.engine.Read, func(rows *sql.Rows) error {
		var name, by string
		if err := rows.Scan(&name, &by); err != nil {
			return err
		}
		views++
		if by != "INVOKER" {
			t.Errorf("the view %s is read by the rights of its %s", name, by)
		}
		return nil
	}, "SELECT TABLE_NAME, SECURITY_TYPE FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()")
	if err != nil || views != 2 {
		t.Errorf("%d views: %v", views, err)
	}
}

// TestHistoryThatMayNotBeSeen refuses a server, and is told by the check.
func TestHistoryThatMayNotBeSeen(t *testing.T) {
	url := freshMariaDB(t)
	db := open(t, url)
	onMariaDB(t, url, "CREATE OR REPLACE VIEW history AS SELECT CAST(NULL AS CHAR) AS identity")
	err := db.Join(t.Context(), Join{Server: "alpha", Boot: "a", Promised: time.Minute, HighAvailability: true})
	if text := fault.Message(err); fault.KindOf(err) != fault.Refused || !strings.Contains(text, "names the history") || !strings.Contains(text, "performance_schema") {
		t.Errorf("join: %v", err)
	}
	lines, err := db.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if l.Name == "history" && (l.OK || !strings.Contains(l.Text, "cannot be seen")) {
			t.Errorf("the check says %+v", l)
		}
	}
}
