package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tieline/internal/ha"
)

// screen shows the run: on a terminal a table that is drawn again and again,
// elsewhere plain lines about what happens.
type screen struct {
	d *demo

	mu     sync.Mutex
	events []string  // the latest, oldest first
	drawn  int       // lines on the terminal to go back over
	epoch  int64     // as last seen
	plain  time.Time // of the last plain line
	group  ha.Group
}

const (
	shownEvents = 8
	plainEvery  = 5 * time.Second
	redraw      = "\x1b[%dA\x1b[J" // up, and clear to the end
	noWrap      = "\x1b[?7l"       // a line too long for the window is cut, or the lines would be miscounted
	wrap        = "\x1b[?7h"
)

func newScreen(d *demo) *screen { return &screen{d: d} }

// note tells an event.
func (s *screen) note(format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := time.Now().Format("15:04:05.000") + "  " + fmt.Sprintf(format, a...)
	s.events = append(s.events, line)
	if len(s.events) > shownEvents {
		s.events = s.events[1:]
	}
	if !s.d.Terminal {
		fmt.Fprintln(s.d.Out, line)
	}
}

// draw reads what is so now and shows it.
func (s *screen) draw() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	group, err := s.d.db.ReadGroup(ctx)
	if err != nil {
		return // the database is busy; what is shown stays
	}
	s.noteActive(group)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.group = group
	if s.d.Terminal {
		s.table()
		return
	}
	if time.Since(s.plain) >= plainEvery {
		s.plain = time.Now()
		fmt.Fprintf(s.d.Out, "%s  %s\n", time.Now().Format("15:04:05.000"), s.counts())
	}
}

// noteActive tells when the lease has another holder.
func (s *screen) noteActive(group ha.Group) {
	for _, lease := range group.Leases {
		s.mu.Lock()
		changed := lease.Connector == connectorName && lease.Server != "" && lease.Epoch != s.epoch
		if changed {
			s.epoch = lease.Epoch
		}
		s.mu.Unlock()
		if changed {
			s.note("%s is Active, epoch %d", lease.Server, lease.Epoch)
		}
	}
}

func (s *screen) counts() string {
	c := s.d.ledger.Counts()
	return fmt.Sprintf("observations accepted %d, of alerts %d; up to date on the desk %d, on their way %d",
		c.Promised, c.Alerts, c.Delivered, c.Alerts-c.Delivered)
}

func (s *screen) table() {
	var b strings.Builder
	fmt.Fprintf(&b, "tieline demo   3 servers, 1 database, 1 ticket desk; the Active is killed (kill -9) again and again\n")
	fmt.Fprintf(&b, "               %s of %s   Ctrl-C: audit now\n\n", clock(time.Since(s.d.begun)), clock(s.d.Duration))
	fmt.Fprintf(&b, "  %-9s %-8s %-8s %7s %11s %9s\n", "SERVER", "STATE", "PROCESS", "EPOCH", "HEARTBEAT", "REQUESTS")
	for _, server := range s.d.servers {
		s.row(&b, server)
	}
	fmt.Fprintf(&b, "\n  %s\n\n", s.counts())
	for _, e := range s.events {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	if s.drawn > 0 {
		fmt.Fprintf(s.d.Out, redraw, s.drawn)
	}
	text := b.String()
	s.drawn = strings.Count(text, "\n")
	fmt.Fprint(s.d.Out, noWrap+text+wrap)
}

func (s *screen) row(b *strings.Builder, server *server) {
	state, epoch, heartbeat := "Passive", "-", "-"
	for _, row := range s.group.Servers {
		if row.Name == server.name {
			heartbeat = fmt.Sprintf("%.0f s ago", row.Silence.Seconds())
		}
	}
	for _, lease := range s.group.Leases {
		if lease.Connector == connectorName && lease.Server == server.name {
			state, epoch = "Active", fmt.Sprint(lease.Epoch)
		}
	}
	pid, killedAgo := server.pid()
	process := fmt.Sprint(pid)
	if pid == 0 {
		process = fmt.Sprintf("†%.0f s", killedAgo.Seconds())
		if state == "Passive" {
			state = "Offline"
		}
	}
	fmt.Fprintf(b, "  %-9s %-8s %-8s %7s %11s %9d\n", server.name, state, process, epoch, heartbeat, s.d.desk.sent(server.name))
}

// close leaves the last picture standing.
func (s *screen) close() {
	if s.d.Terminal {
		s.draw()
	}
}

func clock(d time.Duration) string {
	d = max(0, d).Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
