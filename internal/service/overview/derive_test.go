package overview

import (
	"strings"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/store"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// group is a connector "desk" of three servers, of which ams1 is Active.
func group(change func(*reading)) *Snapshot {
	server := func(name string, silence time.Duration) ha.Server {
		return ha.Server{
			Name: name, Boot: "boot-" + name, Presence: "presence-" + name, Version: "1", Promised: 90 * time.Second,
			Silence: silence, HeartbeatAt: noon.Add(-silence),
		}
	}
	member := func(name string, position int) ha.Member {
		return ha.Member{Connector: "desk", Server: name, Position: position, Runs: 4, Eligible: true, Reaches: true}
	}
	r := reading{
		name: "group", now: noon,
		group: ha.Group{
			Servers:  []ha.Server{server("ams1", 4*time.Second), server("fra1", 9*time.Second), server("lon1", 20*time.Second)},
			Members:  []ha.Member{member("lon1", 3), member("ams1", 1), member("fra1", 2)},
			Leases:   []ha.Lease{{Connector: "desk", Epoch: 41, Server: "ams1", Boot: "boot-ams1", Promised: 90 * time.Second}},
			Settings: map[string]ha.Settings{"desk": {Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Version: 4}},
		},
		since:   map[string]time.Time{"desk": noon.Add(-time.Hour)},
		backlog: map[string]store.Backlog{"desk": {Due: 3, Claimed: 2, OldestDue: time.Minute}},
		suspect: map[string]bool{}, dead: map[string]bool{},
		delivered: map[string]int64{"desk": 60},
	}
	change(&r)
	return derive(r)
}

func TestDerive(t *testing.T) {
	silent := func(r *reading, who ...int) {
		for _, i := range who {
			r.group.Servers[i].Silence = 100 * time.Second
		}
	}
	for name, c := range map[string]struct {
		change   func(*reading)
		active   string
		next     string
		states   string // in order
		standing Standing
		of       string
		urgent   string // part of the most urgent attention; "" = none
	}{
		"all is well":                 {func(*reading) {}, "ams1", "fra1", "Active Passive Passive", Plain, "ams1", ""},
		"a Passive died":              {func(r *reading) { r.dead["fra1"] = true }, "ams1", "lon1", "Active Offline Passive", Dead, "fra1", "Server fra1 is Offline"},
		"the Active died":             {func(r *reading) { r.dead["ams1"] = true }, "", "fra1", "Offline Passive Passive", Dead, "ams1", "Nobody is Active"},
		"the Active is suspect":       {func(r *reading) { r.suspect["ams1"] = true }, "ams1", "fra1", "Active Passive Passive", Suspect, "ams1", ""},
		"a suspect is not counted on": {func(r *reading) { r.suspect["fra1"] = true }, "ams1", "lon1", "Active Passive Passive", Suspect, "fra1", ""},
		"all died: the last Active stays until its lease has run out": {
			func(r *reading) { r.dead = map[string]bool{"ams1": true, "fra1": true, "lon1": true} },
			"ams1", "", "Active Offline Offline", Dead, "ams1", "ams1 is known dead, last heard 22 Nov 11:59:56 UTC, and no other server can take over",
		},
		"all are silent": {func(r *reading) { silent(r, 0, 1, 2); r.group.Servers[0].HeartbeatAt = noon.Add(-100 * time.Second) },
			"", "", "Offline Offline Offline", Silent, "ams1", "Nobody is Active. ams1 was, and was last heard 22 Nov 11:58:20 UTC."},
		"the Active let go": {func(r *reading) { silent(r, 0, 1, 2); r.group.Leases[0].Server, r.group.Leases[0].Boot = "", "" },
			"", "", "Offline Offline Offline", Silent, "ams1", "Nobody is Active since 22 Nov 11:00:00 UTC."},
		"the Active started anew": {func(r *reading) { silent(r, 1, 2); r.group.Servers[0].Boot = "boot-2"; r.group.Servers[0].Silence = 0 },
			"", "ams1", "Passive Offline Offline", Plain, "ams1", "Nobody is Active. ams1 was, and its process is gone."},
		"stopped as planned": {func(r *reading) { r.group.Servers[1].Boot = "" }, "ams1", "lon1", "Active Offline Passive", Stopped, "fra1", ""},
		"asked to hand over": {func(r *reading) { r.group.Leases[0].Wish = "fra1" }, "ams1", "fra1", "Active Passive Passive", Draining, "ams1", ""},
		"cannot run the document": {func(r *reading) {
			r.group.Members[2].Eligible, r.group.Members[2].Reason = false, "secret env:X is not set"
		}, "ams1", "lon1", "Active Passive Passive", NotEligible, "fra1", "cannot run document version 4"},
		"parked": {func(r *reading) { r.backlog["desk"] = store.Backlog{Parked: 1} }, "ams1", "fra1", "Active Passive Passive", Plain, "fra1", "1 link is parked"},
		"late":   {func(r *reading) { r.backlog["desk"] = store.Backlog{OldestDue: time.Hour} }, "ams1", "fra1", "Active Passive Passive", Plain, "fra1", "waiting for 1h"},
	} {
		t.Run(name, func(t *testing.T) {
			s := group(c.change)
			k, ok := s.Connector("desk")
			if !ok {
				t.Fatal("the connector is not there")
			}
			var states []string
			for i, m := range k.Members {
				states = append(states, string(m.State))
				if m.Rank != i+1 {
					t.Errorf("%s has rank %d at place %d", m.Server, m.Rank, i+1)
				}
			}
			next, _ := k.Next()
			if k.Active != c.active || next.Server != c.next || strings.Join(states, " ") != c.states {
				t.Errorf("Active %q, next %q, states %s; want %q, %q, %s", k.Active, next.Server, states, c.active, c.next, c.states)
			}
			m, _ := k.Member(c.of)
			if m.Standing != c.standing || (m.Why == "") != (c.standing == Plain) {
				t.Errorf("%s is %q (%s), want %q", c.of, m.Standing, m.Why, c.standing)
			}
			all := s.Attention()
			if c.urgent == "" && len(all) > 0 || c.urgent != "" && (len(all) == 0 || !strings.Contains(all[0].What, c.urgent)) {
				t.Errorf("what needs a person is %+v, want first %q", all, c.urgent)
			}
		})
	}
}

// TestWhatBecomesOfAlertsMeanwhile says that alerts are stored only where somebody takes them in.
func TestWhatBecomesOfAlertsMeanwhile(t *testing.T) {
	const stored, untaken = "Alerts are stored and not forwarded.", "nobody takes alerts in: sources get no answer and must repeat them"
	all := func(r *reading, each func(*ha.Server)) {
		for i := range r.group.Servers {
			each(&r.group.Servers[i])
		}
	}
	elsewhere := ha.Server{Name: "rom1", Boot: "b", Promised: time.Minute} // serves other connectors
	ineligible := func(r *reading) {
		for i := range r.group.Members {
			r.group.Members[i].Eligible = false
		}
		r.group.Leases[0].Server, r.group.Leases[0].Boot = "", ""
	}
	kill := func(r *reading) { all(r, func(v *ha.Server) { r.dead[v.Name] = true }) }
	for name, c := range map[string]struct {
		change         func(*reading)
		what, then, do string
	}{
		"all known dead, lease runs":     {kill, "is known dead, last heard", untaken, "Start one of its servers"},
		"all known dead, lease over":     {func(r *reading) { kill(r); all(r, func(v *ha.Server) { v.Silence = time.Hour }) }, "Nobody is Active", untaken, "Start one of its servers"},
		"all stopped":                    {func(r *reading) { all(r, func(v *ha.Server) { v.Boot = "" }) }, "Nobody is Active", untaken, "Start one of its servers"},
		"nobody ever joined":             {func(r *reading) { r.group.Servers, r.group.Members = nil, nil }, "No server serves it", untaken, "Start a server"},
		"its own dead, another is on":    {func(r *reading) { kill(r); r.group.Servers = append(r.group.Servers, elsewhere) }, "is known dead", stored, "Start one of its servers"},
		"none serves it, another is on":  {func(r *reading) { r.group.Servers, r.group.Members = []ha.Server{elsewhere}, nil }, "No server serves it", stored, "Start a server"},
		"on, and none eligible":          {ineligible, "Nobody is Active", stored, "cannot take over: mend the reason"},
		"one is left and not eligible":   {func(r *reading) { ineligible(r); r.dead["ams1"], r.dead["fra1"] = true, true }, "Nobody is Active", stored, "cannot take over: mend the reason"},
		"the Active died, another is on": {func(r *reading) { r.dead["ams1"] = true }, "Nobody is Active", stored, "does so by itself"},
	} {
		not := map[string]string{stored: untaken, untaken: stored}[c.then]
		k, _ := group(c.change).Connector("desk")
		if len(k.Attention()) == 0 {
			t.Errorf("%s: nothing needs a person", name)
			continue
		}
		got := k.Attention()[0]
		if got.Urgency != Urgent || !strings.Contains(got.What, c.what) || !strings.Contains(got.Do, c.do) || !strings.Contains(got.What, c.then) || strings.Contains(got.What, not) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAllAreSuspect is the moment after all were killed: nothing is said of what would be
// "if" the Active failed.
func TestAllAreSuspect(t *testing.T) {
	k, _ := group(func(r *reading) { r.suspect = map[string]bool{"ams1": true, "fra1": true, "lon1": true} }).Connector("desk")
	all := k.Attention()
	if len(all) != 1 || all[0].Urgency != Urgent || !strings.Contains(all[0].What, "just dropped the session lock of ams1, and no other server can take over") {
		t.Errorf("needs %+v", all)
	}
}

func TestOrderComesFromThePositions(t *testing.T) {
	k, _ := group(func(*reading) {}).Connector("desk")
	if got := strings.Join(k.Order(), " "); got != "ams1 fra1 lon1" {
		t.Errorf("the order is %s", got)
	}
	if k.Work != (Work{Due: 3, InFlight: 2, OldestDue: time.Minute, PerMinute: 60}) {
		t.Errorf("the work is %+v", k.Work)
	}
}

func TestServersTellWhatTheyDo(t *testing.T) {
	s := group(func(r *reading) { r.group.Servers[2].Presence = ""; r.dead["fra1"] = true })
	if a := s.Servers[0]; !a.On || len(a.Active) != 1 || len(a.Others) != 0 || a.WithoutPresence {
		t.Errorf("ams1 is %+v", a)
	}
	if f := s.Servers[1]; f.On || len(f.Others) != 1 || f.Others[0] != "desk" || f.Standing != Dead || f.Why == "" {
		t.Errorf("fra1 is %+v", f)
	}
	if l := s.Servers[2]; !l.On || !l.WithoutPresence {
		t.Errorf("lon1 is %+v", l)
	}
}

func TestSuspicionTakesTheGrace(t *testing.T) {
	s := suspicions{since: map[string]time.Time{}}
	servers := []ha.Server{{Name: "one", Boot: "b", Presence: "p1", Promised: time.Minute}}
	gone := map[string]bool{"p1": true}
	now := time.Now()
	suspect, dead := s.judge(servers, gone, now)
	if !suspect["one"] || dead["one"] {
		t.Error("who is seen without its presence for the first time is suspect")
	}
	if suspect, dead = s.judge(servers, gone, now.Add(reconnectGrace)); suspect["one"] || !dead["one"] {
		t.Error("who stays without it is dead")
	}
	servers[0].Presence = "p2" // it reconnected
	if suspect, dead = s.judge(servers, gone, now.Add(time.Second)); suspect["one"] || dead["one"] {
		t.Error("a new presence clears the suspicion")
	}
	servers[0].Presence = "p1"
	if suspect, _ = s.judge(servers, gone, now.Add(2*time.Second)); !suspect["one"] {
		t.Error("a suspicion that was cleared begins anew")
	}
}
