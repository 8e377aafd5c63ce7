package ha

import (
	"errors"
	"slices"
	"time"
)

// Self is who this process is.
type Self struct {
	Server  string // name of its row
	Boot    string // random, new at each start
	Version string // of the program
}

// Knowledge is what one server knows, and the decisions that follow: the pure
// core of availability. It does no I/O and reads no clock. The runner folds in
// what happened (Answer, Woken, SeenHeld, Granted, WaitBroke, Reported,
// Progressed, Returned, Stop), calls Step for what to do next, and does it.
//
// Readings of the clock are kept as Instant where they bound trust and as
// Instant.Boot where they begin a wait.
type Knowledge struct {
	self   Self
	timing Timing
	jitter func() float64

	// The session.
	open     bool
	opened   time.Duration // when, for the session's age
	presence string
	failures int           // sessions lost in a row without a heartbeat answered
	reopen   time.Duration // not before
	asking   bool          // a call is under way
	asked    Instant       // when it was sent
	greeted  bool          // the session's first heartbeat, which publishes its presence, was answered
	beatNow  bool
	news     bool // the rows do not show yet what this server has to report
	lastBeat time.Duration
	wantRead bool
	unsure   bool // a take-over's outcome is unknown until the next reading
	number   int64
	numbered bool // number is the row's, as read
	beats    []confirmed
	loss     *Loss

	// The latest reading.
	group   Group
	read    bool // on this session
	sent    Instant
	readAt  Instant
	rows    map[string]Server
	leases  map[string]Lease
	order   map[string][]Member
	own     map[string]Member // this server's memberships, by connector
	mine    []string          // their connectors, sorted
	servers map[string]*serverWatch
	watches map[string]*leaseWatch

	// Presence, on this session.
	seenHeld map[string]bool
	granted  map[string]time.Duration

	// This server's own work.
	reports   map[string]Report
	cutOff    map[string]time.Duration // connector -> since when the remote cannot be connected to
	tenures   map[string]*tenure
	jobs      map[string]*job
	released  map[string]letGo
	failed    map[string]int           // terms in a row that ended with an error
	stalled   map[string]int64         // epoch of the term that ended because its work stood still
	retry     map[string]time.Duration // connector -> not before
	withdrawn map[string]time.Duration // connector -> when to withdraw its wish again
	tried     map[string]bool          // a lease was asked for since the reading: read before the next try

	ends      []End
	wakeAll   bool
	wanted    bool // a heartbeat was asked for
	stopping  bool
	stoppedAt time.Duration
	fault     error
}

// job is a term's work that has not returned yet.
type job struct {
	epoch int64
	began time.Duration
	ended time.Duration // its context was cancelled; negative = not
}

// letGo remembers a release of ours.
type letGo struct {
	epoch int64
	at    time.Duration
	wait  time.Duration // before taking it back
}

// NewKnowledge returns the knowledge of a server that has just started. jitter
// returns numbers in [0, 1).
func NewKnowledge(self Self, timing Timing, jitter func() float64) *Knowledge {
	return &Knowledge{
		self: self, timing: timing, jitter: jitter,
		rows: map[string]Server{}, leases: map[string]Lease{}, order: map[string][]Member{}, own: map[string]Member{},
		servers: map[string]*serverWatch{}, watches: map[string]*leaseWatch{},
		seenHeld: map[string]bool{}, granted: map[string]time.Duration{},
		reports: map[string]Report{}, cutOff: map[string]time.Duration{},
		tenures: map[string]*tenure{}, jobs: map[string]*job{}, released: map[string]letGo{},
		failed: map[string]int{}, stalled: map[string]int64{}, retry: map[string]time.Duration{}, withdrawn: map[string]time.Duration{}, tried: map[string]bool{},
	}
}

// Woken folds in a wake-up: something changed, the group should be read.
func (k *Knowledge) Woken() { k.wantRead = true }

// Wanted folds in that somebody asks for a sign of life: the next heartbeat is
// written as soon as one that tells news might be.
func (k *Knowledge) Wanted() { k.wanted = true }

// SeenHeld folds in that a presence name was seen held by somebody else.
func (k *Knowledge) SeenHeld(name string) {
	if k.open {
		k.seenHeld[name] = true
	}
}

// Granted folds in that nobody holds a presence name any more: its holder is
// suspect. The group is read at once, because a restart or a release may show
// already; the grace decides the rest.
func (k *Knowledge) Granted(now Instant, name string) {
	if !k.open {
		return
	}
	if _, again := k.granted[name]; !again {
		k.granted[name] = now.Boot
	}
	k.wantRead = true
	k.beatNow = k.beatNow || name == k.presence // which checks it, and opens a new session
}

// WaitBroke folds in that the connection of a wait for a presence failed. The
// session may have failed with it: the next reading tells.
func (k *Knowledge) WaitBroke() { k.wantRead = true }

// Reported folds in what this server has to tell of its connectors. A change of
// what others decide by is told with a heartbeat of its own, one a second at most.
func (k *Knowledge) Reported(now Instant, reports []Report) {
	clear(k.reports)
	k.news = false
	for _, r := range reports {
		k.reports[r.Connector] = r
		if row, ok := k.own[r.Connector]; ok && (row.Runs != r.Runs || row.Eligible != r.Eligible || row.Reaches != r.Reaches) {
			k.news = true
		}
		if _, since := k.cutOff[r.Connector]; r.Reaches {
			delete(k.cutOff, r.Connector)
		} else if !since {
			k.cutOff[r.Connector] = now.Boot
		}
	}
}

// Stop folds in that the process is to stop as planned.
func (k *Knowledge) Stop(now Instant) {
	if !k.stopping {
		k.stopping, k.stoppedAt = true, now.Boot
	}
}

// Answer folds in what came of an Ask.
func (k *Knowledge) Answer(now Instant, ask Ask, a Answer) {
	k.asking = false
	switch {
	case errors.Is(a.Err, ErrReplaced):
		k.replaced()
		return
	case a.Err != nil && !errors.Is(a.Err, ErrLost):
		k.lose(now, ask, a.Err)
		return
	}
	lost := a.Err != nil
	switch ask := ask.(type) {
	case Open:
		k.opens(now, a.Presence)
	case Reread:
		k.reads(now, a.Group)
	case Beat:
		k.failures, k.greeted = 0, true
		k.reads(now, a.Group)
		k.confirm(ask)
		k.renewed(ask)
	case Take:
		k.took(now, ask, a.Lease, lost)
	case Release:
		k.letGo(now, ask, lost)
	case Doubt:
		k.doubted(now, ask, lost)
	}
}

// spend notes that a lease was asked for. There is one try per reading, and a
// pause: a group of many leases must not be asked for in circles.
func (k *Knowledge) spend(now Instant, connector string) {
	k.wantRead = true
	k.tried[connector] = true
	k.retry[connector] = now.Boot + k.timing.Stagger
}

// doubted folds in the answer to a move to a new history. Whoever made it may bid
// without a pause: as the first in order it would lose its head start by one.
func (k *Knowledge) doubted(now Instant, ask Doubt, lost bool) {
	if lost {
		k.spend(now, ask.Connector)
		return
	}
	k.wantRead, k.wakeAll = true, true
	k.tried[ask.Connector] = true
}

func (k *Knowledge) opens(now Instant, presence string) {
	k.open, k.opened, k.presence = true, now.Boot, presence
	k.read, k.greeted = false, false
}

// lose folds in the loss of the session. What was asked may or may not have
// happened: the rows will tell. What was known by this session is forgotten.
func (k *Knowledge) lose(now Instant, ask Ask, err error) {
	if _, take := ask.(Take); take {
		k.unsure = true
	}
	k.numbered = k.numbered && !errors.Is(err, ErrBeat)
	k.open, k.read, k.presence = false, false, ""
	clear(k.seenHeld)
	clear(k.granted)
	k.reopen = now.Boot
	if k.failures > 0 {
		wait := min(k.timing.FirstRetry<<min(k.failures-1, 10), k.timing.MaxRetry)
		k.reopen += wait/2 + time.Duration(k.jitter()*float64(wait))
	}
	k.failures++
}

func (k *Knowledge) replaced() {
	k.fault = ErrReplaced
	for _, c := range sorted(k.tenures) {
		k.end(c, k.tenures[c], EndReplaced)
	}
}

// reads folds in a reading of the group that was sent at k.asked.
func (k *Knowledge) reads(now Instant, g Group) {
	first, before := !k.read, k.group.Identity
	k.group, k.read, k.sent, k.readAt, k.unsure = g, true, k.asked, now, false
	clear(k.tried)
	k.index(g)
	own, ok := k.rows[k.self.Server]
	if !ok || own.Boot != k.self.Boot {
		k.replaced()
		return
	}
	if before != "" && before != g.Identity {
		k.compareHistory(now, own.Beat)
	}
	k.number, k.numbered = own.Beat, true
	k.watchServers(now, first)
	for _, l := range g.Leases {
		k.watch(now, l, first)
	}
	k.watchGood(now, first)
	k.checkTenures(now)
	k.adopt(now)
}

func (k *Knowledge) index(g Group) {
	clear(k.rows)
	clear(k.leases)
	clear(k.order)
	clear(k.own)
	k.mine = k.mine[:0]
	for _, s := range g.Servers {
		k.rows[s.Name] = s
	}
	for _, l := range g.Leases {
		k.leases[l.Connector] = l
	}
	for _, m := range g.Members {
		if m.Server == k.self.Server {
			k.mine = append(k.mine, m.Connector)
			k.own[m.Connector] = m
		}
	}
	slices.Sort(k.mine)
	for _, m := range g.Members {
		k.order[m.Connector] = append(k.order[m.Connector], m)
	}
	for _, ms := range k.order {
		sortOrder(ms)
	}
}

func (k *Knowledge) member(connector string) bool {
	_, ok := k.own[connector]
	return ok
}

// eligible says whether this server can run the connector's current document.
func (k *Knowledge) eligible(connector string) bool {
	return k.reports[connector].Eligible
}

// Called returns the connectors of this server that it is meant to have next: an
// operator wishes so, or the last Active named it.
func (k *Knowledge) Called() []string {
	var called []string
	for _, c := range k.mine {
		l := k.leases[c]
		if k.tenures[c] == nil && (l.Wish == k.self.Server || l.Server == "" && l.Successor == k.self.Server) {
			called = append(called, c)
		}
	}
	return called
}

// settings returns a connector's settings.
func (k *Knowledge) settings(connector string) (Settings, bool) {
	s, ok := k.group.Settings[connector]
	return s, ok
}

// Group returns the latest reading of the group and when it was answered; false
// when there was none yet.
func (k *Knowledge) Group() (Group, Instant, bool) {
	return k.group, k.readAt, k.readAt != (Instant{})
}

// Connected says whether a session is open and has read the group.
func (k *Knowledge) Connected() bool { return k.open && k.read }

// Dead returns the servers known dead: nobody holds the presence they publish.
func (k *Knowledge) Dead() map[string]bool {
	dead := map[string]bool{}
	for _, s := range k.group.Servers {
		if k.suspect(s) {
			dead[s.Name] = true
		}
	}
	return dead
}
