package ha_test

import (
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

// Tests are named after the rules of doc.go that they fail without.

func TestL5SilentActiveIsReplacedAfterItsPromisedLength(t *testing.T) {
	for name, silence := range map[string]func(*hatest.Process){
		"frozen": (*hatest.Process).Freeze, "partitioned": (*hatest.Process).Partition,
	} {
		for kind, s := range map[string]ha.Settings{"30x3": thirty, "1x3": one} {
			t.Run(name+" "+kind, func(t *testing.T) {
				bubble(t, s, []string{"a", "b", "c"}, func(c *cluster) {
					c.startAll("a", "b", "c")
					at := time.Now()
					silence(c.nodes["a"].proc)
					n := c.next(at, 10*time.Minute)
					limit := s.Polling*time.Duration(s.Tolerance+1) + time.Second
					if gap := n.began.Sub(at); n.server != "b" || gap > limit {
						t.Errorf("%s followed after %v, want b within %v", n.server, gap, limit)
					}
					if got := c.last().Reason; got != ha.ReasonSilence {
						t.Errorf("reason %q", got)
					}
					c.nodes["a"].proc.Thaw()
					c.nodes["a"].proc.Heal()
					time.Sleep(3 * s.Length())
					c.wantActive("b")
				})
			})
		}
	}
}

func TestL5PausedPassivesDeposeNobody(t *testing.T) {
	bubble(t, one, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		at := time.Now()
		c.nodes["b"].proc.Freeze()
		c.nodes["c"].proc.Freeze()
		time.Sleep(100 * time.Second)
		c.nodes["b"].proc.Thaw()
		c.nodes["c"].proc.Thaw()
		time.Sleep(30 * time.Second)
		c.wantActive("a")
		if n := c.takeovers(at); n != 0 {
			t.Errorf("%d take-overs, want none\n%s", n, c.history())
		}
	})
}

func TestL5ColdStart(t *testing.T) {
	t.Run("the holder is gone", func(t *testing.T) {
		bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
			c.startAll("a")
			c.kill(c.nodes["a"])
			time.Sleep(time.Second)
			at := time.Now()
			c.start("b")
			s := c.next(at, 10*time.Minute)
			if gap := s.began.Sub(at); gap < 6*time.Second || gap > 8*time.Second {
				t.Errorf("b followed after %v, want 6 to 8 s: nobody holds the presence", gap)
			}
		})
	})
	t.Run("the holder is silent", func(t *testing.T) {
		bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
			c.startAll("a")
			c.nodes["a"].proc.Freeze()
			time.Sleep(time.Hour)
			at := time.Now()
			c.start("b")
			s := c.next(at, 10*time.Minute)
			if gap := s.began.Sub(at); gap < thirty.Length() || gap > thirty.Length()+2*time.Second {
				t.Errorf("b followed after %v, want to watch %v first", gap, thirty.Length())
			}
		})
	})
}

func TestL5SilenceCountsOnlyWhileConnected(t *testing.T) {
	bubble(t, one, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		c.afterHeartbeat("a", 0)
		c.afterHeartbeat("b", 10*time.Millisecond) // which saw that of a
		at := time.Now()
		c.db.Down()
		time.Sleep(30 * time.Second)
		c.nodes["a"].proc.Refuse(true) // the Active comes back last
		c.db.Up()
		time.Sleep(1500 * time.Millisecond)
		c.nodes["a"].proc.Refuse(false)
		time.Sleep(10 * time.Second)
		c.wantActive("a")
		if n := c.takeovers(at); n != 0 {
			t.Errorf("%d take-overs, want none: nobody could be heard\n%s", n, c.history())
		}
	})
}

func TestL6DecidesOnAReadingMadeAfterTheWait(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		at := time.Now()
		unlock := c.db.LockLease(conn) // the fresh session's renewal is skipped: the beat does not move
		c.nodes["a"].proc.CutSessions()
		time.Sleep(100 * time.Millisecond)
		unlock()
		time.Sleep(20 * time.Second)
		c.wantActive("a")
		if n := c.takeovers(at); n != 0 {
			t.Errorf("%d take-overs, want none: the name published by then is another\n%s", n, c.history())
		}
	})
}

// TestL6StaggeredInOrder puts each of the others first in turn, several times:
// whoever came first by chance alone would not be the right one each time.
func TestL6StaggeredInOrder(t *testing.T) {
	orders := [][]string{{"d", "c", "b", "a"}, {"c", "b", "d", "a"}, {"b", "d", "c", "a"}}
	for n := range 4 * len(orders) {
		order := orders[n%len(orders)]
		bubble(t, thirty, []string{"a", "b", "c", "d"}, func(c *cluster) {
			c.startAll("a", "b", "c", "d")
			c.db.SetOrder(conn, order...)
			c.db.Wake()
			time.Sleep(time.Second)
			at := time.Now()
			c.kill(c.nodes["a"])
			if s := c.next(at, time.Minute); s.server != order[0] {
				t.Errorf("%s followed, want %s: the order was edited\n%s", s.server, order[0], c.history())
			}
			if n := c.takeovers(at); n != 1 {
				t.Errorf("%d take-overs, want 1", n)
			}
		})
	}
}

func TestL6LostTakeOverAnswerIsMyTerm(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.nodes["b"].proc.LoseAnswer(hatest.CallTake)
		at := time.Now()
		c.kill(c.nodes["a"])
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); s.server != "b" || gap >= time.Second {
			t.Errorf("%s followed after %v, want b within a second", s.server, gap)
		}
		if n := c.takeovers(at); n != 1 {
			t.Errorf("%d take-overs, want 1\n%s", n, c.history())
		}
	})
}

func TestL6LostTakeOverRequestIsRepeated(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.nodes["b"].proc.LoseRequest(hatest.CallTake)
		at := time.Now()
		c.kill(c.nodes["a"])
		if s := c.next(at, time.Minute); s.began.Sub(at) > 8*time.Second {
			t.Errorf("b followed after %v", s.began.Sub(at))
		}
	})
}

func TestL6CrashLoopCostsOneTakeOver(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		at := time.Now()
		c.nodes["a"].crash.Store(true)
		c.kill(c.nodes["a"])
		for range 50 {
			time.Sleep(20 * time.Millisecond)
			c.kill(c.start("a", func(n *node) { n.crash.Store(true) }))
		}
		c.start("a", func(n *node) { n.crash.Store(true) })
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); s.server != "b" || gap >= time.Second {
			t.Errorf("%s followed after %v, want b within a second\n%s", s.server, gap, c.history())
		}
		time.Sleep(time.Minute)
		c.wantActive("b")
		if n := c.takeovers(at); n != 1 {
			t.Errorf("%d take-overs, want 1\n%s", n, c.history())
		}
	})
}

func TestL6RestartedServerYieldsUnlessAlone(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		bubble(t, thirty, []string{"a"}, func(c *cluster) {
			c.startAll("a")
			c.kill(c.nodes["a"])
			time.Sleep(20 * time.Millisecond)
			at := time.Now()
			c.start("a")
			if s := c.next(at, time.Minute); s.began.Sub(at) > 100*time.Millisecond {
				t.Errorf("a is Active again after %v, want at once", s.began.Sub(at))
			}
			if got := c.last().Reason; got != ha.ReasonRestart {
				t.Errorf("reason %q", got)
			}
		})
	})
	t.Run("beside a Passive that cannot follow", func(t *testing.T) {
		bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
			c.startAll("a", "b")
			c.nodes["b"].proc.Partition()
			c.kill(c.nodes["a"])
			time.Sleep(20 * time.Millisecond)
			at := time.Now()
			c.start("a")
			s := c.next(at, time.Minute)
			if gap := s.began.Sub(at); s.server != "a" || gap < 3*time.Second || gap > 4*time.Second {
				t.Errorf("%s followed after %v, want a after 3 to 4 s\n%s", s.server, gap, c.history())
			}
		})
	})
}

func TestL6IneligibleServersTakeNothing(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		c.nodes["b"].eligible.Store(false)
		c.nodes["b"].runner.Nudge()
		time.Sleep(time.Second)
		at := time.Now()
		c.kill(c.nodes["a"])
		if s := c.next(at, time.Minute); s.server != "c" || s.began.Sub(at) > time.Second {
			t.Errorf("%s followed after %v, want c within a second", s.server, s.began.Sub(at))
		}
		c.nodes["c"].eligible.Store(false)
		c.nodes["b"].eligible.Store(true)
		c.nodes["b"].runner.Nudge()
		c.nodes["c"].runner.Nudge()
		time.Sleep(40 * time.Second)
		c.wantActive("b")
	})
}

func TestL6LostWakeUpsCostTimeOnly(t *testing.T) {
	bubble(t, one, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		for _, n := range c.nodes {
			n.proc.Deafen()
		}
		at := time.Now()
		c.db.SetWish(conn, "c")
		if s := c.next(at, 10*time.Second); s.server != "c" {
			t.Errorf("%s followed, want c", s.server)
		}
	})
}
