package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/remote"
	"tieline/internal/store"
)

// plant is Tieline's core in this process: the store, one
// connector, a lease, and an instant remote that counts. River is measured in
// the same way: in process, with a worker that counts.
type plant struct {
	db      *store.DB
	url     string
	session ha.Session
	mapping *connector.Compiled
	counter *counter
	name    string
}

// counter is the instant remote.
type counter struct {
	done atomic.Int64
	want int64
	over chan struct{}
}

func (c *counter) expect(n int) {
	c.done.Store(0)
	c.want, c.over = int64(n), make(chan struct{})
}

func (c *counter) count() (alert.Ticket, error) {
	n := c.done.Add(1)
	if n == c.want {
		close(c.over)
	}
	return alert.Ticket{ID: strconv.FormatInt(n, 10), State: "open", Open: true}, nil
}

func (c *counter) Traits() remote.Traits                                     { return remote.Traits{Guarantee: remote.Idempotent} }
func (c *counter) Create(context.Context, alert.Draft) (alert.Ticket, error) { return c.count() }
func (c *counter) Update(context.Context, string, alert.Draft) (alert.Ticket, error) {
	return c.count()
}
func (c *counter) Probe(context.Context) error { return nil }

// Setup implements forward.Setups: one that never changes.
func (p *plant) Setup() (*forward.Setup, <-chan struct{}) {
	return &forward.Setup{Version: 1, Mapping: p.mapping, Remote: p.counter}, nil
}

const plantDocument = `
name: bench
sources: [{name: bench, kind: generic}]
remote: {kind: webhook, endpoints: ["http://127.0.0.1:1"]}
states: {open: open, closed: closed}
limits: {concurrency: 64}
`

func newPlant(ctx context.Context, env *Env) (*plant, error) {
	url, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, url, store.Options{Migrate: true, MaxConns: 8})
	if err != nil {
		return nil, err
	}
	p := &plant{db: db, url: url, counter: &counter{}, name: "bench"}
	return p, p.prepare(ctx)
}

func (p *plant) prepare(ctx context.Context) error {
	document, err := connector.Parse([]byte(plantDocument))
	if err != nil {
		return err
	}
	if p.mapping, err = connector.Compile(document); err != nil {
		return err
	}
	settings := ha.Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Window: 30 * time.Second, Settle: time.Second}
	if _, err := p.db.SaveDocument(ctx, store.SaveDocument{Connector: p.name, Text: plantDocument, Who: "bench", Settings: settings}); err != nil {
		return err
	}
	boot := uuid.NewString()
	err = p.db.Join(ctx, store.Join{Server: "s1", Boot: boot, Group: "bench", HighAvailability: true, Promised: 90 * time.Second})
	if err != nil {
		return err
	}
	if p.session, err = p.db.Coordinator().Open(ctx, "s1", boot); err != nil {
		return err
	}
	return nil
}

// term takes the lease.
func (p *plant) term(ctx context.Context) (ha.Term, chan struct{}, error) {
	group, err := p.session.Read(ctx)
	if err != nil {
		return ha.Term{}, nil, err
	}
	i := slices.IndexFunc(group.Leases, func(l ha.Lease) bool { return l.Connector == p.name })
	if i < 0 {
		return ha.Term{}, nil, errors.New("the connector has no lease row")
	}
	server := slices.IndexFunc(group.Servers, func(s ha.Server) bool { return s.Name == "s1" })
	taken, err := p.session.Take(ctx, ha.Take{
		Connector: p.name, Epoch: group.Leases[i].Epoch, Beat: group.Leases[i].Beat, Server: "s1", Boot: group.Servers[server].Boot,
		Promised: 90 * time.Second, Identity: group.Identity, Reason: ha.ReasonFirst,
	})
	drain := make(chan struct{})
	return ha.NewTerm(taken, group.Settings[p.name], ha.SystemClock(), drain), drain, err
}

func (p *plant) close() {
	p.session.Close()
	p.db.Close()
}

// accept takes alerts in by batches of 500 on some connections and returns alerts per second.
func (p *plant) accept(ctx context.Context, first, alerts, connections int) (float64, error) {
	route := func(*alert.Alert) []intake.Routing { return []intake.Routing{{Connector: p.name}} }
	began := time.Now()
	failed := make(chan error, connections)
	var wait sync.WaitGroup
	for c := range connections {
		wait.Go(func() {
			for n := c * batch; n < alerts; n += connections * batch {
				items := make([]intake.Observed, 0, batch)
				for i := n; i < min(n+batch, alerts); i++ {
					items = append(items, intake.Observed{Observation: observation(first + i), Route: route})
				}
				if _, err := p.db.Accept(ctx, intake.Batch{Server: "s1", Generation: 1, Items: items}); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wait.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(alerts) / time.Since(began).Seconds(), nil
	}
}

// drain forwards what is due and returns alerts per second, from the start of
// the term to the last call of the remote.
func (p *plant) drain(ctx context.Context, alerts int) (float64, error) {
	p.counter.expect(alerts)
	group, err := p.db.Group(ctx)
	if err != nil {
		return 0, err
	}
	term, drain, err := p.term(ctx)
	if err != nil {
		return 0, err
	}
	forwarder := forward.New(forward.Config{Connector: p.name, Group: group.ID, Store: p.db, Setups: p, Reconcile: -1})
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- forwarder.Run(ctx, term) }()
	select {
	case <-p.counter.over:
	case err := <-ended:
		return 0, fmt.Errorf("forwarding ended after %d of %d: %w", p.counter.done.Load(), alerts, err)
	case <-time.After(5 * time.Minute):
		return 0, fmt.Errorf("only %d of %d alerts were forwarded in 5 minutes", p.counter.done.Load(), alerts)
	}
	rate := float64(alerts) / time.Since(began).Seconds()
	close(drain)
	if err := <-ended; err != nil {
		return 0, err
	}
	return rate, forwarder.Close(ctx)
}

// intakeRate compares Accept with bare inserts of the same rows, best of three each.
func intakeRate(ctx context.Context, env *Env) ([]Row, error) {
	const connections = 2
	alerts := env.scaled(60000)
	p, err := newPlant(ctx, env)
	if err != nil {
		return nil, err
	}
	defer p.close()
	ours, limit := 0.0, 0.0
	for round := range 3 {
		rate, err := p.accept(ctx, round*alerts, alerts, connections)
		if err != nil {
			return nil, err
		}
		ours = max(ours, rate)
		if rate, err = bareInserts(ctx, env, alerts, connections); err != nil {
			return nil, err
		}
		limit = max(limit, rate)
	}
	return []Row{{
		What:     "intake, alerts/s (alert and link rows, 500 to a commit, 2 connections)",
		Measured: fmt.Sprintf("%.0f", ours), Against: fmt.Sprintf("bare inserts %.0f, ratio %.2f", limit, ours/limit),
		Budget: "ratio >= 0.5", Met: ours/limit >= 0.5,
	}}, nil
}

// drainRate compares forwarding to an instant remote with River, best of three each.
func drainRate(ctx context.Context, env *Env) ([]Row, error) {
	alerts := env.scaled(60000)
	var ours, river float64
	for range 3 {
		rate, err := freshDrain(ctx, env, alerts)
		if err != nil {
			return nil, err
		}
		ours = max(ours, rate)
		if env.Engine != "postgres" {
			continue // River needs PostgreSQL
		}
		url, err := env.Database(ctx)
		if err != nil {
			return nil, err
		}
		runtime.GC()
		if rate, err = riverDrain(ctx, url, alerts); err != nil {
			return nil, err
		}
		river = max(river, rate)
	}
	if env.Engine != "postgres" {
		return []Row{{What: "end to end to an instant remote, alerts/s", Measured: fmt.Sprintf("%.0f", ours), Budget: "none", Met: true}}, nil
	}
	return []Row{{
		What:     "end to end to an instant remote, alerts/s",
		Measured: fmt.Sprintf("%.0f", ours), Against: fmt.Sprintf("River, one job per alert: %.0f, ratio %.2f", river, ours/river),
		Budget: "ratio > 1", Met: ours > river,
	}}, nil
}

func freshDrain(ctx context.Context, env *Env, alerts int) (float64, error) {
	p, err := newPlant(ctx, env)
	if err != nil {
		return 0, err
	}
	defer p.close()
	if _, err := p.accept(ctx, 0, alerts, 2); err != nil {
		return 0, err
	}
	runtime.GC()
	return p.drain(ctx, alerts)
}

// backlogCost measures the cost of an alert while 10^3, 10^5 and 10^6 links are
// due: the same number is drained each time, the rest stays due.
func backlogCost(ctx context.Context, env *Env) ([]Row, error) {
	drained := env.scaled(20000)
	var rows []Row
	var first float64
	for i, backlog := range []int{1000, env.scaled(100_000), env.scaled(1_000_000)} {
		p, err := newPlant(ctx, env)
		if err != nil {
			return nil, err
		}
		if _, err := p.accept(ctx, 0, backlog, 2); err != nil {
			return nil, err
		}
		if err := env.exec(ctx, p.url, engines[env.Engine].tidy...); err != nil {
			return nil, err
		}
		rate, err := p.drain(ctx, min(drained, backlog))
		p.close()
		if err != nil {
			return nil, err
		}
		cost := 1e6 / rate
		if i == 1 {
			first = cost
		}
		rows = append(rows, Row{
			What: fmt.Sprintf("cost of an alert while %d links are due", backlog), Measured: fmt.Sprintf("%.0f us", cost),
			Budget: "flat", Met: first == 0 || cost < 1.5*first,
		})
	}
	return rows, nil
}
