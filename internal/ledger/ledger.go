// Package ledger compares what a source was promised with what a remote system
// received: the two ends of the connector, seen from outside of it.
//
// The source's side writes down every observation that was answered 2xx; the
// remote's side every request that reached it. Audit then says what was lost
// (promised, and the remote does not show it), doubled (more than one ticket
// for one alert) and out of order (an older revision arrived after a newer
// one). It trusts nothing that Tieline itself says.
package ledger

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Promise is one observation of an alert that a server answered 2xx.
type Promise struct {
	Alert  string // the problem, as both sides name it; one name per occurrence
	Number int    // of the observation, from 1, growing in the order it was sent
	Closed bool   // the observation closed the alert
	At     time.Time
}

// Receipt is one request that reached the remote system.
type Receipt struct {
	Alert  string
	Number int    // of the observation whose content the request shows
	Create bool   // it made a ticket; otherwise it changed one
	Ticket string // the ticket it made or changed
	Closed bool   // the ticket shows the alert as closed
	Server string // who sent it
	At     time.Time
}

// Ledger collects both sides. It may be used by many goroutines.
type Ledger struct {
	mu       sync.Mutex
	promises []Promise
	receipts []Receipt
}

// Promise writes down what was answered 2xx. Call it after the answer.
func (l *Ledger) Promise(p ...Promise) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.promises = append(l.promises, p...)
}

// Receive writes down what reached the remote system. Call it before the
// remote answers, so that a sender's crash cannot hide it.
func (l *Ledger) Receive(r ...Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receipts = append(l.receipts, r...)
}

// Counts are how far both sides have come.
type Counts struct {
	Promised  int // observations answered 2xx
	Alerts    int // distinct alerts among them
	Requests  int // that reached the remote
	Delivered int // alerts whose ticket shows the newest promised observation
}

// Counts returns the present counts.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest, shown := newestPromised(l.promises), lastShown(l.receipts)
	c := Counts{Promised: len(l.promises), Alerts: len(newest), Requests: len(l.receipts)}
	for name, p := range newest {
		if r, ok := shown[name]; ok && shows(r, p) {
			c.Delivered++
		}
	}
	return c
}

// Promises returns what was answered 2xx, in the order it was written down.
func (l *Ledger) Promises() []Promise {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.promises)
}

// Receipts returns what reached the remote system, in the order it was written down.
func (l *Ledger) Receipts() []Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.receipts)
}

// Report is the result of an audit. The lists name alerts, sorted.
type Report struct {
	Counts
	Lost       []string // promised, and the ticket does not show the newest of it
	Doubled    []string // more than one ticket
	OutOfOrder []string // an older observation arrived after a newer one
	Unpromised []string // received, but never answered 2xx: not wrong, the answer was lost
}

// Clean reports whether nothing was lost, doubled or out of order.
func (r Report) Clean() bool {
	return len(r.Lost)+len(r.Doubled)+len(r.OutOfOrder) == 0
}

// Audit compares both sides. Let the servers come to rest first: what is still
// on its way counts as lost.
func (l *Ledger) Audit() Report {
	report := Report{Counts: l.Counts()}
	l.mu.Lock()
	defer l.mu.Unlock()
	newest, shown := newestPromised(l.promises), lastShown(l.receipts)
	for name, p := range newest {
		if r, ok := shown[name]; !ok || !shows(r, p) {
			report.Lost = append(report.Lost, name)
		}
	}
	for name := range shown {
		if _, ok := newest[name]; !ok {
			report.Unpromised = append(report.Unpromised, name)
		}
	}
	report.Doubled, report.OutOfOrder = faults(l.receipts)
	for _, list := range []*[]string{&report.Lost, &report.Doubled, &report.OutOfOrder, &report.Unpromised} {
		slices.Sort(*list)
	}
	return report
}

// shows reports whether a ticket tells at least what was promised. It may tell
// more: an observation whose 2xx was lost with its server.
func shows(r Receipt, p Promise) bool {
	return r.Number >= p.Number && (!p.Closed || r.Closed)
}

func newestPromised(promises []Promise) map[string]Promise {
	newest := make(map[string]Promise)
	for _, p := range promises {
		if p.Number >= newest[p.Alert].Number {
			newest[p.Alert] = p
		}
	}
	return newest
}

func lastShown(receipts []Receipt) map[string]Receipt {
	last := make(map[string]Receipt)
	for _, r := range receipts {
		last[r.Alert] = r
	}
	return last
}

func faults(receipts []Receipt) (doubled, outOfOrder []string) {
	tickets := make(map[string]map[string]bool)
	number := make(map[string]int)
	late := make(map[string]bool)
	for _, r := range receipts {
		if r.Create {
			if tickets[r.Alert] == nil {
				tickets[r.Alert] = make(map[string]bool)
			}
			tickets[r.Alert][r.Ticket] = true
		}
		if r.Number < number[r.Alert] {
			late[r.Alert] = true
		}
		number[r.Alert] = max(number[r.Alert], r.Number)
	}
	for name, made := range tickets {
		if len(made) > 1 {
			doubled = append(doubled, name)
		}
	}
	return doubled, slices.Collect(maps.Keys(late))
}

// Change is a change of sender: the gap of a failover or switchover as the
// remote system sees it.
type Change struct {
	From, To string
	Last     time.Time     // the old server's last request
	First    time.Time     // the new server's first
	Gap      time.Duration // between the two
}

// Changes returns where the sender changed, in order of arrival.
func (l *Ledger) Changes() []Change {
	receipts := l.Receipts()
	slices.SortStableFunc(receipts, func(a, b Receipt) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	var changes []Change
	for i := 1; i < len(receipts); i++ {
		old, next := receipts[i-1], receipts[i]
		if old.Server != next.Server {
			changes = append(changes, Change{From: old.Server, To: next.Server, Last: old.At, First: next.At, Gap: next.At.Sub(old.At)})
		}
	}
	return changes
}
