package sim

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// before lets something happen when any process is about to send its next
// request of a kind.
func (s scene) before(kind string, do func(p *Process)) {
	s.traps.mu.Lock()
	defer s.traps.mu.Unlock()
	s.traps.left = append(s.traps.left, ambush{kind: kind, what: "what the scene says", do: do})
}

// until waits for something that must come to be.
func (s scene) until(what string, so func() bool) {
	s.t.Helper()
	for limit := time.Now().Add(5 * time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			s.t.Fatalf("in vain waited for %s", what)
		}
	}
}

// heard is how much of the desk's news the group has read; -1 = it has not begun.
func (s scene) heard() int {
	n := -1
	s.db.read(func(r *rows) {
		if at, err := strconv.Atoi(r.bookmarks[connectorName+"/news"]); err == nil {
			n = at
		}
	})
	return n
}

// TestSceneTakeOverTooLate (rule L9): a server stops being a member of the
// connector, and stays in the group for others, while its take-over travels. The
// reading it decided on still had it as a member.
func TestSceneTakeOverTooLate(t *testing.T) {
	play(t, nil, func(s scene) {
		late := ""
		s.before("take", func(p *Process) {
			s.db.read(func(r *rows) {
				late = p.server
				r.members = slices.DeleteFunc(r.members, func(m ha.Member) bool { return m.Server == p.server })
			})
		})
		first := s.active()
		s.kill(first, time.Hour)
		s.wantGap(s.gap(5*time.Minute, first), time.Minute, "a take-over that came too late")
		holder := s.leaseHolder()
		if late == "" || holder == late || holder == first.serverName() {
			s.t.Errorf("%q stopped being a member with its take-over under way; Active is %q", late, holder)
		}
	})
}

// TestSceneNewsTooLate (rule C9): the network keeps the statement that moves the
// bookmark until the same term has given it up and moved the bookmark further.
// Delivered then, under a fence that still holds, it moves nothing back.
func TestSceneNewsTooLate(t *testing.T) {
	const kept = 30 * time.Second
	play(t, nil, func(s scene) {
		r, struck := s.chance.of(0, "person"), time.Time{}
		s.tell("k1", alert.Open)
		s.until("a ticket, and the first bookmark", func() bool { return s.tickets() == 1 && s.heard() >= 0 })
		s.before("receive", func(p *Process) {
			p.keep("receive", kept)
			s.db.read(func(*rows) { struck = time.Now() })
		})
		s.person(r)
		s.until("the statement to be under way", func() bool { return s.since(&struck) > 0 })
		behind := s.heard()
		s.person(r)
		s.until("the bookmark to be moved without it", func() bool { return s.heard() > behind+1 })
		if s.since(&struck) >= kept {
			s.t.Errorf("the bookmark stood still until the statement came")
		}
		s.until("the statement to come", func() bool { return s.since(&struck) > kept+time.Second })
		s.until("all the news to be heard", func() bool { return s.heard() == s.told() })
	})
}

// since is how long ago a moment was that a process notes under the database's
// mutex; 0 = it has not been.
func (s scene) since(moment *time.Time) (ago time.Duration) {
	s.db.read(func(*rows) {
		if !moment.IsZero() {
			ago = time.Since(*moment)
		}
	})
	return ago
}

// person lets a person at the desk say something of an open ticket.
func (s scene) person(r *roll) {
	before := s.told()
	s.until("a person's word", func() bool {
		s.desk.work(r)
		return s.told() > before
	})
}

func (s scene) told() int {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	return len(s.desk.news)
}

func (s scene) tickets() int {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	return len(s.desk.tickets)
}
