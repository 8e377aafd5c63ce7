package ha_test

import (
	"errors"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

// Tests are named after the rules of doc.go that they fail without.

func TestL1LostHeartbeatAnswerIsRetriedAndDeposesNobody(t *testing.T) {
	for name, lose := range map[string]func(*hatest.Process){
		"answer":  func(p *hatest.Process) { p.LoseAnswer(hatest.CallBeat) },
		"request": func(p *hatest.Process) { p.LoseRequest(hatest.CallBeat) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, one, []string{"a", "b"}, func(c *cluster) {
				c.startAll("a", "b")
				at := time.Now()
				for range 20 {
					lose(c.nodes["a"].proc)
					time.Sleep(5 * time.Second)
				}
				c.wantActive("a")
				if n := c.takeovers(at); n != 0 {
					t.Errorf("%d take-overs, want none\n%s", n, c.history())
				}
			})
		})
	}
}

func TestL1TermStopsBeforeItsPromisedLengthIsUp(t *testing.T) {
	bubble(t, thirty, []string{"a"}, func(c *cluster) {
		c.startAll("a")
		renewed, _ := c.db.Server("a")
		c.nodes["a"].proc.Partition()
		time.Sleep(200 * time.Second)
		c.wantActive()
		over := c.spans[0].end.Sub(renewed.HeartbeatAt)
		if limit := thirty.Length(); over > limit-time.Second || over < limit-2*time.Second {
			t.Errorf("the term ended %v after its last renewal, want a margin of 1 s under %v", over, limit)
		}
		if cause := c.spans[0].cause; !errors.Is(cause, ha.ErrTermOver) {
			t.Errorf("cause %v, want ErrTermOver", cause)
		}
	})
}

func TestL1StuckWorkIsNotRenewed(t *testing.T) {
	for name, deaf := range map[string]bool{"returns when cancelled": false, "does not return": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, one, []string{"a", "b"}, func(c *cluster) {
				c.startAll("a", "b")
				c.nodes["a"].stall.Store(true)
				c.nodes["a"].deafWork.Store(deaf)
				time.Sleep(time.Minute)
				if got := c.db.Lease(conn).Server; got != "b" {
					t.Errorf("the lease names %q, want b: the work of a stands still\n%s", got, c.history())
				}
				close(c.nodes["a"].release)
			})
		})
	}
}

func TestL1WorkThatMovesEveryFewSecondsIsRenewed(t *testing.T) {
	two := one
	two.Tolerance = 2
	bubble(t, two, []string{"a", "b"}, func(c *cluster) {
		c.start("a", func(n *node) { n.pace = 5 * time.Second })
		time.Sleep(time.Second)
		c.start("b")
		time.Sleep(2 * time.Minute)
		if n := len(c.spans); n != 1 {
			t.Errorf("%d terms, want one: the work progresses\n%s", n, c.history())
		}
	})
}

func TestL1WorkThatDoesNotReturnDoesNotBlockHeartbeats(t *testing.T) {
	bubble(t, one, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		a := c.nodes["a"]
		a.deafWork.Store(true)
		c.db.SetWish(conn, "b")
		c.db.Wake()
		time.Sleep(30 * time.Second)
		if got := c.db.Lease(conn).Server; got != "b" {
			t.Errorf("the lease names %q, want b: the drain is bounded\n%s", got, c.history())
		}
		if row, _ := c.db.Server("a"); time.Since(row.HeartbeatAt) > 2*time.Second {
			t.Errorf("the last heartbeat of a is %v old", time.Since(row.HeartbeatAt))
		}
		close(a.release)
	})
}

func TestL1ReplacedServerStops(t *testing.T) {
	for name, replace := range map[string]func(c *cluster){
		"row removed": func(c *cluster) { c.db.RemoveServer("a") },
		"row taken":   func(c *cluster) { c.db.JoinAnyway("a") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
				c.startAll("a", "b")
				replace(c)
				if err := <-c.nodes["a"].done; !errors.Is(err, ha.ErrReplaced) {
					t.Errorf("Run returned %v, want ErrReplaced", err)
				}
				time.Sleep(10 * time.Second)
				c.wantActive("b")
			})
		})
	}
}

func TestL1OneTransactionPerPollingInterval(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		time.Sleep(time.Minute)
		before := c.db.Calls()
		time.Sleep(600 * thirty.Polling)
		if n, limit := c.db.Calls()-before, 3*601; n > limit {
			t.Errorf("%d transactions while idle, want at most %d", n, limit)
		}
	})
}

func TestL2SettingsChangedLiveDeposeNobody(t *testing.T) {
	for name, change := range map[string][2]ha.Settings{"shorter": {thirty, one}, "longer": {one, thirty}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, change[0], []string{"a", "b", "c"}, func(c *cluster) {
				c.startAll("a", "b", "c")
				for i := range 20 { // the change meets every phase of the heartbeats
					c.afterHeartbeat("a", time.Duration(i)*change[0].Polling/20)
					at := time.Now()
					c.db.SetSettings(conn, change[1])
					time.Sleep(101 * time.Second)
					c.afterHeartbeat("a", time.Duration(i)*change[1].Polling/20)
					c.db.SetSettings(conn, change[0])
					time.Sleep(100 * time.Second)
					c.wantActive("a")
					if n := c.takeovers(at); n != 0 {
						t.Fatalf("%d take-overs, want none\n%s", n, c.history())
					}
				}
			})
		})
	}
}
