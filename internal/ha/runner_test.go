package ha_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

func TestKilledActiveIsReplacedWithinASecond(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		at := time.Now()
		c.kill(c.nodes["a"])
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); gap >= time.Second {
			t.Errorf("gap %v, want under a second", gap)
		}
		if s.server != "b" {
			t.Errorf("%s followed, want b: it is next in order", s.server)
		}
		if got := c.last().Reason; got != ha.ReasonPresence {
			t.Errorf("reason %q", got)
		}
	})
}

func TestFirstStartGoesByTheOrder(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		for _, name := range []string{"c", "b", "a"} {
			c.start(name)
		}
		time.Sleep(time.Minute)
		c.wantActive("a")
		if e := c.last(); e.Epoch != 1 || e.Reason != ha.ReasonFirst {
			t.Errorf("%v, want the first epoch", e)
		}
	})
}

func TestPanicInWorkEndsTheTermOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := hatest.NewDatabase()
		db.AddConnector(conn, thirty, "a")
		p, _ := db.Join("a")
		var terms []int64
		r := ha.New(ha.Config{
			Server: "a", Boot: p.Boot, Coordinator: p, Clock: &virtual{start: time.Now()},
			Reports: func() []ha.Report { return []ha.Report{{Connector: conn, Eligible: true, Reaches: true}} },
			Work: func(ctx context.Context, t ha.Term) error {
				terms = append(terms, t.Epoch)
				if len(terms) == 1 {
					panic("a bug")
				}
				<-t.Draining()
				return nil
			},
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
		if !slices.Equal(terms, []int64{1, 2}) {
			t.Errorf("terms %v, want 1 and, after the release, 2", terms)
		}
	})
}

func TestStopNamesWorkThatDoesNotReturn(t *testing.T) {
	bubble(t, thirty, []string{"a"}, func(c *cluster) {
		c.startAll("a")
		a := c.nodes["a"]
		a.deafWork.Store(true)
		time.Sleep(2 * time.Second) // the loop looks at its channels again
		a.cancel()
		err := <-a.done
		if err == nil || !strings.Contains(err.Error(), conn) {
			t.Errorf("Run returned %v, want an error that names the connector", err)
		}
		if got := c.db.Lease(conn).Server; got != "" {
			t.Errorf("the lease names %q after the stop", got)
		}
		close(a.release)
		a.done <- nil
	})
}

func TestStopWhileTheDatabaseIsAway(t *testing.T) {
	bubble(t, thirty, []string{"a"}, func(c *cluster) {
		c.startAll("a")
		c.db.Down()
		at := time.Now()
		if err := c.stop(c.nodes["a"]); err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(at); took > 20*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}

// hundred is a group of two servers with a hundred connectors.
type hundred struct {
	t     *testing.T
	db    *hatest.Database
	names []string
}

func (h *hundred) reports() (rs []ha.Report) {
	for _, c := range h.names {
		rs = append(rs, ha.Report{Connector: c, Runs: 1, Eligible: true, Reaches: true})
	}
	return rs
}

// start runs a server; stop ends it as planned.
func (h *hundred) start(server string) (p *hatest.Process, r *ha.Runner, stop func()) {
	h.t.Helper()
	p, err := h.db.Join(server)
	if err != nil {
		h.t.Fatal(err)
	}
	r = ha.New(ha.Config{
		Server: server, Boot: p.Boot, Coordinator: p, Clock: &virtual{start: time.Now()},
		Reports: h.reports, Wake: h.db.Wake, Woken: p.Woken(), Work: progressing,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return p, r, func() { cancel(); <-done }
}

// progressing is work that says every 5 s that it is alive.
func progressing(ctx context.Context, t ha.Term) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.Draining():
			return nil
		case <-tick.C:
			t.Progress()
		}
	}
}

func TestHundredConnectorsMoveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hundred{t: t, db: hatest.NewDatabase()}
		h.db.Latency = func() time.Duration { return 500 * time.Microsecond }
		for i := range 100 {
			h.names = append(h.names, fmt.Sprintf("c%02d", i))
			h.db.AddConnector(h.names[i], thirty, "a", "b")
		}
		p, _, stopA := h.start("a")
		time.Sleep(10 * time.Second)
		_, r, stopB := h.start("b")
		time.Sleep(2 * time.Minute)

		calls := h.db.Calls()
		time.Sleep(10 * thirty.Polling)
		if n := h.db.Calls() - calls; n > 2*11 {
			t.Errorf("%d transactions in ten idle intervals of two servers", n)
		}
		p.Kill()
		stopA()
		time.Sleep(time.Second)
		if n := len(r.Status().Terms); n != 100 {
			t.Errorf("b is Active for %d connectors a second after the crash, want 100", n)
		}
		stopB()
		for _, l := range h.db.Group().Leases {
			if l.Server != "" || l.Epoch != 2 {
				t.Errorf("lease %+v after both ended, want epoch 2, released", l)
			}
		}
	})
}

func TestStatus(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		a, b := c.nodes["a"].runner.Status(), c.nodes["b"].runner.Status()
		if term, ok := a.Active(conn); !ok || term.Epoch != 1 || !a.Connected || a.Age > thirty.Polling+time.Second {
			t.Errorf("status of a: %+v", a)
		}
		if _, ok := b.Active(conn); ok || b.StateOf(conn, "a") != ha.Active || b.StateOf(conn, "b") != ha.Passive {
			t.Errorf("status of b: %+v", b)
		}
		c.kill(c.nodes["a"])
		time.Sleep(100 * time.Millisecond)
		if b = c.nodes["b"].runner.Status(); b.StateOf(conn, "a") != ha.Offline {
			t.Errorf("b shows a as %s right after its death, want Offline", b.StateOf(conn, "a"))
		}
		time.Sleep(time.Minute)
		c.db.Down()
		time.Sleep(time.Minute)
		if b = c.nodes["b"].runner.Status(); b.Connected || b.Age < 30*time.Second {
			t.Errorf("status of b without a database: connected %v, age %v", b.Connected, b.Age)
		}
		c.db.Up()
	})
}
