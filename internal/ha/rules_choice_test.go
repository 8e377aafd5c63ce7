package ha_test

import (
	"errors"
	"testing"
	"time"

	"tieline/internal/ha"
)

// Tests are named after the rules of doc.go that they fail without.

func TestL7MakeActive(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		for _, to := range []string{"c", "b", "a"} {
			at := time.Now()
			c.db.SetWish(conn, to)
			c.db.Wake()
			s := c.next(at, time.Minute)
			if gap := s.began.Sub(at); s.server != to || gap >= 50*time.Millisecond {
				t.Errorf("%s followed after %v, want %s in under 50ms", s.server, gap, to)
			}
			time.Sleep(time.Second)
			if wish := c.db.Lease(conn).Wish; wish != "" {
				t.Errorf("the wish for %s is still there", wish)
			}
		}
	})
}

// TestL7WishForADeadServerEnds: it is withdrawn once the server is Offline, and the
// server is not made Active when it is back.
func TestL7WishForADeadServerEnds(t *testing.T) {
	for name, c := range map[string]struct{ able, silent bool }{
		"silent": {true, true}, "not able, and dies": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, thirty, []string{"a", "b"}, func(g *cluster) {
				g.startAll("a", "b")
				g.nodes["b"].eligible.Store(c.able)
				g.nodes["b"].runner.Nudge()
				time.Sleep(2 * time.Second)
				if c.silent {
					g.kill(g.nodes["b"])
					time.Sleep(100 * time.Second)
				}
				g.db.SetWish(conn, "b")
				g.db.Wake()
				time.Sleep(time.Second)
				if !c.silent {
					if wish := g.db.Lease(conn).Wish; wish != "b" {
						t.Fatalf("the wish is %q while b lives, want b", wish)
					}
					g.kill(g.nodes["b"])
					time.Sleep(time.Second)
				}
				if wish := g.db.Lease(conn).Wish; wish != "" {
					t.Errorf("the wish for %s is still there", wish)
				}
				g.start("b")
				time.Sleep(time.Minute)
				g.wantActive("a")
			})
		})
	}
}

// TestL7WishWaitsForAServerThatIsNotAble: it is followed when the server is.
func TestL7WishWaitsForAServerThatIsNotAble(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		b := c.nodes["b"]
		b.eligible.Store(false)
		b.runner.Nudge()
		time.Sleep(2 * time.Second)
		c.db.SetWish(conn, "b")
		c.db.Wake()
		time.Sleep(10 * time.Second)
		c.wantActive("a")
		b.eligible.Store(true)
		b.runner.Nudge()
		time.Sleep(time.Minute)
		c.wantActive("b")
	})
}

func TestL7FailbackManualKeepsTheActive(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.kill(c.nodes["a"])
		time.Sleep(time.Minute)
		c.start("a")
		time.Sleep(time.Hour)
		c.wantActive("b")
	})
}

func TestL7FailbackAutomaticWaitsForSteadiness(t *testing.T) {
	s := thirty
	s.Failback = ha.Automatic
	bubble(t, s, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.kill(c.nodes["a"])
		time.Sleep(10 * time.Minute)
		a := c.start("a", func(n *node) { n.reaches.Store(false) })
		time.Sleep(10 * time.Minute)
		c.wantActive("b") // a does not reach the remote
		a.reaches.Store(true)
		a.runner.Nudge()
		at := time.Now()
		n := c.next(at, time.Hour)
		if gap := n.began.Sub(at); n.server != "a" || gap < s.Length() || gap > s.Length()+2*s.Polling {
			t.Errorf("%s followed after %v, want a after a full tolerance\n%s", n.server, gap, c.history())
		}
		if got := c.db.Events()[len(c.db.Events())-2].Reason; got != ha.ReasonFailback {
			t.Errorf("released because of %q", got)
		}
	})
}

func TestL7HoldDownDoublesWithEachReversal(t *testing.T) {
	s := one
	s.Failback = ha.Automatic
	bubble(t, s, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		var gaps []time.Duration
		for range 4 {
			c.kill(c.nodes["a"])
			down := time.Now()
			c.next(down, time.Minute)
			time.Sleep(5 * time.Second)
			up := time.Now()
			c.start("a")
			n := c.next(up, 10*time.Hour)
			gaps = append(gaps, n.began.Sub(down))
			time.Sleep(time.Second)
		}
		for i, gap := range gaps[1:] {
			if gap < gaps[i]*3/2 {
				t.Errorf("failed back after %v: each reversal should wait longer\n%s", gaps, c.history())
			}
		}
	})
}

func TestL7ActiveWithoutRemoteHandsOverToOneWith(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		for _, name := range []string{"a", "b"} {
			c.nodes[name].reaches.Store(false)
			c.nodes[name].runner.Nudge()
		}
		at := time.Now()
		s := c.next(at, 10*time.Minute)
		if gap := s.began.Sub(at); s.server != "c" || gap > 2*thirty.Polling+time.Second {
			t.Errorf("%s followed after %v, want c within two polling intervals\n%s", s.server, gap, c.history())
		}
		c.nodes["c"].reaches.Store(false)
		c.nodes["c"].runner.Nudge()
		time.Sleep(time.Hour)
		c.wantActive("c") // nobody reaches it: there is no point in moving
	})
}

func TestL8ChangedHistoryJumpsTheEpoch(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		before := c.db.Lease(conn).Epoch
		at := time.Now()
		c.db.Down()
		c.db.ChangeIdentity("history-2")
		c.db.Up()
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); gap > 2*time.Second {
			t.Errorf("%s followed after %v\n%s", s.server, gap, c.history())
		}
		time.Sleep(time.Minute)
		l := c.db.Lease(conn)
		if l.Epoch != before+ha.EpochJump+1 || l.Identity != "history-2" {
			t.Errorf("epoch %d of %q, want %d of history-2", l.Epoch, l.Identity, before+ha.EpochJump+1)
		}
		doubts := 0
		for _, e := range c.db.Events() {
			if e.Reason == ha.ReasonIdentity && e.To == "" {
				doubts++
			}
		}
		if doubts != 1 {
			t.Errorf("%d times in doubt, want once\n%s", doubts, c.history())
		}
	})
}

// TestL8FirstInOrderFollows: everybody hears of another history at about the same
// time, and the first in order has the lease whoever moved it there, also where it
// reconnects later than the others, or its work takes a moment to return.
func TestL8FirstInOrderFollows(t *testing.T) {
	for name, away := range map[string]time.Duration{
		"noticed in passing": 0, "away for a moment": time.Second, "away for 3.3 s": 3300 * time.Millisecond, "away for 10 s": 10 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
				slow := func(n *node) { n.jitter, n.linger = 0.6, 200*time.Millisecond }
				for name, option := range map[string]func(*node){"a": slow, "b": func(n *node) { n.jitter = 0.05 }, "c": func(*node) {}} {
					c.start(name, option)
				}
				c.db.SetWish(conn, "a")
				c.db.Wake()
				time.Sleep(100 * time.Second)
				c.wantActive("a")
				at := time.Now()
				if away > 0 {
					c.db.Down()
				}
				c.db.ChangeIdentity("history-2")
				if time.Sleep(away); away > 0 {
					c.db.Up()
				}
				if s := c.next(at, time.Minute); s.server != "a" {
					t.Errorf("%s followed, want a, which is first in order and lives\n%s", s.server, c.history())
				}
			})
		})
	}
}

// TestL8DeadFirstInOrderIsWaitedForOnce: the wait for it is a grace.
func TestL8DeadFirstInOrderIsWaitedForOnce(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		c.db.Down()
		c.kill(c.nodes["a"])
		c.db.ChangeIdentity("history-2")
		time.Sleep(5 * time.Second)
		at := time.Now()
		c.db.Up()
		s := c.next(at, time.Minute)
		timing := ha.DefaultTiming()
		limit := timing.MaxRetry*3/2 + timing.Grace + timing.Stagger + 50*time.Millisecond
		if gap := s.began.Sub(at); s.server != "b" || gap > limit {
			t.Errorf("%s followed after %v, want b within %v\n%s", s.server, gap, limit, c.history())
		}
	})
}

// TestL8FailbackBringsTheLeaseHome: where the first in order could not have it at
// once, automatic failback gives it back.
func TestL8FailbackBringsTheLeaseHome(t *testing.T) {
	s := thirty
	s.Failback = ha.Automatic
	bubble(t, s, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.nodes["a"].linger = 2 * time.Second
		at := time.Now()
		c.db.ChangeIdentity("history-2")
		if next := c.next(at, time.Minute); next.server != "b" {
			t.Fatalf("%s followed, want b while the work of a has not returned\n%s", next.server, c.history())
		}
		at = time.Now()
		next := c.next(at, 10*time.Minute)
		if gap := next.began.Sub(at); next.server != "a" || gap > s.Length()+2*s.Polling {
			t.Errorf("%s followed after %v, want a after a full tolerance\n%s", next.server, gap, c.history())
		}
	})
}

func TestL8RestoredRowsAreCountedOnFrom(t *testing.T) {
	bubble(t, one, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		restore := c.db.Snapshot()
		time.Sleep(time.Minute)
		c.db.Down()
		restore()
		c.db.ChangeIdentity("history-2")
		c.db.Up()
		time.Sleep(30 * time.Second)
		if got := len(c.working()); got != 1 {
			t.Errorf("%d Actives, want one\n%s", got, c.history())
		}
		for _, name := range []string{"a", "b"} {
			if row, _ := c.db.Server(name); time.Since(row.HeartbeatAt) > 2*time.Second {
				t.Errorf("%s has no heartbeat since the restore", name)
			}
		}
	})
}

func TestL9ActiveThatIsNoMemberHandsOver(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		at := time.Now()
		c.db.SetOrder(conn, "b", "c")
		c.db.Wake()
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); s.server != "b" || gap >= 50*time.Millisecond {
			t.Errorf("%s followed after %v, want b in under 50ms\n%s", s.server, gap, c.history())
		}
		if c.spans[0].cause != nil {
			t.Errorf("the work of a was cancelled, not drained: %v", c.spans[0].cause)
		}
	})
}

func TestL9HeartbeatInsertsNoRow(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.db.RemoveServer("b")
		if err := <-c.nodes["b"].done; !errors.Is(err, ha.ErrReplaced) {
			t.Errorf("Run returned %v, want ErrReplaced", err)
		}
		if _, ok := c.db.Server("b"); ok {
			t.Error("the removed server's row is back")
		}
	})
}
