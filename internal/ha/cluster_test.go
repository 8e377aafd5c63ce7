package ha_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

// virtual is one machine's clock. It follows the bubble's time, but can be
// stepped by an administrator.
type virtual struct {
	start time.Time
	step  atomic.Int64
}

func (v *virtual) Now() ha.Instant {
	return ha.Instant{
		Boot: time.Since(v.start) + time.Hour,
		Wall: time.Now().Round(0).Add(time.Duration(v.step.Load())),
	}
}

// cluster is a group of servers that run the real Runner over a database in
// memory, in virtual time.
type cluster struct {
	t     *testing.T
	db    *hatest.Database
	began time.Time

	mu    sync.Mutex
	nodes map[string]*node
	spans []span
}

// node is one start of a server.
type node struct {
	name   string
	proc   *hatest.Process
	runner *ha.Runner
	cancel context.CancelFunc
	done   chan error

	clock    *virtual
	dead     atomic.Bool
	eligible atomic.Bool
	reaches  atomic.Bool
	crash    atomic.Bool   // its work kills it
	stall    atomic.Bool   // its work makes no progress
	deafWork atomic.Bool   // its work ignores its context and the drain
	called   atomic.Int64  // how often it was told that it is to be the next Active
	fails    atomic.Bool   // its work returns an error at once
	finish   time.Duration // what its work needs to drain
	linger   time.Duration // what its work needs to return once it is cancelled
	jitter   float64       // of its reconnects; default 0.5
	pace     time.Duration // between its work's signs of progress; default 1 s
	release  chan struct{} // lets deaf work return
}

// span is one piece of work: a term as a live process worked it.
type span struct {
	server     string
	epoch      int64
	began, end time.Time // end is zero while it goes on
	cause      error
}

// thirty and one are the settings most tests use.
var (
	thirty = ha.Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Window: 5 * time.Second, Settle: time.Second}
	one    = ha.Settings{Polling: time.Second, Tolerance: 3, Failback: ha.Manual, Window: time.Second, Settle: time.Second}
)

const conn = "tickets"

// bubble runs a test in virtual time on a group of servers over one connector.
func bubble(t *testing.T, s ha.Settings, servers []string, f func(c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := hatest.NewDatabase()
		db.Latency = func() time.Duration { return time.Millisecond }
		db.AddConnector(conn, s, servers...)
		c := &cluster{t: t, db: db, began: time.Now(), nodes: map[string]*node{}}
		defer c.stopAll()
		f(c)
	})
}

// start starts a server; options may change the node before it runs.
func (c *cluster) start(name string, options ...func(*node)) *node {
	c.t.Helper()
	p, err := c.db.Join(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.launch(name, p, options...)
}

func (c *cluster) launch(name string, p *hatest.Process, options ...func(*node)) *node {
	n := &node{name: name, proc: p, done: make(chan error, 1), release: make(chan struct{}), clock: &virtual{start: c.began}}
	n.eligible.Store(true)
	n.reaches.Store(true)
	for _, o := range options {
		o(n)
	}
	n.runner = ha.New(ha.Config{
		Server: name, Boot: p.Boot, Version: "test", Coordinator: p, Clock: n.clock,
		Work: func(ctx context.Context, t ha.Term) error { return c.work(ctx, n, t) },
		Reports: func() []ha.Report {
			return []ha.Report{{Connector: conn, Runs: 1, Eligible: n.eligible.Load(), Reaches: n.reaches.Load()}}
		},
		Wake: c.db.Wake, Withdraw: c.db.Withdraw, Woken: p.Woken(), Jitter: func() float64 { return cmp.Or(n.jitter, 0.5) },
		Observe: ha.Observer{Called: func(string) { n.called.Add(1) }},
	})
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	c.mu.Lock()
	c.nodes[name] = n
	c.mu.Unlock()
	go func() { n.done <- n.runner.Run(ctx) }()
	return n
}

// startAll starts servers one after another, out of phase, and lets them settle.
func (c *cluster) startAll(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.start(name)
		time.Sleep(1300 * time.Millisecond)
	}
	time.Sleep(100 * time.Second)
	c.wantActive(names[0])
}

// work is what a term does: nothing but progress, until it is over.
func (c *cluster) work(ctx context.Context, n *node, t ha.Term) error {
	at := c.open(n, t)
	if n.crash.Load() {
		go c.kill(n)
	}
	if n.fails.Load() {
		c.close(at, nil)
		return errors.New("the work failed")
	}
	tick := time.NewTicker(cmp.Or(n.pace, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-n.release:
			c.close(at, nil)
			return nil
		case <-c.unless(n, ctx.Done()):
			c.close(at, context.Cause(ctx))
			time.Sleep(n.linger)
			return nil
		case <-c.unless(n, t.Draining()):
			time.Sleep(n.finish)
			c.close(at, nil)
			return nil
		case <-tick.C:
			if !n.stall.Load() {
				t.Progress()
			}
		}
	}
}

func (c *cluster) unless(n *node, done <-chan struct{}) <-chan struct{} {
	if n.deafWork.Load() {
		return nil
	}
	return done
}

func (c *cluster) open(n *node, t ha.Term) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := span{server: n.name, epoch: t.Epoch, began: time.Now()}
	if n.dead.Load() {
		s.end = s.began
	}
	c.spans = append(c.spans, s)
	return len(c.spans) - 1
}

func (c *cluster) close(at int, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spans[at].end.IsZero() {
		c.spans[at].end, c.spans[at].cause = time.Now(), cause
	}
}

// kill ends a server as SIGKILL does, at this instant.
func (c *cluster) kill(n *node) {
	n.dead.Store(true)
	c.mu.Lock()
	for i := range c.spans {
		if c.spans[i].server == n.name && c.spans[i].end.IsZero() {
			c.spans[i].end = time.Now()
		}
	}
	c.mu.Unlock()
	n.proc.Kill()
	n.cancel()
	n.runner.Nudge()
}

// stop ends a server as planned and waits for it.
func (c *cluster) stop(n *node) error {
	n.cancel()
	return <-n.done
}

func (c *cluster) stopAll() {
	c.db.Up()
	c.mu.Lock()
	nodes := make([]*node, 0, len(c.nodes))
	for _, n := range c.nodes {
		nodes = append(nodes, n)
	}
	c.mu.Unlock()
	for _, n := range nodes {
		n.proc.Thaw()
		n.cancel()
	}
	time.Sleep(time.Minute)
}

// working returns the servers whose live processes work a term now.
func (c *cluster) working() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, s := range c.spans {
		if s.end.IsZero() {
			names = append(names, s.server)
		}
	}
	slices.Sort(names)
	return names
}

func (c *cluster) wantActive(names ...string) {
	c.t.Helper()
	synctest.Wait()
	if got := c.working(); !slices.Equal(got, names) {
		c.t.Fatalf("active: %v, want %v\n%s", got, names, c.history())
	}
}

// next sleeps until a span begins after from, at most for limit, and returns it.
func (c *cluster) next(from time.Time, limit time.Duration) span {
	c.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		for _, s := range c.spans {
			if s.began.After(from) && !(s.end.Equal(s.began)) {
				c.mu.Unlock()
				return s
			}
		}
		c.mu.Unlock()
	}
	c.t.Fatalf("nobody became Active within %v\n%s", limit, c.history())
	return span{}
}

// afterHeartbeat sleeps until d after a server's next heartbeat.
func (c *cluster) afterHeartbeat(server string, d time.Duration) {
	was, _ := c.db.Server(server)
	for row := was; row.Beat == was.Beat; row, _ = c.db.Server(server) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(d)
}

// takeovers counts the changes of the lease to a server, since from.
func (c *cluster) takeovers(from time.Time) int {
	n := 0
	for _, e := range c.db.Events() {
		if e.To != "" && !e.At.Before(from) {
			n++
		}
	}
	return n
}

// last returns the latest change of the lease.
func (c *cluster) last() hatest.Event {
	es := c.db.Events()
	return es[len(es)-1]
}

// history is for failure messages.
func (c *cluster) history() string {
	text := ""
	for _, e := range c.db.Events() {
		text += e.String() + "\n"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		text += fmt.Sprintf("%s worked epoch %d from %s to %s\n", s.server, s.epoch, s.began.Format("05.000"), s.end.Format("05.000"))
	}
	return text
}
