package sim

import (
	"time"

	"tieline/internal/ha"
)

// Plan is what a schedule is made of.
type Plan struct {
	servers   int
	desk      deskKind
	settings  ha.Settings
	timing    ha.Timing
	attempts  int // before a link is parked; 0 = never
	reconcile time.Duration
	compare   time.Duration // between comparisons with the source's list; 0 = never

	loss     float64 // of a request or an answer of the database
	late     float64 // of the desk's requests
	errors   float64
	refusals float64
	deskLoss float64
	tardy    float64 // of writes that come later than settling allows for
	deaf     float64 // of a wake-up to one server

	keys     int           // problems at the source
	length   time.Duration // of the part with faults
	words    int           // things the source and people say
	faults   int
	ambushes int

	crashLoop  string          // server that dies whenever it works
	ineligible map[string]bool // servers that cannot run the document
}

// newPlan draws a plan from a seed.
func newPlan(seed uint64) Plan {
	r := chance(mix(0x91a4, seed)).of(0, "plan")
	p := Plan{
		servers: 2 + r.n(2), settings: newSettings(r, []time.Duration{2 * time.Second, window, 5 * time.Second}[r.n(3)]), reconcile: -1, keys: 1 + r.n(3),
		length: r.between(12*time.Second, 35*time.Second), words: 3 + r.n(10), faults: r.n(8), ambushes: r.n(5),
	}
	switch n := r.n(10); {
	case n == 0:
		p.desk = idempotentDesk
	case n == 1:
		p.desk = blindDesk
	}
	if r.hit(0.5) {
		p.loss = 0.03 * float64(r.n(3))
	}
	if r.hit(0.7) {
		p.late, p.deskLoss, p.errors = 0.1*float64(r.n(5)), 0.05*float64(r.n(4)), 0.03*float64(r.n(4))
	}
	if r.hit(0.5) { // changes of choice within a schedule
		p.timing = ha.DefaultTiming()
		p.timing.HoldDown, p.timing.MaxHold = 4*time.Second, 20*time.Second
	}
	if r.hit(0.15) {
		p.reconcile = 8 * time.Second
	}
	if r.hit(0.3) {
		p.compare = 4 * time.Second
	}
	if r.hit(0.5) {
		p.deaf = 0.15
	}
	if r.hit(0.12) {
		p.tardy = 0.15
	}
	if r.hit(0.1) {
		p.refusals = 0.05
	}
	return p
}

// newSettings draws settings; the send window is the connector's for good.
func newSettings(r *roll, window time.Duration) ha.Settings {
	s := ha.Settings{
		Polling: []time.Duration{time.Second, time.Second, 2 * time.Second}[r.n(3)], Tolerance: 2 + r.n(2),
		Failback: ha.Manual, Window: window, Settle: settle, Version: 1,
	}
	if r.hit(0.3) {
		s.Failback = ha.Automatic
	}
	return s
}
