package availability

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/service/overview"
	"tieline/internal/store"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }

func took(minutes float64, from, to string, reason ha.Reason) store.AvailabilityEvent {
	return store.AvailabilityEvent{At: at(minutes), From: from, To: to, Reason: string(reason)}
}

// term is a take-over under an epoch, and sign what is known of the end of one.
func term(minutes float64, from, to string, reason ha.Reason, epoch int64) store.AvailabilityEvent {
	e := took(minutes, from, to, reason)
	e.Epoch = epoch
	return e
}

func known(minutes float64, of string, epoch int64, reason string) store.AvailabilityEvent {
	return store.AvailabilityEvent{At: at(minutes), From: of, Epoch: epoch, Reason: reason}
}

func desk(active string) overview.Connector {
	c := overview.Connector{Name: "desk", Active: active, Epoch: 7, Settings: ha.Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Version: 4}}
	for i, name := range []string{"ams1", "fra1", "lon1"} {
		m := overview.Member{Server: name, Rank: i + 1, State: ha.Passive, Eligible: true, Reaches: true, Runs: 4, Last: overview.Heartbeat{At: at(59)}}
		if name == active {
			m.State = ha.Active
		}
		c.Members = append(c.Members, m)
	}
	return c
}

// drawn writes bands and gaps as a text, in minutes after noon.
func drawn(h History) string {
	m := func(t time.Time) string { return fmt.Sprintf("%.3g", t.Sub(noon).Minutes()) }
	var parts []string
	for _, b := range h.Bands {
		parts = append(parts, fmt.Sprintf("%s %s-%s%s%s", b.Server, m(b.From), m(b.To), map[bool]string{true: " open"}[b.Open], map[bool]string{true: " earlier"}[b.Earlier]))
	}
	for _, g := range h.Gaps {
		from := m(g.From)
		if !g.Latest.Equal(g.From) {
			from += ".." + m(g.Latest)
		}
		parts = append(parts, fmt.Sprintf("gap %s-%s %s%s%s%s", from, m(g.To), g.Reason, map[bool]string{true: " planned"}[g.Planned],
			map[bool]string{true: " unknown"}[g.Unknown], map[bool]string{true: " open"}[g.Open]))
	}
	return strings.Join(parts, "; ")
}

func TestTrace(t *testing.T) {
	first := took(0, "", "ams1", ha.ReasonFirst)
	for name, c := range map[string]struct {
		events []store.AvailabilityEvent
		active string
		since  float64
		want   string
	}{
		"nothing yet":      {nil, "", 0, ""},
		"the first":        {[]store.AvailabilityEvent{first}, "ams1", 0, "ams1 0-60 open"},
		"began before":     {[]store.AvailabilityEvent{first}, "ams1", 30, "ams1 30-60 open earlier"},
		"handed over":      {[]store.AvailabilityEvent{first, took(10, "ams1", "", ha.ReasonWish), took(10.5, "", "fra1", ha.ReasonReleased)}, "fra1", 0, "ams1 0-10; fra1 10.5-60 open; gap 10-10.5 operator planned"},
		"its process died": {[]store.AvailabilityEvent{first, took(10, "ams1", "fra1", ha.ReasonPresence)}, "fra1", 0, "ams1 0-10; fra1 10-60 open; gap 10-10 presence lost unknown"},
		"it fell silent":   {[]store.AvailabilityEvent{first, took(10, "ams1", "fra1", ha.ReasonSilence)}, "fra1", 0, "ams1 0-8.5; fra1 10-60 open; gap 8.5-10 silence"},
		"silent at once":   {[]store.AvailabilityEvent{first, took(1, "ams1", "fra1", ha.ReasonSilence)}, "fra1", 0, "ams1 0-0; fra1 1-60 open; gap 0-1 silence"},
		"nobody follows":   {[]store.AvailabilityEvent{first, took(10, "ams1", "", ha.ReasonStop)}, "", 0, "ams1 0-10; gap 10-60 stop planned open"},
		"dead and alone":   {[]store.AvailabilityEvent{first}, "", 0, "ams1 0-59; gap 59..59.5-60 silence open"},
		"seen ending": {[]store.AvailabilityEvent{term(0, "", "ams1", ha.ReasonFirst, 1), known(9.9, "ams1", 1, store.SeenEnding),
			term(10, "ams1", "fra1", ha.ReasonPresence, 2)}, "fra1", 0, "ams1 0-9.9; fra1 10-60 open; gap 9.9-10 presence lost"},
		"nobody saw it end": {[]store.AvailabilityEvent{term(0, "", "ams1", ha.ReasonFirst, 1), known(7, "ams1", 1, store.LastHeard),
			term(10, "ams1", "fra1", ha.ReasonPresence, 2)}, "fra1", 0, "ams1 0-7; fra1 10-60 open; gap 7..7.5-10 presence lost"},
		"it came back itself": {[]store.AvailabilityEvent{term(0, "", "ams1", ha.ReasonFirst, 1), known(7, "ams1", 1, store.LastHeard),
			term(9, "ams1", "ams1", ha.ReasonRestart, 2)}, "ams1", 0, "ams1 0-7; ams1 9-60 open; gap 7..7.5-9 own restart"},
		"it came back at once": {[]store.AvailabilityEvent{term(0, "", "ams1", ha.ReasonFirst, 1), known(9.9, "ams1", 1, store.LastHeard),
			term(10, "ams1", "ams1", ha.ReasonRestart, 2)}, "ams1", 0, "ams1 0-9.9; ams1 10-60 open; gap 9.9..10-10 own restart"},
		"it came back and waits": {[]store.AvailabilityEvent{term(0, "", "ams1", ha.ReasonFirst, 1), known(50, "ams1", 1, store.LastHeard)},
			"", 0, "ams1 0-50; gap 50..50.5-60 own restart open"},
		"nothing was noted": {[]store.AvailabilityEvent{first, took(9, "ams1", "ams1", ha.ReasonRestart)}, "ams1", 0,
			"ams1 0-9; ams1 9-60 open; gap 9-9 own restart unknown"},
		"notes change none":  {[]store.AvailabilityEvent{first, {At: at(5), To: "fra1", Reason: "make active"}, {At: at(6), To: "fra1", Reason: "moved up"}, {At: at(7), To: "fra1", Reason: WishWithdrawn}}, "ams1", 0, "ams1 0-60 open"},
		"history changed":    {[]store.AvailabilityEvent{first, took(10, "ams1", "", ha.ReasonIdentity), took(11, "", "ams1", ha.ReasonReleased)}, "ams1", 0, "ams1 0-10; ams1 11-60 open; gap 10-11 database changed"},
		"outside the window": {[]store.AvailabilityEvent{first, took(10, "ams1", "", ha.ReasonWish), took(10.5, "", "fra1", ha.ReasonReleased)}, "fra1", 30, "fra1 30-60 open earlier"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := drawn(trace(c.events, desk(c.active), at(c.since), at(60))); got != c.want {
				t.Errorf("drawn\n  %s\nwant\n  %s", got, c.want)
			}
		})
	}
}

func TestTraceKnowsTheDead(t *testing.T) {
	c := desk("")
	c.Members[0].Standing = overview.Dead
	h := trace([]store.AvailabilityEvent{took(0, "", "ams1", ha.ReasonFirst)}, c, at(0), at(60))
	if got := drawn(h); got != "ams1 0-59; gap 59..59.5-60 presence lost open" {
		t.Error(got)
	}
	// While its lease runs it counts as Active, and yet nobody is.
	c = desk("ams1")
	c.Members[0].Standing = overview.Dead
	h = trace([]store.AvailabilityEvent{took(0, "", "ams1", ha.ReasonFirst)}, c, at(0), at(60))
	if got := drawn(h); got != "ams1 0-59; gap 59..59.5-60 presence lost open" {
		t.Error(got)
	}
}

func TestServersThatLeftHaveALane(t *testing.T) {
	h := trace([]store.AvailabilityEvent{took(0, "", "old", ha.ReasonFirst), took(10, "old", "fra1", ha.ReasonSilence)}, desk("fra1"), at(0), at(60))
	if got := strings.Join(h.Servers, " "); got != "ams1 fra1 lon1 old" {
		t.Error(got)
	}
}

func TestHandoverSaysWhatHappens(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*overview.Connector)
		server string
		want   []string // parts of the effects or the warning
		fault  string   // part of the refusal
	}{
		"to the next":   {func(*overview.Connector) {}, "fra1", []string{"ams1 claims nothing more", "epoch 8", "Nothing is lost"}, ""},
		"in flight":     {func(c *overview.Connector) { c.Work.InFlight = 3 }, "fra1", []string{"the 3 links in flight"}, ""},
		"nobody Active": {func(c *overview.Connector) { c.Active = ""; c.Members[0].State = ha.Offline }, "fra1", []string{"fra1 takes over"}, ""},
		"failback": {func(c *overview.Connector) { c.Settings.Failback = ha.Automatic }, "fra1",
			[]string{"Failback is automatic and ams1 stands before it", "90 s"}, ""},
		"does not reach": {func(c *overview.Connector) { c.Members[1].Reaches = false }, "fra1", []string{"could not connect to the remote system"}, ""},
		"Active already": {func(*overview.Connector) {}, "ams1", nil, "is Active for desk already"},
		"Offline":        {func(c *overview.Connector) { c.Members[1].State = ha.Offline }, "fra1", nil, "is Offline"},
		"not eligible": {func(c *overview.Connector) { c.Members[1].Eligible, c.Members[1].Why = false, "secret missing" }, "fra1", nil,
			"cannot run connector desk: secret missing"},
		"a stranger": {func(*overview.Connector) {}, "rom1", nil, "has no server rom1"},
	} {
		t.Run(name, func(t *testing.T) {
			k := desk("ams1")
			c.change(&k)
			h, err := handover(k, c.server)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("refused with %v, want %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(append(h.Effects, h.Warning), "\n")
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
		})
	}
}

func TestOrderEffect(t *testing.T) {
	k := desk("fra1")
	if got := orderEffect(k); got != "Nothing switches over: failback is manual, and fra1 stays Active." {
		t.Error(got)
	}
	k.Settings.Failback = ha.Automatic
	if got := orderEffect(k); !strings.HasPrefix(got, "Failback is automatic: once ams1 has been steady") {
		t.Error(got)
	}
	k.Members[0].State = ha.Offline
	if got := orderEffect(k); got != "Nothing switches over: fra1 is Active and the first that can be." {
		t.Error(got)
	}
	k.Active = ""
	if got := orderEffect(k); got != "Nobody is Active; the first that can takes over." {
		t.Error(got)
	}
}

func TestSettingsAreSetWhereTheyStand(t *testing.T) {
	const text = "name: desk\nsources: # two of them\n  - {name: shop, kind: generic}\nremote: {kind: files, settings: {directory: /tmp}}\n"
	same := Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual}
	if got, err := withSettings(text, same); err != nil || got != text {
		t.Errorf("the defaults were written: %v\n%s", err, got)
	}
	got, err := withSettings(text, Settings{Polling: 10 * time.Second, Tolerance: 3, Failback: ha.Automatic})
	if err != nil || !strings.Contains(got, "# two of them") || strings.Contains(got, "tolerance") ||
		!strings.Contains(got, "polling_interval: 10s") || !strings.Contains(got, "failback: automatic") {
		t.Errorf("%v\n%s", err, got)
	}
}
