package ha_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

// TestChaos throws random faults at a group, ends them all, and wants what must
// hold: an epoch has one server, epochs only grow, and soon one server works.
// The simulation does this at length; here it is short, for those who change
// this package.
func TestChaos(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			s := []ha.Settings{thirty, one}[r.IntN(2)]
			s.Failback = []ha.Failback{ha.Manual, ha.Automatic}[r.IntN(2)]
			bubble(t, s, []string{"a", "b", "c"}, func(c *cluster) {
				ch := &chaos{cluster: c, r: r, settings: s}
				ch.run()
			})
		})
	}
}

type chaos struct {
	*cluster
	r        *rand.Rand
	settings ha.Settings
	gone     map[string]bool
}

func (c *chaos) run() {
	c.gone = map[string]bool{}
	for _, name := range []string{"a", "b", "c"} {
		c.start(name)
		time.Sleep(time.Duration(c.r.IntN(8000)) * time.Millisecond)
	}
	for range 30 {
		c.fault()
		if c.r.IntN(3) > 0 {
			time.Sleep(time.Duration(c.r.ExpFloat64() * float64(c.settings.Length()) / 4))
		}
	}
	c.heal()
	time.Sleep(12 * time.Minute)
	if got := c.working(); len(got) != 1 || got[0] != c.db.Lease(conn).Server {
		c.t.Errorf("after all faults ended %v work, the lease names %q\n%s", got, c.db.Lease(conn).Server, c.history())
	}
	c.check()
}

// fault does one thing that happens.
func (c *chaos) fault() {
	name := []string{"a", "b", "c"}[c.r.IntN(3)]
	n := c.nodes[name]
	if c.gone[name] {
		c.restart(name)
		return
	}
	calls := []hatest.Call{hatest.CallOpen, hatest.CallBeat, hatest.CallRead, hatest.CallTake, hatest.CallRelease, hatest.CallDoubt}
	call := calls[c.r.IntN(len(calls))]
	toggle := c.r.IntN(2) == 0
	faults := []func(){
		func() { c.gone[name] = true; c.kill(n) },
		func() { c.gone[name] = true; n.cancel(); time.Sleep(time.Duration(c.r.IntN(20)) * time.Second) },
		n.proc.Freeze, n.proc.Thaw, n.proc.Thaw, n.proc.Partition, n.proc.Heal, n.proc.Heal,
		n.proc.CutSessions, n.proc.CutPresence,
		c.db.Down, c.db.Up, c.db.Up, c.db.Up,
		func() { n.proc.LoseAnswer(call) }, func() { n.proc.LoseRequest(call) },
		func() { n.proc.Refuse(toggle) },
		func() { c.db.SetSettings(conn, []ha.Settings{thirty, one, c.settings}[c.r.IntN(3)]); c.db.Wake() },
		func() { c.db.SetOrder(conn, [][]string{{"a", "b", "c"}, {"c", "a", "b"}, {"b", "c"}}[c.r.IntN(3)]...) },
		func() { c.db.SetWish(conn, name); c.db.Wake() },
		func() { n.eligible.Store(toggle); n.runner.Nudge() },
		func() { n.reaches.Store(toggle); n.runner.Nudge() },
		func() { n.stall.Store(toggle) }, func() { n.fails.Store(toggle) },
		func() { n.clock.step.Store(c.r.Int64N(int64(2*time.Hour)) - int64(time.Hour)) },
		func() { c.db.ChangeIdentity(fmt.Sprintf("history-%d", c.r.IntN(3))) },
	}
	faults[c.r.IntN(len(faults))]()
}

// restart starts a server again once its process is gone.
func (c *chaos) restart(name string) {
	old := c.nodes[name]
	old.proc.Kill()
	<-old.done
	c.start(name)
	delete(c.gone, name)
}

func (c *chaos) heal() {
	c.db.Up()
	c.db.SetSettings(conn, c.settings)
	c.db.SetOrder(conn, "a", "b", "c")
	for _, name := range []string{"a", "b", "c"} {
		if c.gone[name] {
			c.restart(name)
		}
		n := c.nodes[name]
		n.proc.Thaw()
		n.proc.Heal()
		n.proc.Refuse(false)
		n.eligible.Store(true)
		n.reaches.Store(true)
		n.stall.Store(false)
		n.fails.Store(false)
		select {
		case err := <-n.done: // only a replaced server ends by itself
			c.t.Errorf("%s ended: %v\n%s", name, err, c.history())
		default:
		}
	}
}

// check wants of the history what must always hold.
func (c *chaos) check() {
	var epoch int64
	for _, e := range c.db.Events() {
		if e.Epoch < epoch || e.To != "" && e.Epoch == epoch {
			c.t.Errorf("epoch %d came after %d\n%s", e.Epoch, epoch, c.history())
		}
		epoch = e.Epoch
	}
	owner := map[int64]string{}
	for _, s := range c.spans {
		if o, ok := owner[s.epoch]; ok && o != s.server {
			c.t.Errorf("%s and %s both worked epoch %d\n%s", o, s.server, s.epoch, c.history())
		}
		owner[s.epoch] = s.server
	}
}
