package ha_test

import (
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

// Tests are named after the rules of doc.go that they fail without.

func TestL4DatabaseRestartShufflesNobody(t *testing.T) {
	for _, away := range []time.Duration{0, 300 * time.Millisecond, 4 * time.Second, 30 * time.Second} {
		for name, s := range map[string]ha.Settings{"30x3": thirty, "1x3": one} {
			t.Run(away.String()+" "+name, func(t *testing.T) {
				bubble(t, s, []string{"a", "b", "c"}, func(c *cluster) {
					c.startAll("a", "b", "c")
					at := time.Now()
					c.db.Down()
					time.Sleep(away)
					c.db.Up()
					time.Sleep(time.Second)
					c.wantActive("a")
					time.Sleep(200 * time.Second)
					c.wantActive("a")
					if n := c.takeovers(at); n != 0 {
						t.Errorf("%d take-overs, want none\n%s", n, c.history())
					}
				})
			})
		}
	}
}

func TestL4SlowReconnectAfterADatabaseRestartIsWaitedFor(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		at := time.Now()
		c.db.Down()
		c.db.Up()
		c.nodes["a"].proc.Refuse(true)
		time.Sleep(4 * time.Second)
		c.nodes["a"].proc.Refuse(false)
		time.Sleep(time.Minute)
		c.wantActive("a")
		if n := c.takeovers(at); n != 0 {
			t.Errorf("%d take-overs, want none: b did not see the name held in its session\n%s", n, c.history())
		}
	})
}

func TestL4PresenceCutAloneIsForgivenWithinTheGrace(t *testing.T) {
	for name, cut := range map[string]func(*hatest.Process){
		"sessions": (*hatest.Process).CutSessions,
		"refused for a while": func(p *hatest.Process) {
			p.Refuse(true)
			time.Sleep(300 * time.Millisecond)
			p.Refuse(false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, one, []string{"a", "b", "c"}, func(c *cluster) {
				c.startAll("a", "b", "c")
				at := time.Now()
				for range 10 {
					cut(c.nodes["a"].proc)
					time.Sleep(7*time.Second + 123*time.Millisecond)
				}
				c.wantActive("a")
				if n := c.takeovers(at); n != 0 {
					t.Errorf("%d take-overs, want none\n%s", n, c.history())
				}
			})
		})
	}
}

func TestL4TwoCrashesInARow(t *testing.T) {
	for _, after := range []time.Duration{0, 3 * time.Millisecond, 50 * time.Millisecond, time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
				c.startAll("a", "b", "c")
				at := time.Now()
				c.kill(c.nodes["a"])
				first := c.next(at, time.Minute)
				time.Sleep(after)
				second := time.Now()
				c.kill(c.nodes[first.server])
				s := c.next(second, time.Minute)
				if gap := first.began.Sub(at) + s.began.Sub(second); gap >= 3*time.Second {
					t.Errorf("both crashes cost %v, want under 3 s\n%s", gap, c.history())
				}
			})
		})
	}
}

func TestL4OnlyTheNextTwoWaitInALargeGroup(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	bubble(t, thirty, names, func(c *cluster) {
		c.startAll(names...)
		at := time.Now()
		c.kill(c.nodes["a"])
		if s := c.next(at, time.Second); s.server != "b" {
			t.Errorf("%s followed, want b", s.server)
		}
		time.Sleep(time.Second)
		if waits := c.db.Waiting(); waits != 3 {
			t.Errorf("%d wait for the Active's presence, want 3: itself and the next two", waits)
		}
	})
}
