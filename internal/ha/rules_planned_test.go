package ha_test

import (
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

// Tests are named after the rules of doc.go that they fail without.

func TestL3PlannedStopHandsOverAtOnce(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		at := time.Now()
		if err := c.stop(c.nodes["a"]); err != nil {
			t.Fatal(err)
		}
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); s.server != "b" || gap >= 50*time.Millisecond {
			t.Errorf("%s followed after %v, want b in under 50ms\n%s", s.server, gap, c.history())
		}
	})
}

// TestL3TheNextActiveIsCalledBeforeItsTerm: whom an operator wishes for hears of
// it while the Active still finishes; nobody else does.
func TestL3TheNextActiveIsCalledBeforeItsTerm(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.start("a", func(n *node) { n.finish = 4 * time.Second })
		time.Sleep(time.Second)
		c.start("b")
		c.start("c")
		time.Sleep(10 * time.Second)
		c.db.SetWish(conn, "c")
		c.db.Wake()
		time.Sleep(time.Second)
		c.wantActive("a")
		for name, want := range map[string]bool{"a": false, "b": false, "c": true} {
			if got := c.nodes[name].called.Load() > 0; got != want {
				t.Errorf("%s was called: %v, want %v", name, got, want)
			}
		}
		time.Sleep(5 * time.Second)
		c.wantActive("c")
	})
}

func TestL3StopFinishesWhatIsInFlight(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.start("a", func(n *node) { n.finish = 4 * time.Second })
		time.Sleep(time.Second)
		c.start("b")
		time.Sleep(10 * time.Second)
		at := time.Now()
		if err := c.stop(c.nodes["a"]); err != nil {
			t.Fatal(err)
		}
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(c.spans[0].end); gap < 0 || gap >= 50*time.Millisecond {
			t.Errorf("b began %v after the work of a ended, want 0 to 50ms", gap)
		}
		if c.spans[0].cause != nil {
			t.Errorf("the work of a was cancelled: %v", c.spans[0].cause)
		}
	})
}

func TestL3ReleaseToADeadSuccessorFallsToTheNext(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		c.kill(c.nodes["b"])
		at := time.Now()
		if err := c.stop(c.nodes["a"]); err != nil {
			t.Fatal(err)
		}
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); s.server != "c" || gap < time.Second || gap > 1500*time.Millisecond {
			t.Errorf("%s followed after %v, want c after 1 to 1.5 s\n%s", s.server, gap, c.history())
		}
	})
}

func TestL3ReleaserTakesBackWhatNobodyTook(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.kill(c.nodes["b"]) // nobody waits for a Passive's presence: a does not know
		at := time.Now()
		c.db.SetWish(conn, "b")
		c.db.Wake()
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); s.server != "a" || gap < 2*time.Second || gap > 2500*time.Millisecond {
			t.Errorf("%s followed after %v, want a after 2 to 2.5 s\n%s", s.server, gap, c.history())
		}
		if got := c.last().Reason; got != ha.ReasonTakeBack {
			t.Errorf("reason %q", got)
		}
	})
}

func TestL3LostReleaseAnswerIsNotATermOfItsOwn(t *testing.T) {
	for name, lose := range map[string]func(*hatest.Process){
		"answer":  func(p *hatest.Process) { p.LoseAnswer(hatest.CallRelease) },
		"request": func(p *hatest.Process) { p.LoseRequest(hatest.CallRelease) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
				c.startAll("a", "b")
				at := time.Now()
				lose(c.nodes["a"].proc)
				c.db.SetWish(conn, "b")
				c.db.Wake()
				time.Sleep(5 * time.Second)
				c.wantActive("b")
				if n := c.takeovers(at); n != 1 {
					t.Errorf("%d take-overs, want 1\n%s", n, c.history())
				}
			})
		})
	}
}

func TestL3FailingWorkMovesTheLeaseWithoutHaste(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.start("a", func(n *node) { n.fails.Store(true) })
		time.Sleep(5 * time.Minute)
		if n := c.takeovers(time.Time{}); n < 4 || n > 12 {
			t.Errorf("%d take-overs alone in 5 minutes, want a few, further and further apart\n%s", n, c.history())
		}
		c.start("b")
		time.Sleep(2 * time.Minute)
		c.wantActive("b")
	})
}
