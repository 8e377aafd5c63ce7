package storetest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store"
)

var opening = map[string]func(*testing.T, Fresh){
	"open/an empty database is migrated on request alone": openEmpty,
	"open/a newer schema is refused":                      openNewer,
	"open/ten servers start at once":                      openAtOnce,
	"open/the group is made once":                         openGroup,
	"open/what migrating would do":                        openPlan,
	"open/an interrupted migration goes on":               openInterrupted,
	"open/check":                                          openCheck,
}

func openEmpty(t *testing.T, fresh Fresh) {
	url := fresh(t)
	_, err := store.Open(t.Context(), url, store.Options{})
	if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), "tieline db migrate") {
		t.Fatalf("open without migrating: %v", err)
	}
	from, to, err := store.Migrate(t.Context(), url, nil)
	if err != nil || from != 0 || to < 1 {
		t.Fatalf("migrate: from %d to %d: %v", from, to, err)
	}
	again, to, err := store.Migrate(t.Context(), url, nil)
	if err != nil || again != to {
		t.Fatalf("migrate again: from %d to %d: %v", again, to, err)
	}
	db, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func openNewer(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, $1)", true)
	_, err := store.Open(t.Context(), f.url, store.Options{Migrate: true})
	if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), "4711") {
		t.Fatalf("open: %v", err)
	}
	if _, _, err := store.Migrate(t.Context(), f.url, nil); fault.KindOf(err) != fault.Refused {
		t.Fatalf("migrate: %v", err)
	}
}

func openAtOnce(t *testing.T, fresh Fresh) {
	url := fresh(t)
	var wg sync.WaitGroup
	groups := make([]string, 10)
	for i := range groups {
		wg.Go(func() {
			db, err := store.Open(t.Context(), url, store.Options{Migrate: true, MaxConns: 2})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			defer db.Close()
			g, err := db.Group(t.Context())
			if err != nil {
				t.Errorf("group: %v", err)
			}
			groups[i] = g.ID.String() + g.NudgeKey.Reveal()
		})
	}
	wg.Wait()
	for _, g := range groups {
		if g != groups[0] || len(g) < 36+32 {
			t.Errorf("servers see the groups %q and %q", groups[0], g)
		}
	}
}

func openGroup(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	a, b := must(f.db.Group(t.Context()))(t), must(f.open().Group(t.Context()))(t)
	if a.ID != b.ID || a.NudgeKey != b.NudgeKey || a.Name != "" || a.Generation != 2 {
		t.Errorf("group %+v, read again %+v", a, b)
	}
}

func openCheck(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	lines := must(f.db.Check(t.Context()))(t)
	ok := map[string]bool{}
	for _, l := range lines {
		ok[l.Name] = l.OK
		if l.Text == "" {
			t.Errorf("%s says nothing", l.Name)
		}
	}
	for _, name := range []string{"reach", "schema", "management group", "history"} {
		if !ok[name] {
			t.Errorf("%s is not well: %+v", name, lines)
		}
	}
	// Each engine tells the same, so that nobody has to learn another list.
	for _, name := range []string{
		"version", "way", "writes", "durability", "isolation", "privileges", "session", "presence", "wake-ups", "clock", "servers",
		"connections", "sizes", "size of alert", "size of link",
	} {
		if _, told := ok[name]; !told {
			t.Errorf("nothing is told of %s: %+v", name, lines)
		}
	}
	if f.db.Engine() == "sqlite" && !ok["durability"] { // PostgreSQL's is the test server's own
		t.Errorf("a power cut may lose what was accepted: %+v", lines)
	}
	sizes := map[string]int64{}
	for _, s := range must(f.db.Sizes(t.Context()))(t) {
		sizes[s.Table] = s.Rows
	}
	if len(sizes) > 0 && (sizes["connector"] != 2 || sizes["management_group"] != 1) {
		t.Errorf("sizes: %v", sizes)
	}
	f.exec(`INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
		SELECT $1, 7, now, 'alpha', '', $2, '' FROM clock`, tickets, string(ha.ReasonIdentity))
	for _, l := range must(f.db.Check(t.Context()))(t) {
		if l.Name == "history" && (!l.OK || !strings.Contains(l.Text, "changed at") || !strings.Contains(l.Text, "tickets of 1 connector were")) {
			t.Errorf("a change of the history that was dealt with is told as %+v", l)
		}
	}
	f.exec("UPDATE lease SET identity = 'another history' WHERE connector = $1", tickets)
	f.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, $1)", true)
	for _, l := range must(f.db.Check(t.Context()))(t) {
		if (l.Name == "schema" || l.Name == "history") && (l.OK || l.Next == "") {
			t.Errorf("a newer schema and another history pass: %+v", l)
		}
	}
}

func openPlan(t *testing.T, fresh Fresh) {
	url := fresh(t)
	plan := must(store.PlanMigration(t.Context(), url))(t)
	if plan.From != 0 || plan.To < 1 || int64(len(plan.Steps)) != plan.To || !strings.Contains(plan.Steps[0].Statements, "management_group") {
		t.Errorf("of an empty database: from %d to %d in %d steps", plan.From, plan.To, len(plan.Steps))
	}
	if again := must(store.PlanMigration(t.Context(), url))(t); again.From != 0 {
		t.Errorf("to look at it brought it to version %d", again.From)
	}
	if _, _, err := store.Migrate(t.Context(), url, nil); err != nil {
		t.Fatal(err)
	}
	if plan := must(store.PlanMigration(t.Context(), url))(t); plan.From != plan.To || len(plan.Steps) != 0 {
		t.Errorf("afterwards: from %d to %d in %d steps", plan.From, plan.To, len(plan.Steps))
	}
}

// openInterrupted ends migrations again and again, each a little later, until
// one comes to its end: each goes on from where the one before was.
func openInterrupted(t *testing.T, fresh Fresh) {
	url := fresh(t)
	interrupted := 0
	for after := 2 * time.Millisecond; ; after += after / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, to, err := store.Migrate(ctx, url, nil)
		cancel()
		if err != nil && after > time.Minute {
			t.Fatalf("%d migrations were interrupted, and one with time enough failed: %v", interrupted, err)
		}
		if err == nil {
			if to < 1 {
				t.Errorf("migrated to version %d", to)
			}
			break
		}
		interrupted++
	}
	db := openStore(t, url)
	if g := must(db.Group(t.Context()))(t); g.NudgeKey.IsZero() {
		t.Errorf("after %d interruptions the group is %+v", interrupted, g)
	}
	raw := rawOpen(t, url)
	var groups int
	if err := raw.QueryRowContext(t.Context(), "SELECT count(*) FROM management_group").Scan(&groups); err != nil || groups != 1 {
		t.Errorf("after %d interruptions there are %d groups: %v", interrupted, groups, err)
	}
}
