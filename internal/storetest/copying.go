package storetest

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/store"
)

var copying = map[string]func(*testing.T, Fresh){
	"copy/to SQLite and back, with all there is":      copyAll,
	"copy/only while nobody lives, and to nothing":    copyRefused,
	"copy/to a schema that was only prepared":         copyPrepared,
	"copy/a group that no server ever joined":         copyUnnamed,
	"copy/an interrupted one begins anew":             copyInterrupted,
	"copy/a failed one leaves the old one in service": copyFailed,
	"copy/a changed history is left to the new one":   copyDoubt,
}

func freshSQLite(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "copy.db")
}

// populated is a group with something of everything.
func populated(t *testing.T, fresh Fresh) (*fixture, ha.Term) {
	f := setup(t, fresh)
	err := f.db.Join(t.Context(), store.Join{Server: "alpha", Boot: "alpha-boot", Group: "plant", HighAvailability: true, Promised: time.Minute})
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	term := f.term(tickets, "alpha")
	f.former(term, "a", "schlüssel 'quoted' \\ \u2028 🛠", "c")
	for range 24 {
		f.raise(25, tickets, files)
	}
	claim, works := f.claim(f.db, term, 7)
	parked := sent(works[0], claim, "T-parked")
	parked.Outcome.Parked, parked.Outcome.Twins = "refused: «no»", []string{"T-1", "T-2"}
	f.record(term, parked)
	news := []alert.News{{ID: "n1", Ticket: "T-parked", State: "resolved", Text: "zwei\nZeilen", At: time.UnixMicro(1700000000123456)}}
	if err := f.db.Receive(t.Context(), term, "poll", "", "n1", news, back); err != nil {
		t.Fatalf("receive: %v", err)
	}
	f.exec("INSERT INTO note (alert_id, connector, side, seq, text, at) VALUES ($1, $2, 'remote', 1, 'a note', 7)", works[1].Alert.ID, tickets)
	f.exec("INSERT INTO audit (at, who, role, via, action, target, detail, outcome, address, server) VALUES (1, 'ann', 'admin', 'cli', 'x', 'y', 'z', 'done', '', '')")
	if err := f.db.Leave(t.Context(), "alpha", "alpha-boot"); err != nil {
		t.Fatalf("leave: %v", err)
	}
	return f, term
}

func copyAll(t *testing.T, fresh Fresh) {
	f, old := populated(t, fresh)
	before := seenOf(t, f.db)
	urls := []string{f.url, freshSQLite(t), fresh(t)}
	for i := range urls[1:] {
		out, err := store.Copy(t.Context(), urls[i], urls[i+1], store.CopyOptions{})
		if err != nil {
			t.Fatalf("copy %d: %v", i, err)
		}
		rows := map[string]int64{}
		for _, table := range out.Tables {
			rows[table.Name] = table.Rows
		}
		if rows["alert"] != 606 || rows["link"] < 1200 || rows["note"] != 1 || rows["audit"] != 1 || out.Already || len(out.Doubted) > 0 {
			t.Errorf("copy %d: %+v", i, out)
		}
	}
	db := openStore(t, urls[2])
	if after := seenOf(t, db); !reflect.DeepEqual(before, after) {
		t.Errorf("the copy shows\n%+v\nthe original had\n%+v", after.Group, before.Group)
	}
	// The old database serves nobody, and no term of it is good for anything.
	join := store.Join{Server: "beta", Boot: "beta-boot", Group: "plant", HighAvailability: true, Promised: time.Minute}
	if err := f.db.Join(t.Context(), join); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "moved") {
		t.Errorf("a server joins the old database: %v", err)
	}
	if ok, err := f.db.Claim(t.Context(), claimRequest(old)); err == nil {
		t.Errorf("a term of the old database claimed %d links", ok)
	}
	if err := db.Join(t.Context(), join); err != nil {
		t.Errorf("a server joins the copy: %v", err)
	}
	g, h := *f, *f
	g.db, g.raw = db, rawOpen(t, urls[2])
	next := g.term(tickets, "beta")
	if next.Epoch <= old.Epoch {
		t.Errorf("the copy goes on at epoch %d, the original had %d", next.Epoch, old.Epoch)
	}
	if n := g.count("SELECT count(*) FROM lease WHERE identity <> (SELECT identity FROM history)"); n > 0 {
		t.Errorf("%d leases of the copy have another database's history", n)
	}
	if _, works := g.claim(db, next, 5); len(works) != 5 {
		t.Errorf("claimed %d of the copy's links", len(works))
	}
	if again, err := store.Copy(t.Context(), h.url, fresh(t), store.CopyOptions{}); fault.KindOf(err) != fault.Refused {
		t.Errorf("a group that was moved is copied again: %+v, %v", again, err)
	}
}

// everything is what people see of a group.
type everything struct {
	Group     store.GroupInfo
	Alerts    []store.AlertRow
	Timelines [][]store.TimelineEvent
	Events    int
	Documents []store.StoredDocument
}

func seenOf(t *testing.T, db *store.DB) everything {
	t.Helper()
	var e everything
	e.Group = must(db.Group(t.Context()))(t)
	var from store.Cursor
	for {
		page := must(db.Alerts(t.Context(), store.AlertQuery{Limit: 500, Before: from}))(t)
		e.Alerts = append(e.Alerts, page...)
		if len(page) == 0 {
			break
		}
		from = page[len(page)-1].Cursor()
	}
	for _, a := range e.Alerts[len(e.Alerts)-20:] {
		e.Timelines = append(e.Timelines, must(db.Timeline(t.Context(), a.ID))(t))
	}
	docs, _, err := db.Documents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.Documents = docs
	return e
}

func copyRefused(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	to := freshSQLite(t)
	refused := func(what, from, to string, kind fault.Kind, words ...string) {
		t.Helper()
		_, err := store.Copy(t.Context(), from, to, store.CopyOptions{})
		if fault.KindOf(err) != kind {
			t.Errorf("%s: %v", what, err)
			return
		}
		for _, word := range words {
			if !strings.Contains(fault.Message(err), word) {
				t.Errorf("%s: %q does not say %q", what, fault.Message(err), word)
			}
		}
	}
	refused("to itself", f.url, f.url, fault.Invalid, "same database")
	refused("an empty one", fresh(t), to, fault.Refused, "db migrate")
	join := store.Join{Server: "alpha", Boot: "alpha-boot", Group: "plant", HighAvailability: true, Promised: time.Hour}
	if err := f.db.Join(t.Context(), join); err != nil {
		t.Fatal(err)
	}
	f.exec("UPDATE server SET beat = 1")
	refused("beside a live server", f.url, to, fault.Refused, "alpha", "stop every server")
	s, err := f.db.Coordinator().Open(t.Context(), "alpha", "alpha-boot")
	if err != nil {
		t.Fatal(err)
	}
	if s.Presence() != "" {
		f.exec("UPDATE server SET presence = $1, heartbeat_at = heartbeat_at - 36000000000", s.Presence())
		refused("beside a silent server that holds its presence", f.url, to, fault.Refused, "alpha")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.db.Leave(t.Context(), "alpha", "alpha-boot"); err != nil {
		t.Fatal(err)
	}
	other := setup(t, func(*testing.T) string { return freshSQLite(t) })
	refused("to another group's", f.url, other.url, fault.Refused, "not empty", "connector")
	if err := f.db.Join(t.Context(), join); err != nil {
		t.Errorf("after it was refused: %v", err)
	}
}

// audited writes what the audit keeps of a verb.
func (f *fixture) audited(action string) {
	f.exec("INSERT INTO audit (at, who, role, via, action, target, detail, outcome, address, server) "+
		"VALUES (1, 'bob', 'admin', 'cli', $1, '', '', 'done', '', '')", action)
}

// copyPrepared copies to what db migrate leaves, its row of the audit included;
// any other row there is somebody's.
func copyPrepared(t *testing.T, fresh Fresh) {
	f, _ := populated(t, fresh)
	to := fresh(t)
	target := &fixture{T: t, url: to, db: openStore(t, to), raw: rawOpen(t, to)}
	target.audited("db migrate")
	target.audited("account create")
	if _, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{}); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "table audit") {
		t.Fatalf("to what somebody set accounts up in: %v", err)
	}
	if n := target.count("SELECT count(*) FROM audit"); n != 2 {
		t.Errorf("a refused copy left %d rows of the target's audit", n)
	}
	target.exec("DELETE FROM audit WHERE action = 'account create'")
	out, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{})
	if err != nil || len(out.Tables) < 10 {
		t.Fatalf("to what was only prepared: %+v, %v", out, err)
	}
	if n, own := target.count("SELECT count(*) FROM audit"), target.count("SELECT count(*) FROM audit WHERE who = 'ann'"); n != 1 || own != 1 {
		t.Errorf("the copy's audit has %d rows, %d of them the group's", n, own)
	}
}

// copyUnnamed moves a group that has no name yet, and says so the second time.
func copyUnnamed(t *testing.T, fresh Fresh) {
	from, to := fresh(t), fresh(t)
	db := openStore(t, from)
	if _, err := store.Copy(t.Context(), from, to, store.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	join := store.Join{Server: "alpha", Boot: "a", Group: "plant", HighAvailability: true, Promised: time.Minute}
	_, again := store.Copy(t.Context(), from, fresh(t), store.CopyOptions{})
	for what, err := range map[string]error{"a second copy": again, "a server that joins": db.Join(t.Context(), join)} {
		said := fault.Message(err)
		if fault.KindOf(err) != fault.Refused || strings.Contains(said, `""`) || !strings.Contains(said, "no server ever joined, was moved") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := openStore(t, to).Join(t.Context(), join); err != nil {
		t.Errorf("a server joins the copy: %v", err)
	}
}

func copyInterrupted(t *testing.T, fresh Fresh) {
	f, _ := populated(t, fresh)
	to := freshSQLite(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := store.Copy(ctx, f.url, to, store.CopyOptions{Progress: func(table string, _ int64, _ bool) {
		if table == "link" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	join := store.Join{Server: "beta", Boot: "b", Group: "plant", HighAvailability: true, Promised: time.Minute}
	if err := openStore(t, to).Join(t.Context(), join); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("a server joins half a copy: %v", err)
	}
	f.exec("UPDATE management_group SET name = 'plant [being moved]'") // as a process that was killed leaves it
	if err := f.db.Join(t.Context(), join); fault.KindOf(err) != fault.Refused {
		t.Errorf("a server joins what is being moved: %v", err)
	}
	out, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{})
	if err != nil || len(out.Tables) < 10 {
		t.Fatalf("begun anew: %+v, %v", out, err)
	}
	f.exec("UPDATE management_group SET name = 'plant [copied] [being moved]'") // as one that was killed at the very end leaves it
	if _, err := store.Copy(t.Context(), f.url, freshSQLite(t), store.CopyOptions{}); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "may be in service") {
		t.Errorf("to a third database while the second may be in service: %v", err)
	}
	if err := f.take(t.Context(), nil, observe("late", alert.Open, "x")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("an alert for a group that may have moved: %v", err)
	}
	if out, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{}); err != nil || !out.Already {
		t.Errorf("once more at the end: %+v, %v", out, err)
	}
}

func copyFailed(t *testing.T, fresh Fresh) {
	f, _ := populated(t, fresh)
	to := freshSQLite(t)
	target := openStore(t, to)
	raw := rawOpen(t, to)
	_, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{Progress: func(table string, rows int64, done bool) {
		if table == "alert" && rows == 500 && !done {
			if _, err := raw.ExecContext(t.Context(), "UPDATE alert SET body = 'another' WHERE id = (SELECT min(id) FROM alert)"); err != nil {
				t.Error(err)
			}
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "table alert is not the same") {
		t.Errorf("a row that changed on the way: %v", err)
	}
	if err := target.Join(t.Context(), store.Join{Server: "x", Boot: "x", HighAvailability: true}); fault.KindOf(err) != fault.Refused {
		t.Errorf("a server joins a copy that failed: %v", err)
	}
	if err := f.db.Join(t.Context(), store.Join{Server: "alpha", Boot: "again", Group: "plant", HighAvailability: true, Promised: time.Minute}); err != nil {
		t.Errorf("the old database is out of service: %v", err)
	}
}

func copyDoubt(t *testing.T, fresh Fresh) {
	f, _ := populated(t, fresh)
	f.exec("UPDATE lease SET identity = 'an older history' WHERE connector = $1", tickets)
	to := freshSQLite(t)
	out, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{})
	if err != nil || !reflect.DeepEqual(out.Doubted, []string{tickets}) {
		t.Fatalf("copy: %+v, %v", out, err)
	}
	raw := rawOpen(t, to)
	var identity string
	if err := raw.QueryRowContext(t.Context(), "SELECT identity FROM lease WHERE connector = $1", tickets).Scan(&identity); err != nil || identity != "an older history" {
		t.Errorf("the copy's lease has the history %q: %v", identity, err)
	}
}

func claimRequest(term ha.Term) forward.ClaimRequest {
	return forward.ClaimRequest{Term: term, View: alert.TermView{Epoch: term.Epoch, Swept: true}, Claim: alert.NewID(), Limit: 1}
}
