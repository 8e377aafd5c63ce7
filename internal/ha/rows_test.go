package ha

import (
	"errors"
	"testing"
	"time"
)

func TestLeaseTransitions(t *testing.T) {
	held := Lease{Connector: "c", Epoch: 7, Beat: 3, Server: "a", Boot: "a1", Promised: time.Minute, Wish: "b", Identity: "h"}
	free := Lease{Connector: "c", Epoch: 7, Beat: 4, Promised: time.Minute, Successor: "b", Identity: "h"}
	take := Take{Connector: "c", Epoch: 7, Beat: 3, Server: "b", Boot: "b1", Promised: time.Second, Identity: "h"}
	release := Release{Connector: "c", Epoch: 7, Boot: "a1", Successor: "b"}

	with := func(l Lease, change func(*Lease)) Lease { change(&l); return l }
	taking := func(change func(*Take)) func(Lease) (Lease, error) {
		x := take
		change(&x)
		return func(l Lease) (Lease, error) { return l.Taken(x) }
	}
	releasing := func(change func(*Release)) func(Lease) (Lease, error) {
		x := release
		change(&x)
		return func(l Lease) (Lease, error) { return l.Released(x) }
	}
	doubting := func(epoch int64, identity string) func(Lease) (Lease, error) {
		return func(l Lease) (Lease, error) { return l.Doubted(epoch, identity) }
	}
	for _, test := range []struct {
		name string
		row  Lease
		do   func(Lease) (Lease, error)
		want Lease // zero: ErrLost, nothing changed
	}{
		{"take", held, taking(func(*Take) {}), Lease{Connector: "c", Epoch: 8, Server: "b", Boot: "b1", Promised: time.Second, Identity: "h"}},
		{"take leaves another's wish", with(held, func(l *Lease) { l.Wish = "x" }), taking(func(*Take) {}),
			Lease{Connector: "c", Epoch: 8, Server: "b", Boot: "b1", Promised: time.Second, Wish: "x", Identity: "h"}},
		{"take what was released", free, taking(func(x *Take) { x.Beat = 4 }), Lease{Connector: "c", Epoch: 8, Server: "b", Boot: "b1", Promised: time.Second, Identity: "h"}},
		{"take after a renewal", held, taking(func(x *Take) { x.Beat = 2 }), Lease{}},
		{"take an epoch that passed", held, taking(func(x *Take) { x.Epoch = 6 }), Lease{}},
		{"take over the history's change", held, taking(func(x *Take) { x.Identity = "h2" }), Lease{}},
		{"release", held, releasing(func(*Release) {}), free},
		{"release by another process", held, releasing(func(x *Release) { x.Boot = "a2" }), Lease{}},
		{"release of another epoch", held, releasing(func(x *Release) { x.Epoch = 6 }), Lease{}},
		{"release twice", free, releasing(func(x *Release) { x.Boot = "" }), Lease{}},
		{"release leaves another's wish", held, releasing(func(x *Release) { x.Successor = "" }),
			with(free, func(l *Lease) { l.Successor, l.Wish = "", "b" })},
		{"doubt", held, doubting(7, "h2"), Lease{Connector: "c", Epoch: 7 + EpochJump, Promised: time.Minute, Wish: "b", Identity: "h2"}},
		{"doubt another epoch", held, doubting(6, "h2"), Lease{}},
		{"doubt the same history", held, doubting(7, "h"), Lease{}},
		{"doubt what nobody ever held", Lease{Connector: "c"}, doubting(0, "h2"), Lease{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.do(test.row)
			want := test.want
			if want == (Lease{}) {
				want = test.row
				if !errors.Is(err, ErrLost) {
					t.Errorf("error %v, want ErrLost", err)
				}
			} else if err != nil {
				t.Errorf("error %v", err)
			}
			if got != want {
				t.Errorf("row %+v, want %+v", got, want)
			}
		})
	}
}

func TestRenewed(t *testing.T) {
	held := Lease{Connector: "c", Epoch: 7, Beat: 3, Server: "a", Boot: "a1", Promised: time.Minute}
	r := Renewal{Connector: "c", Epoch: 7, Promised: time.Second}
	want := held
	want.Beat, want.Promised = 4, time.Second
	if got, ok := held.Renewed(r, "a1"); !ok || got != want {
		t.Errorf("renewed %+v, %v", got, ok)
	}
	if got, ok := held.Renewed(r, "a2"); ok || got != held {
		t.Errorf("renewed by another process: %+v, %v", got, ok)
	}
	if got, ok := held.Renewed(Renewal{Epoch: 6}, "a1"); ok || got != held {
		t.Errorf("renewed in another epoch: %+v, %v", got, ok)
	}
	if _, ok := (Lease{Epoch: 7}).Renewed(r, ""); ok {
		t.Error("renewed although nobody holds it")
	}
}

func TestBeaten(t *testing.T) {
	row := Server{Name: "a", Boot: "a1", Beat: 5, Presence: "p1"}
	beat := func(number int64, boot string) Beat {
		return Beat{Server: "a", Boot: boot, Number: number, Presence: "p2", Version: "v", Promised: time.Minute}
	}
	for _, test := range []struct {
		name string
		beat Beat
		want error
	}{
		{"the next number", beat(6, "a1"), nil},
		{"the same number, its answer was lost", beat(5, "a1"), nil},
		{"a number that passed", beat(4, "a1"), ErrBeat},
		{"a number too far on", beat(7, "a1"), ErrBeat},
		{"another process", beat(6, "a2"), ErrReplaced},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := row.Beaten(test.beat)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			want := row
			if err == nil {
				want = Server{Name: "a", Boot: "a1", Beat: test.beat.Number, Presence: "p2", Version: "v", Promised: time.Minute}
			}
			if got != want {
				t.Errorf("row %+v, want %+v", got, want)
			}
		})
	}
	if _, err := (Server{}).Beaten(beat(1, "a1")); !errors.Is(err, ErrReplaced) {
		t.Errorf("no row: error %v, want ErrReplaced", err)
	}
}

func TestStateOf(t *testing.T) {
	// Each server is given as its silence in seconds; -1 = stopped cleanly, -2 =
	// another process than the lease names; a holds the lease for 90 s.
	for _, test := range []struct {
		name string
		a, b int
		dead []string
		want [2]State
	}{
		{"both well", 10, 10, nil, [2]State{Active, Passive}},
		{"the Active is silent", 90, 10, nil, [2]State{Offline, Passive}},
		{"the Passive is silent", 10, 90, nil, [2]State{Active, Offline}},
		{"the Active died, as its presence tells", 10, 10, []string{"a"}, [2]State{Offline, Passive}},
		{"the Passive died", 10, 10, []string{"b"}, [2]State{Active, Offline}},
		{"all off: the last Active shows until its time is up", 80, 90, []string{"a", "b"}, [2]State{Active, Offline}},
		{"all off, and the time is up", 90, 90, nil, [2]State{Offline, Offline}},
		{"the Active stopped", -1, 10, nil, [2]State{Offline, Passive}},
		{"the Active restarted", -2, 10, nil, [2]State{Passive, Passive}},
	} {
		t.Run(test.name, func(t *testing.T) {
			row := func(name string, s int) Server {
				r := Server{Name: name, Boot: name + "1", Promised: 90 * time.Second, Silence: time.Duration(max(s, 0)) * time.Second}
				switch s {
				case -1:
					r.Boot = ""
				case -2:
					r.Boot = name + "2"
				}
				return r
			}
			g := Group{
				Servers: []Server{row("a", test.a), row("b", test.b)},
				Members: []Member{{Connector: "c", Server: "a", Position: 1}, {Connector: "c", Server: "b", Position: 2}},
				Leases:  []Lease{{Connector: "c", Epoch: 1, Server: "a", Boot: "a1", Promised: 90 * time.Second}},
			}
			dead := map[string]bool{}
			for _, name := range test.dead {
				dead[name] = true
			}
			got := [2]State{StateOf(g, "c", "a", dead), StateOf(g, "c", "b", dead)}
			if got != test.want {
				t.Errorf("states %v, want %v", got, test.want)
			}
			if s := StateOf(g, "c", "x", dead); s != Offline {
				t.Errorf("a server without a row is %v, want Offline", s)
			}
		})
	}
}
