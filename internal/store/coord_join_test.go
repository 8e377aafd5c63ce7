package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/fault"
	"tieline/internal/ha"
)

// refused fails unless the error is of the kind and its message names all words.
func refused(t *testing.T, what string, err error, kind fault.Kind, words ...string) {
	t.Helper()
	if fault.KindOf(err) != kind {
		t.Errorf("%s: %v, want a refusal of kind %d", what, err, kind)
		return
	}
	for _, word := range words {
		if !strings.Contains(fault.Message(err), word) {
			t.Errorf("%s: the message %q does not say %q", what, fault.Message(err), word)
		}
	}
}

func TestJoinKeepsGroupsApart(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		join(t, db, "north")
		if g, err := db.Group(t.Context()); err != nil || g.Name != "plant" {
			t.Errorf("group %q, %v", g.Name, err)
		}
		other := joining("south")
		other.Group = "office"
		refused(t, "join of another group", db.Join(t.Context(), other), fault.Refused, "plant", "office", "south")
		other.Group = ""
		if err := db.Join(t.Context(), other); err != nil {
			t.Errorf("join of any group: %v", err)
		}
	})
}

func TestJoinNeedsHighAvailabilityToShare(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		addConnector(t, db, "pager")
		alone := joining("alone", "desk")
		alone.HighAvailability = false
		if err := db.Join(t.Context(), alone); err != nil {
			t.Fatal(err)
		}
		refused(t, "join of a server beside one without", db.Join(t.Context(), joining("second")), fault.Refused, "second", "alone", "desk")
		join(t, db, "third", "pager") // they share nothing
		second := joining("fourth", "pager")
		second.HighAvailability = false
		refused(t, "join of a server without beside one with", db.Join(t.Context(), second), fault.Refused, "fourth", "third", "pager")
		refused(t, "a new connector shared with one without",
			db.JoinConnectors(t.Context(), "third", "third-boot", []string{"desk"}), fault.Refused, "third", "alone", "desk")
		if servers, _ := orderOf(t, db, "desk"); !slices.Equal(servers, []string{"alone"}) {
			t.Errorf("a refused join left a membership: %v", servers)
		}
	})
}

func TestJoinRefusesASecondLiveProcess(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "north")
		s := openSession(t, db, "north")
		mustBeat(t, s, beatOf("north", 1, s))
		twin := joining("north")
		twin.Boot = "twin-boot"
		refused(t, "a second process", db.Join(t.Context(), twin), fault.Refused, "north", "already running")

		if err := db.Join(t.Context(), joining("north")); err != nil {
			t.Errorf("the same process again: %v", err)
		}
		mustBeat(t, s, beatOf("north", 2, s))

		_ = s.Close() // as the database does when the process dies
		if err := db.Join(t.Context(), twin); err != nil {
			t.Errorf("join after the process died: %v", err)
		}
		g, err := db.ReadGroup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if north := serverOf(g, "north"); north.Boot != "twin-boot" || north.Beat != 0 || north.Presence != "" {
			t.Errorf("the row still shows the earlier process: %+v", north)
		}
		third := joining("north")
		third.Boot = "third-boot"
		refused(t, "a third process while the second starts", db.Join(t.Context(), third), fault.Refused, "north")
		run(t, db, "UPDATE server SET heartbeat_at = heartbeat_at - 6000000")
		if err := db.Join(t.Context(), third); err != nil {
			t.Errorf("join after the second never beat: %v", err)
		}
		if err := db.Leave(t.Context(), "north", "third-boot"); err != nil {
			t.Fatal(err)
		}
		if err := db.Join(t.Context(), twin); err != nil {
			t.Errorf("join after a clean stop: %v", err)
		}
	})
}

func TestJoinWithoutPresenceTrustsHeartbeats(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		join(t, db, "north")
		s := openSession(t, db, "north")
		b := beatOf("north", 1, s)
		b.Presence = ""
		mustBeat(t, s, b)
		_ = s.Close()
		twin := joining("north")
		twin.Boot = "twin-boot"
		refused(t, "a second process, no presence", db.Join(t.Context(), twin), fault.Refused, "north", "its name is free in")
		run(t, db, "UPDATE server SET heartbeat_at = heartbeat_at - promised")
		if err := db.Join(t.Context(), twin); err != nil {
			t.Errorf("join after its promised length: %v", err)
		}
	})
}

func TestJoinOfOneNameAtOnceLetsOneIn(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		errs := make([]error, 4)
		var all sync.WaitGroup
		for i := range errs {
			db := open(t, url)
			all.Go(func() {
				j := joining("north")
				j.Boot = fmt.Sprint("boot-", i)
				errs[i] = db.Join(context.Background(), j)
			})
		}
		all.Wait()
		in := 0
		for _, err := range errs {
			if err == nil {
				in++
			} else {
				refused(t, "a contender", err, fault.Refused, "north")
			}
		}
		if in != 1 {
			t.Errorf("%d of 4 processes joined under one name", in)
		}
	})
}

func TestMembershipsFollowTheConnectors(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "a", "desk", "later")
		join(t, db, "b")
		join(t, db, "c")
		addConnector(t, db, "later")
		for _, server := range []string{"b", "a"} {
			if err := db.JoinConnectors(t.Context(), server, server+"-boot", nil); err != nil {
				t.Fatal(err)
			}
		}
		if servers, positions := orderOf(t, db, "later"); !slices.Equal(servers, []string{"b", "a"}) || !slices.Equal(positions, []int{1, 2}) {
			t.Errorf("order of the new connector: %v %v", servers, positions)
		}
		join(t, db, "a", "later") // its setting no longer names desk
		if servers, positions := orderOf(t, db, "desk"); !slices.Equal(servers, []string{"b", "c"}) || !slices.Equal(positions, []int{1, 2}) {
			t.Errorf("order after a server left the connector: %v %v", servers, positions)
		}
		if err := db.JoinConnectors(t.Context(), "a", "old-boot", nil); !errors.Is(err, ha.ErrReplaced) {
			t.Errorf("join by a replaced process: %v, want ErrReplaced", err)
		}
	})
}

func TestMoveKeepsPositionsUnique(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		names := []string{"a", "b", "c", "d"}
		for _, name := range names {
			join(t, db, name)
		}
		if err := db.Move(t.Context(), "desk", "c", -1, "ann"); err != nil {
			t.Fatal(err)
		}
		if err := db.Move(t.Context(), "desk", "a", +1, "ann"); err != nil {
			t.Fatal(err)
		}
		if servers, _ := orderOf(t, db, "desk"); !slices.Equal(servers, []string{"c", "a", "b", "d"}) {
			t.Errorf("order %v", servers)
		}
		refused(t, "up from the top", db.Move(t.Context(), "desk", "c", -1, "ann"), fault.Refused, "c", "desk")
		refused(t, "down from the bottom", db.Move(t.Context(), "desk", "d", +1, "ann"), fault.Refused, "d", "desk")
		refused(t, "a stranger", db.Move(t.Context(), "desk", "x", +1, "ann"), fault.NotFound, "x", "desk")

		var all sync.WaitGroup
		for i, name := range names {
			other := open(t, url)
			all.Go(func() {
				for n := range 6 {
					err := other.Move(context.Background(), "desk", name, 1-2*((i+n)%2), "ann")
					if err != nil && fault.KindOf(err) != fault.Refused {
						t.Errorf("move: %v", err)
					}
				}
			})
		}
		all.Wait()
		servers, positions := orderOf(t, db, "desk")
		slices.Sort(servers)
		if !slices.Equal(servers, names) || !slices.Equal(positions, []int{1, 2, 3, 4}) {
			t.Errorf("after concurrent moves: %v at %v", servers, positions)
		}
		history, err := db.AvailabilityHistory(t.Context(), "desk", 1000)
		if err != nil || len(history) < 6 || history[0].Who != "ann" {
			t.Errorf("history: %v, %v", history, err)
		}
	})
}

// eligible lets a server beat and report that it can run the connector.
func eligible(t *testing.T, db *DB, server, connector string) ha.Session {
	t.Helper()
	s := openSession(t, db, server)
	b := beatOf(server, 1, s)
	b.Reports = []ha.Report{{Connector: connector, Runs: 1, Eligible: true, Reaches: true}}
	mustBeat(t, s, b)
	return s
}

func TestWishNamesWhoCan(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		for _, name := range []string{"a", "b", "c", "d"} {
			join(t, db, name)
		}
		a := eligible(t, db, "a", "desk")
		refused(t, "a wish for a server that cannot", db.Wish(t.Context(), "desk", "b", "ann"), fault.Refused, "b", "desk", notReported)
		mustTake(t, a, "desk", "a")
		refused(t, "a wish when nobody else can", db.Wish(t.Context(), "desk", "", "ann"), fault.Refused, "desk")
		eligible(t, db, "c", "desk")
		eligible(t, db, "d", "desk")
		for server, want := range map[string]string{"": "c", "d": "d"} {
			if err := db.Wish(t.Context(), "desk", server, "ann"); err != nil {
				t.Fatal(err)
			}
			if g, _ := db.ReadGroup(t.Context()); leaseOf(g, "desk").Wish != want {
				t.Errorf("a wish for %q: the lease wishes %q, want %q", server, leaseOf(g, "desk").Wish, want)
			}
		}
		refused(t, "a wish for a stranger", db.Wish(t.Context(), "desk", "x", "ann"), fault.NotFound, "x", "desk")
		refused(t, "a wish for an unknown connector", db.Wish(t.Context(), "nowhere", "a", "ann"), fault.NotFound, "nowhere")
		run(t, db, "UPDATE server SET heartbeat_at = heartbeat_at - promised WHERE name = 'd'")
		refused(t, "a wish for a server that is Offline", db.Wish(t.Context(), "desk", "d", "ann"), fault.Refused, "d", "Offline")
	})
}

// TestWishForADeadServerIsRefused: one whose presence nobody holds is Offline,
// however young its heartbeat; so is the Active itself.
func TestWishForADeadServerIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		for _, name := range []string{"a", "b", "c"} {
			join(t, db, name)
		}
		a, b := eligible(t, db, "a", "desk"), eligible(t, db, "b", "desk")
		mustTake(t, a, "desk", "a")
		dies(t, db, b)
		refused(t, "a wish for a dead server", db.Wish(t.Context(), "desk", "b", "ann"), fault.Refused, "b", "Offline")
		refused(t, "a wish when the other is dead", db.Wish(t.Context(), "desk", "", "ann"), fault.Refused, "desk")
		eligible(t, db, "c", "desk")
		dies(t, db, a)
		refused(t, "a wish for the dead Active", db.Wish(t.Context(), "desk", "a", "ann"), fault.Refused, "a", "Offline")
		if err := db.Wish(t.Context(), "desk", "", "ann"); err != nil {
			t.Fatal(err)
		}
		if g, _ := db.ReadGroup(t.Context()); leaseOf(g, "desk").Wish != "c" {
			t.Errorf("the lease wishes %q, want c, the only one that lives", leaseOf(g, "desk").Wish)
		}
	})
}

// dies closes a session and waits until the database has dropped its presence.
func dies(t *testing.T, db *DB, s ha.Session) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		unheld, err := db.Unheld(t.Context(), []string{s.Presence()})
		switch {
		case err != nil:
			t.Fatal(err)
		case unheld[s.Presence()]:
			return
		case time.Since(begun) > time.Minute:
			t.Fatal("the presence of a closed session is still held")
		}
	}
}

// TestWishEndsWithItsServer: it is withdrawn by whoever sees the server Offline, and
// by the server's end and new start, and each tells so.
func TestWishEndsWithItsServer(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "a")
		join(t, db, "b")
		epoch := mustTake(t, eligible(t, db, "a", "desk"), "desk", "a").Epoch
		eligible(t, db, "b", "desk")
		withdraw := func(epoch int64, boot string) func() error {
			return func() error { return db.WithdrawWish(t.Context(), "desk", epoch, "b", boot) }
		}
		again := joining("b")
		again.Boot = "b-again"
		for _, c := range []struct {
			name string
			end  func() error
			want string
		}{
			{"of another term", withdraw(epoch-1, "b-boot"), "b"},
			{"of another process", withdraw(epoch, "b-before"), "b"},
			{"withdrawn", withdraw(epoch, "b-boot"), ""},
			{"it stops as planned", func() error { return db.Leave(t.Context(), "b", "b-boot") }, ""},
			{"it starts anew", func() error { return db.Join(t.Context(), again) }, ""},
		} {
			run(t, db, "UPDATE lease SET wish = 'b' WHERE connector = 'desk'")
			if err := c.end(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			g, err := db.ReadGroup(t.Context())
			if err != nil || leaseOf(g, "desk").Wish != c.want {
				t.Errorf("%s: the lease wishes %q, want %q: %v", c.name, leaseOf(g, "desk").Wish, c.want, err)
			}
		}
		events, err := db.AvailabilityHistory(t.Context(), "desk", 1000)
		told := 0
		for _, e := range events {
			if e.Reason == WishWithdrawn && e.To == "b" && e.Epoch == epoch {
				told++
			}
		}
		if err != nil || told != 3 {
			t.Errorf("told %d times, want 3: %v, %v", told, events, err)
		}
	})
}

func TestRemoveServerSwitchesOverFirst(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "a")
		a := eligible(t, db, "a", "desk")
		refused(t, "removing the last", db.RemoveServer(t.Context(), "a", "ann"), fault.Refused, "a", "last")
		for _, name := range []string{"b", "c"} {
			join(t, db, name)
		}
		eligible(t, db, "b", "desk")
		refused(t, "removing a stranger", db.RemoveServer(t.Context(), "x", "ann"), fault.NotFound, "x")
		l := mustTake(t, a, "desk", "a")
		refused(t, "removing the Active", db.RemoveServer(t.Context(), "a", "ann"), fault.Refused, "a", "desk", "again")
		if g, _ := db.ReadGroup(t.Context()); leaseOf(g, "desk").Wish != "b" {
			t.Errorf("the lease wishes %q, want b", leaseOf(g, "desk").Wish)
		}
		r := ha.Release{Connector: "desk", Epoch: l.Epoch, Boot: "a-boot", Successor: "b", Reason: ha.ReasonWish}
		if err := a.Release(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := db.RemoveServer(t.Context(), "a", "ann"); err != nil {
			t.Fatal(err)
		}
		if servers, positions := orderOf(t, db, "desk"); !slices.Equal(servers, []string{"b", "c"}) || !slices.Equal(positions, []int{1, 2}) {
			t.Errorf("order after the removal: %v %v", servers, positions)
		}
		if _, err := a.Beat(t.Context(), beatOf("a", 2, a)); !errors.Is(err, ha.ErrReplaced) {
			t.Errorf("beat of the removed server: %v, want ErrReplaced", err)
		}
	})
}

// TestJoinAloneBeforeTheFirstConnector: a second server is refused at its start,
// not when a connector is applied that it cannot share.
func TestJoinAloneBeforeTheFirstConnector(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		alone := joining("a")
		alone.HighAvailability = false
		if err := db.Join(t.Context(), alone); err != nil {
			t.Fatal(err)
		}
		refused(t, "a second server", db.Join(t.Context(), joining("b")), fault.Refused, "a", "b", "high availability")
		if err := db.Join(t.Context(), joining("b", "other")); err != nil {
			t.Errorf("a server of a connector of its own: %v", err)
		}
		alone2 := joining("d")
		alone2.HighAvailability = false
		refused(t, "a third server", db.Join(t.Context(), alone2), fault.Refused, "servers a and b", "d was set up without")
		if err := db.Leave(t.Context(), "a", alone.Boot); err != nil {
			t.Fatal(err)
		}
		if err := db.Join(t.Context(), joining("c")); err != nil {
			t.Errorf("beside a server that left: %v", err)
		}
	})
}

// TestRemoveTheLastServerOfAConnector: another server of the group does not help a
// connector that it does not serve.
func TestRemoveTheLastServerOfAConnector(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		for server, connector := range map[string]string{"a": "desk", "b": "other"} {
			addConnector(t, db, connector)
			join(t, db, server, connector)
		}
		refused(t, "removing the last", db.RemoveServer(t.Context(), "a", "ann"), fault.Refused, "a", "last", "desk")
	})
}

func TestRemoveServerThatDiedAsActive(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "a")
		join(t, db, "b")
		l := mustTake(t, eligible(t, db, "a", "desk"), "desk", "a")
		run(t, db, "UPDATE server SET heartbeat_at = heartbeat_at - promised WHERE name = 'a'")
		if err := db.RemoveServer(t.Context(), "a", "ann"); err != nil {
			t.Fatal(err)
		}
		g, err := db.ReadGroup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := leaseOf(g, "desk"); got.Server != "" || got.Epoch != l.Epoch || got.Beat <= l.Beat {
			t.Errorf("the lease after the removal: %+v", got)
		}
	})
}

func TestHeartbeatAgeIsTheDatabases(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		join(t, db, "a")
		run(t, db, "UPDATE server SET heartbeat_at = heartbeat_at - 3600000000")
		g, err := db.ReadGroup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := serverOf(g, "a"); s.Silence < time.Hour || s.Silence > 2*time.Hour {
			t.Errorf("silence %v, want about an hour", s.Silence)
		}
		if diff := cmp.Diff([]ha.Lease(nil), g.Leases); diff != "" {
			t.Errorf("leases without connectors:\n%s", diff)
		}
	})
}
