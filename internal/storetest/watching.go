package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tieline/internal/ha"
	"tieline/internal/store"
)

// watching is what people are shown of the group.
var watching = map[string]func(*testing.T, Fresh){
	"GlanceSeesTheGroupOfTheServers":     testGlance,
	"GlanceGrowsWithWhatChanges":         testGlanceGrows,
	"AddressesStandInOrder":              testServerAddresses,
	"ThroughputIsTheSumOfTheServers":     testThroughput,
	"ThroughputOfTheDeadIsForgotten":     testThroughputOld,
	"UnheldAreThePresencesOfNobody":      testUnheld,
	"HistoriesComeInPagesNewestFirst":    testHistoryPages,
	"DocumentsComeWithTheirTextOnDemand": testDocumentLog,
}

// testGlance shows that people see the group that the servers read.
func testGlance(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	for _, server := range []string{"second", "first"} {
		err := f.db.Join(t.Context(), store.Join{Server: server, Address: "http://" + server, Boot: server, HighAvailability: true, Promised: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
	}
	g, err := f.db.Glance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now, err := f.db.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g.Now.IsZero() || g.Now.After(now) || len(g.Since) != 2 || g.Since[tickets].IsZero() || g.Since[tickets].After(g.Now) {
		t.Errorf("the glance is %+v, read before %s", g, now)
	}
	want, err := f.db.ReadGroup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	diff := cmp.Diff(want, g.Group,
		cmpopts.IgnoreFields(ha.Group{}, "Identity"), cmpopts.IgnoreFields(ha.Server{}, "Silence", "Beat"),
		cmpopts.IgnoreFields(ha.Lease{}, "Beat", "Successor", "Identity", "Waiting"), cmpopts.IgnoreFields(ha.Settings{}, "Window", "Settle"),
		cmpopts.SortSlices(func(a, b ha.Member) bool { return a.Connector+" "+a.Server < b.Connector+" "+b.Server }),
		cmpopts.SortSlices(func(a, b ha.Lease) bool { return a.Connector < b.Connector }))
	if diff != "" || len(want.Leases) != 2 || len(want.Members) < 4 {
		t.Errorf("what people see of the group differs from what servers read (-servers +people):\n%s", diff)
	}
}

// testServerAddresses shows where alerts may be posted to, first to those that
// stand first.
func testServerAddresses(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	for _, server := range []string{"west", "east", "bare"} {
		join := store.Join{Server: server, Address: "http://" + server, Boot: server, HighAvailability: true, Promised: time.Minute}
		if server == "bare" {
			join.Address = ""
		}
		if err := f.db.Join(t.Context(), join); err != nil {
			t.Fatal(err)
		}
	}
	for connector, want := range map[string][]string{tickets: {"http://west", "http://east"}, "another": {"http://east", "http://west"}} {
		if got := must(f.db.ServerAddresses(t.Context(), connector))(t); !slices.Equal(got, want) {
			t.Errorf("for %s the addresses are %q, want %q", connector, got, want)
		}
	}
}

// testGlanceGrows shows that each mark of a glance grows with what it is about.
func testGlanceGrows(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	marks := func() [3]int64 {
		g, err := f.db.Glance(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return [3]int64{g.Alerts, g.Changes, g.Documents}
	}
	before := marks()
	err := f.db.Join(t.Context(), store.Join{Server: "another", Boot: "another", HighAvailability: true, Promised: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	joined := marks()
	if joined[1] <= before[1] || joined[0] != before[0] || joined[2] != before[2] {
		t.Errorf("a server joined, and the marks went from %v to %v", before, joined)
	}
	if _, err := f.raw.ExecContext(t.Context(), "UPDATE management_group SET generation = generation + 1"); err != nil {
		t.Fatal(err)
	}
	if applied := marks(); applied[2] <= joined[2] || applied[1] != joined[1] {
		t.Errorf("a document was applied, and the marks went from %v to %v", joined, applied)
	}
}

func testThroughput(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.told("one", map[string]int64{tickets: 7, files: 2})
	f.told("two", map[string]int64{tickets: 5})
	f.throughputIs(map[string]int64{tickets: 12, files: 2})
	f.told("one", map[string]int64{tickets: 1})
	f.throughputIs(map[string]int64{tickets: 6})
	f.told("one", nil)
	f.told("two", nil)
	f.throughputIs(map[string]int64{})
}

func testThroughputOld(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.told("one", map[string]int64{tickets: 7})
	if _, err := f.raw.ExecContext(t.Context(), "UPDATE throughput SET at = at - 120000000"); err != nil {
		t.Fatal(err)
	}
	f.throughputIs(map[string]int64{})
}

func (f *fixture) told(server string, delivered map[string]int64) {
	f.Helper()
	if err := f.db.SaveThroughput(f.Context(), server, delivered); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) throughputIs(want map[string]int64) {
	f.Helper()
	have, err := f.db.Throughput(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	if len(have) != len(want) {
		f.Fatalf("delivered: %v, want %v", have, want)
	}
	for name, n := range want {
		if have[name] != n {
			f.Fatalf("delivered: %v, want %v", have, want)
		}
	}
}

func testUnheld(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	if err := f.db.Join(t.Context(), store.Join{Server: "one", Boot: "b1", HighAvailability: true, Promised: time.Minute}); err != nil {
		t.Fatal(err)
	}
	held, err := f.db.Coordinator().Open(t.Context(), "one", "b1")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if held.Presence() == "" {
		return // an engine, or a way to it, without presences
	}
	gone, err := f.db.Coordinator().Open(t.Context(), "one", "b1")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	// A closed connection's lock is let go a moment later.
	deadline := time.Now().Add(30 * time.Second)
	for {
		unheld, err := f.db.Unheld(t.Context(), []string{held.Presence(), gone.Presence()})
		if err != nil {
			t.Fatal(err)
		}
		if unheld[held.Presence()] {
			t.Fatal("a presence that is held counts as held by nobody")
		}
		if unheld[gone.Presence()] {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a presence that nobody holds counts as held")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func testHistoryPages(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	for _, server := range []string{"one", "two", "three"} {
		err := f.db.Join(t.Context(), store.Join{Server: server, Boot: server, HighAvailability: true, Promised: time.Minute, Connectors: []string{tickets}})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A second apart: some engines' clocks tell milliseconds alike.
	if _, err := f.raw.ExecContext(t.Context(), "UPDATE availability_event SET at = 1000000 * id"); err != nil {
		t.Fatal(err)
	}
	all, err := f.db.AvailabilityEvents(t.Context(), store.HistoryQuery{Connector: tickets})
	if err != nil || len(all) != 3 || all[0].To != "three" || all[2].To != "one" {
		t.Fatalf("events %+v, %v", all, err)
	}
	one, err := f.db.AvailabilityEvents(t.Context(), store.HistoryQuery{Connector: tickets, Before: all[0].At, Limit: 1})
	if err != nil || len(one) != 1 || !one[0].At.Before(all[0].At) {
		t.Errorf("the page before %s is %+v, %v", all[0].At, one, err)
	}
	since, err := f.db.AvailabilityEvents(t.Context(), store.HistoryQuery{Since: all[0].At})
	if err != nil || len(since) != 1 || since[0].ID != all[0].ID {
		t.Errorf("since %s: %+v, %v", all[0].At, since, err)
	}
}

func testDocumentLog(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	second := document(tickets)
	second.Text, second.Settings.Failback = second.Text+"description: second\n", ha.Automatic
	if _, err := f.db.SaveDocument(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	all, err := f.db.DocumentLog(t.Context(), store.HistoryQuery{})
	if err != nil || len(all) != 3 {
		t.Fatalf("versions %+v, %v", all, err)
	}
	newest := slices.IndexFunc(all, func(d store.StoredDocument) bool { return d.Connector == tickets })
	if all[newest].Version != 2 || all[newest].Text != "" || all[newest].Who != "ann" {
		t.Errorf("the newest is %+v", all[newest])
	}
	texts, err := f.db.DocumentLog(t.Context(), store.HistoryQuery{Connector: tickets, Texts: true, Limit: 1})
	if err != nil || len(texts) != 1 || texts[0].Text != second.Text {
		t.Errorf("texts %+v, %v", texts, err)
	}
}
