package sim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/ha"
)

// scene is a world without drawn faults, for one availability scenario.
type scene struct {
	*World
	t *testing.T
}

// play runs a scenario over several seeds: all servers up, the first in order
// Active, everything settled, then f.
func play(t *testing.T, change func(p *Plan), f func(s scene)) {
	t.Helper()
	for seed := uint64(1); seed <= 12; seed++ {
		synctest.Test(t, func(t *testing.T) {
			p := Plan{
				servers: 3, reconcile: -1, keys: 3,
				settings: ha.Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Window: window, Settle: settle, Version: 1},
			}
			if change != nil {
				change(&p)
			}
			w := newWorld(seed, p, *traced)
			s := scene{w, t}
			defer func() {
				w.end()
				if t.Failed() {
					t.Logf("seed %d\n%s", seed, w.trace.text())
				}
			}()
			for _, h := range w.hosts {
				w.boot(h)
				time.Sleep(time.Second)
			}
			time.Sleep(w.plan.settings.Length() + w.chance.of(0, "settle").between(0, 30*time.Second))
			f(s)
			if len(w.check.findings) > 0 {
				t.Error(strings.Join(w.check.findings, "\n"))
			}
		})
		if t.Failed() {
			return
		}
	}
}

// active is the host that works now, nil when none does.
func (s scene) active() *Host {
	var l ha.Lease
	s.db.read(func(r *rows) { l = r.leases[connectorName] })
	for _, h := range s.hosts {
		if p := h.current(); p != nil && p.boot == l.Boot && s.check.isWorking(l.Boot, l.Epoch) && s.well(l.Boot) {
			return h
		}
	}
	return nil
}

// gap is how long until a server other than those given works.
func (s scene) gap(limit time.Duration, not ...*Host) time.Duration {
	began := time.Now()
	for time.Since(began) < limit {
		if h := s.active(); h != nil && !contains(not, h) {
			return time.Since(began)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return limit
}

func contains(hs []*Host, h *Host) bool {
	for _, x := range hs {
		if x == h {
			return true
		}
	}
	return false
}

// takes returns the take-overs since a moment.
func (s scene) takes(since time.Time) []takeOver {
	s.check.mu.Lock()
	defer s.check.mu.Unlock()
	var out []takeOver
	for _, t := range s.check.takes {
		if !t.at.Before(since) {
			out = append(out, t)
		}
	}
	return out
}

func (s scene) wantGap(got, most time.Duration, what string) {
	s.t.Helper()
	if got > most {
		s.t.Errorf("%s: nobody was Active for %v, at most %v are allowed", what, got, most)
	}
}

func (s scene) wantTakes(since time.Time, want int, what string) {
	s.t.Helper()
	if got := s.takes(since); len(got) != want {
		s.t.Errorf("%s: %d changes of Active, want %d: %+v", what, len(got), want, got)
	}
}

func TestSceneCrash(t *testing.T) {
	play(t, nil, func(s scene) {
		began, dead := time.Now(), s.active()
		s.kill(dead, time.Hour)
		s.wantGap(s.gap(2*time.Minute, dead), time.Second, "crash")
		s.wantTakes(began, 1, "crash")
	})
}

func TestSceneTwoCrashes(t *testing.T) {
	play(t, nil, func(s scene) {
		first := s.active()
		s.kill(first, time.Hour)
		gap := s.gap(2*time.Minute, first)
		second := s.active()
		s.kill(second, time.Hour)
		gap += s.gap(2*time.Minute, first, second)
		s.wantGap(gap, 3*time.Second, "two crashes in a row")
	})
}

func TestSceneCrashLoop(t *testing.T) {
	play(t, nil, func(s scene) {
		loop := s.active()
		began := time.Now()
		s.plan.crashLoop = loop.serverName()
		s.kill(loop, 20*time.Millisecond)
		s.wantGap(s.gap(2*time.Minute, loop), time.Second, "crash loop")
		time.Sleep(3 * time.Minute)
		s.wantTakes(began, 1, "crash loop")
	})
}

func TestSceneSilence(t *testing.T) {
	limit := func(s scene) time.Duration {
		return s.plan.settings.Polling*time.Duration(s.plan.settings.Tolerance+1) + time.Second
	}
	play(t, nil, func(s scene) {
		h := s.active()
		h.current().freeze(false)
		s.wantGap(s.gap(10*time.Minute, h), limit(s), "SIGSTOP")
		h.current().thaw()
	})
	play(t, nil, func(s scene) {
		h := s.active()
		h.setCut(true, true)
		s.wantGap(s.gap(10*time.Minute, h), limit(s), "partition")
		h.setCut(false, false)
	})
}

// TestNobodyIsDeposed: what must not change the Active.
func TestSceneNobodyIsDeposed(t *testing.T) {
	for name, disturb := range map[string]func(s scene){
		"database restart": func(s scene) {
			s.db.stop()
			time.Sleep(s.chance.of(0, "down").between(100*time.Millisecond, 4*time.Second))
			s.db.start()
		},
		"database away for 30 s": func(s scene) {
			s.db.stop()
			time.Sleep(30 * time.Second)
			s.db.start()
		},
		"presence lost": func(s scene) { s.db.dropAll(s.active().current()) },
		"Passives paused": func(s scene) {
			for _, h := range s.hosts {
				if h != s.active() {
					h.current().freeze(false)
				}
			}
			time.Sleep(100 * time.Second)
			for _, h := range s.hosts {
				h.current().thaw()
			}
		},
		"Passives suspended": func(s scene) {
			for _, h := range s.hosts {
				if h != s.active() {
					h.current().freeze(true)
				}
			}
			time.Sleep(500 * time.Second)
			for _, h := range s.hosts {
				h.current().thaw()
			}
		},
		"shorter intervals, learnt late": func(s scene) {
			s.db.read(func(r *rows) {
				set := r.settings[connectorName]
				set.Polling, set.Version = time.Second, 2
				r.settings[connectorName] = set
			})
			for _, h := range s.hosts {
				if h != s.active() {
					h.current().poke(false)
				}
			}
		},
		"order edited": func(s scene) {
			_, edit := orderFault(s.World, nil, s.active())
			edit()
		},
		"clocks stepped": func(s scene) {
			for i, h := range s.hosts {
				h.stepWall(time.Duration(1-i) * time.Hour)
			}
			s.db.step(-time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(s scene) {
				began := time.Now()
				disturb(s)
				s.wantGap(s.gap(10*time.Minute), 2*time.Second, name)
				time.Sleep(5 * time.Minute)
				s.wantTakes(began, 0, name)
				s.wantGap(s.gap(10*time.Minute), time.Second, name)
			})
		})
	}
}

func TestScenePlanned(t *testing.T) {
	play(t, nil, func(s scene) {
		h := s.active()
		h.current().stop()
		began := time.Now()
		s.wantGap(s.gap(time.Minute, h), 200*time.Millisecond, "stop")
		s.wantTakes(began, 1, "stop")
	})
	play(t, nil, func(s scene) {
		began, to := time.Now(), s.hosts[2]
		s.wish(to.serverName())
		s.wantGap(s.gap(time.Minute, s.hosts[0], s.hosts[1]), time.Second, "Make Active")
		s.wantTakes(began, 1, "Make Active")
	})
}

// TestDeadSuccessor: the server that a release names dies before it can take over.
func TestSceneDeadSuccessor(t *testing.T) {
	play(t, nil, func(s scene) {
		h := s.active()
		h.current().stop()
		for s.leaseHolder() != "" {
			time.Sleep(100 * time.Microsecond)
		}
		var next string
		s.db.read(func(r *rows) { next = r.leases[connectorName].Successor })
		for _, x := range s.hosts {
			if x.serverName() == next {
				s.kill(x, time.Hour)
			}
		}
		s.wantGap(s.gap(2*time.Minute, h), 3*time.Second, "dead successor")
	})
}

func (s scene) leaseHolder() (name string) {
	s.db.read(func(r *rows) { name = r.leases[connectorName].Server })
	return name
}

// TestLostTakeOver: the answer to a take-over is lost; the row that names the
// process is its term.
func TestSceneLostTakeOver(t *testing.T) {
	play(t, nil, func(s scene) {
		h := s.active()
		s.kill(h, time.Hour)
		began := time.Now()
		for len(s.takes(began)) == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		for _, x := range s.hosts {
			if x.serverName() == s.leaseHolder() {
				x.setCut(false, true)
				time.Sleep(10 * time.Millisecond)
				x.setCut(false, false)
			}
		}
		s.wantGap(s.gap(5*time.Minute, h), 10*time.Second, "lost take-over")
		s.wantTakes(began, 1, "lost take-over")
	})
}

// TestColdStart: the lease names a process that is long gone.
func TestSceneColdStart(t *testing.T) {
	play(t, nil, func(s scene) {
		for _, h := range s.hosts {
			s.kill(h, time.Hour)
		}
		time.Sleep(10 * time.Second)
		last := s.hosts[2]
		s.boot(last)
		s.wantGap(s.gap(5*time.Minute), 10*time.Second, "cold start")
	})
}

func TestSceneFailback(t *testing.T) {
	automatic := func(p *Plan) { p.settings.Failback, p.settings.Polling = ha.Automatic, time.Second }
	play(t, automatic, func(s scene) {
		first := s.hosts[0]
		s.kill(first, 5*time.Second)
		s.gap(time.Minute, first)
		began := time.Now()
		time.Sleep(5 * time.Minute)
		s.wantTakes(began, 1, "failback")
		if s.active() != first {
			t.Errorf("the first in order is not Active again")
		}
	})
	play(t, automatic, func(s scene) { // flapping costs a bounded number of changes
		first := s.hosts[0]
		began := time.Now()
		for range 20 {
			s.kill(first, 5*time.Second)
			time.Sleep(60 * time.Second)
		}
		if n := len(s.takes(began)); n > 16 {
			t.Errorf("a flapping server caused %d changes of Active in 20 minutes", n)
		}
	})
}

func TestSceneRemoteOutOfReach(t *testing.T) {
	play(t, func(p *Plan) { p.settings.Polling = time.Second }, func(s scene) {
		time.Sleep(2 * time.Minute)
		h := s.active()
		h.setRemoteCut(true)
		s.wantGap(s.gap(5*time.Minute, h), 10*time.Second, "the Active cannot connect to the remote")
	})
}

func TestSceneIneligible(t *testing.T) {
	play(t, func(p *Plan) { p.ineligible = map[string]bool{"b": true} }, func(s scene) {
		s.kill(s.active(), time.Hour)
		s.wantGap(s.gap(time.Minute, s.hosts[0], s.hosts[1]), time.Second, "crash beside a server that cannot run the document")
	})
}
