package ha_test

import (
	"errors"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/hatest"
)

// The tests of this file are named after the rules of doc.go they fail without.

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

func TestL6StaggeredInOrder(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c", "d"}, func(c *cluster) {
		c.startAll("a", "b", "c", "d")
		c.db.SetOrder(conn, "d", "c", "b", "a")
		c.db.Wake()
		time.Sleep(time.Second)
		at := time.Now()
		c.kill(c.nodes["a"])
		if s := c.next(at, time.Minute); s.server != "d" {
			t.Errorf("%s followed, want d: the order was edited\n%s", s.server, c.history())
		}
		if n := c.takeovers(at); n != 1 {
			t.Errorf("%d take-overs, want 1", n)
		}
	})
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

func TestL7WishForADeadServerWaits(t *testing.T) {
	bubble(t, thirty, []string{"a", "b"}, func(c *cluster) {
		c.startAll("a", "b")
		c.kill(c.nodes["b"])
		time.Sleep(100 * time.Second)
		c.db.SetWish(conn, "b")
		c.db.Wake()
		time.Sleep(time.Minute)
		c.wantActive("a")
		c.start("b")
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
		at := time.Now()
		a := c.start("a", func(n *node) { n.reaches.Store(false) })
		time.Sleep(10 * time.Minute)
		c.wantActive("b") // a does not reach the remote
		a.reaches.Store(true)
		a.runner.Nudge()
		at = time.Now()
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
