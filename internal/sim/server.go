package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tieline/internal/connector"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// errTaken: a live process of this name has joined already.
var errTaken = errors.New("a live process of this name has joined")

// boot starts the host's server: a process that joins the group and runs the
// real Runner and Forwarder until it stops, crashes or is replaced.
func (w *World) boot(h *Host) {
	h.mu.Lock()
	if w.over.Load() || h.removed || h.process != nil && !h.process.isDead() {
		h.mu.Unlock()
		return
	}
	h.boots++
	p := &Process{
		w: w, host: h, server: h.server, boot: fmt.Sprintf("%s#%d", h.server, h.boots), dead: make(chan struct{}), ended: make(chan struct{}),
		counts: map[string]uint64{}, conns: map[*conn]bool{}, woken: make(chan struct{}, 1),
	}
	h.process = p
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	w.trace.note("start " + p.boot)
	w.live.Go(func() {
		p.main(ctx)
		p.crash() // a process that has exited does nothing more
		close(p.ended)
		time.AfterFunc(w.chance.of(uint64(h.boots), "again", h.name).between(300*time.Millisecond, 2*time.Second), func() { w.boot(h) })
	})
}

// main is what the composition root does.
func (p *Process) main(ctx context.Context) {
	if !p.join(ctx) {
		return
	}
	f := forward.New(forward.Config{
		Connector: connectorName, Group: p.w.group, Store: mailroom{p}, Setups: p.newSetups(),
		Jitter: p.jitter("forward"), Idle: 2 * time.Second, Reconcile: p.w.plan.reconcile,
		Announce: func() { p.w.wake(true) },
	})
	runner := ha.New(ha.Config{
		Server: p.server, Boot: p.boot, Version: "sim", Coordinator: coordinator{p}, Clock: p,
		Work: p.watched(f.Run), Reports: p.reports, Wake: func() { p.w.wake(false) }, Woken: p.woken,
		Withdraw: p.w.withdraw,
		Timing:   p.w.plan.timing, Jitter: p.jitter("ha"),
	})
	p.mu.Lock()
	p.runner, p.forwarder = runner, f
	p.mu.Unlock()
	go p.probe(ctx)
	err := runner.Run(ctx)
	p.w.trace.add(p, "stopped", "", "", errText(err))
	limit := 5 * time.Second
	if p.isDead() {
		limit = 0
	}
	bounded, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_ = f.Close(bounded) // what is given up here is found by a successor
}

// join enters the group, as often as it takes.
func (p *Process) join(ctx context.Context) bool {
	for ctx.Err() == nil && !p.isDead() {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := run(attempt, p, "join", "", func(r *rows) (bool, error) { return true, r.join(p) })
		cancel()
		if err == nil {
			return true
		}
		sleep(ctx, p.roll("join pause", "").between(200*time.Millisecond, time.Second))
	}
	return false
}

// join is the statement that enters a process as its server's.
func (r *rows) join(p *Process) error {
	s, ok := r.servers[p.server]
	p.w.check.member(p.server, true)
	if !ok {
		r.addServer(p.server, len(r.members)+1)
		s = r.servers[p.server]
	}
	if l := p.w.db.locks[s.Presence]; l != nil && s.Boot != p.boot {
		return errTaken
	}
	s.Boot, s.Presence, s.Version, s.Beat = p.boot, "", "sim", 0
	if i := r.member(connectorName, p.server); i >= 0 {
		// What the earlier process reported says nothing of this one.
		r.members[i] = r.members[i].Reported(ha.Report{Connector: connectorName})
	}
	s.HeartbeatAt = p.w.db.now()
	s.Promised = p.w.plan.settings.Length()
	r.servers[p.server] = s
	return nil
}

// watched runs the work and notes that it does, for the checks of liveness.
func (p *Process) watched(work ha.Work) ha.Work {
	return func(ctx context.Context, t ha.Term) error {
		p.w.check.working(p, t, true)
		defer p.w.check.working(p, t, false)
		if p.w.plan.crashLoop == p.server && !p.w.fair() {
			time.AfterFunc(50*time.Millisecond, func() { p.w.kill(p.host, 20*time.Millisecond) })
		}
		return work(ctx, t)
	}
}

// probe keeps knowing whether the desk can be connected to.
func (p *Process) probe(ctx context.Context) {
	a := p.w.newAdapter(p)
	for ctx.Err() == nil && !p.isDead() {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		err := a.Probe(attempt)
		cancel()
		if p.setReaches(!connectFailed(err)) {
			p.runner.Nudge()
		}
		sleep(ctx, 2*time.Second)
	}
}

func (p *Process) setReaches(reaches bool) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed = p.cutOff == reaches
	p.cutOff = !reaches
	return changed
}

func (p *Process) reports() []ha.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []ha.Report{{Connector: connectorName, Runs: p.w.version.Load(), Eligible: !p.w.plan.ineligible[p.server], Reaches: !p.cutOff}}
}

// poke delivers a wake-up.
func (p *Process) poke(work bool) {
	p.mu.Lock()
	f := p.forwarder
	p.mu.Unlock()
	if work && f != nil {
		f.Wake()
		return
	}
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// jitter returns the random numbers that a part of the program asks for.
func (p *Process) jitter(part string) func() float64 {
	return func() float64 { return float64(p.roll("jitter", part).n(1<<20)) / (1 << 20) }
}

// setups serves the connector's present document.
type setups struct{ setup *forward.Setup }

func (p *Process) newSetups() setups {
	api := sourceAPI{adapter{p}}
	return setups{&forward.Setup{
		Version: 1, Mapping: mapping{p.w.plan}, Remote: p.w.newAdapter(p), Poll: 3 * time.Second,
		Sources: []forward.SourceSetup{{Name: sourceName, Writer: api, Lister: api, Compare: p.w.plan.compare}},
	}}
}

// Setup returns a document that never changes: what changes live are the
// availability settings, which come with the group.
func (s setups) Setup() (*forward.Setup, <-chan struct{}) { return s.setup, nil }

// limits are the document's.
func (p Plan) limits() connector.Limits {
	return connector.Limits{
		Concurrency: 4, Timeout: connector.Duration(timeout), Window: connector.Duration(p.settings.Window), Attempts: p.attempts,
		Backoff: connector.Backoff{First: connector.Duration(200 * time.Millisecond), Max: connector.Duration(2 * time.Second)},
	}
}

// sleep waits, at most until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
