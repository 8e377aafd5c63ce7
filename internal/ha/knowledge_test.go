package ha

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// desk drives the pure core by hand: one server, a, its rows, and a clock.
type desk struct {
	t     *testing.T
	k     *Knowledge
	now   Instant
	group Group
}

func newDesk(t *testing.T, s Settings) *desk {
	t.Helper()
	d := &desk{
		t:   t,
		k:   NewKnowledge(Self{Server: "a", Boot: "a1"}, DefaultTiming(), func() float64 { return 0 }),
		now: Instant{Boot: time.Hour, Wall: time.Unix(1e9, 0)},
		group: Group{
			Identity: "h", Settings: map[string]Settings{"c": s},
			Leases: []Lease{{Connector: "c"}},
		},
	}
	for i, name := range []string{"a", "b"} {
		d.group.Servers = append(d.group.Servers, Server{Name: name, Boot: name + "1", Presence: name + "-p", Promised: 90 * time.Second})
		d.group.Members = append(d.group.Members, Member{Connector: "c", Server: name, Position: i + 1, Eligible: true, Reaches: true})
	}
	d.k.Reported(d.now, []Report{{Connector: "c", Eligible: true, Reaches: true}})
	return d
}

func (d *desk) pass(by time.Duration) {
	d.now.Boot += by
	d.now.Wall = d.now.Wall.Add(by)
}

// ask steps until the core asks something, answering openings, readings and
// heartbeats from the rows, and returns the first ask of another kind or nil
// when there is none now.
func (d *desk) ask() (Ask, Plan) {
	d.t.Helper()
	for range 20 {
		p := d.k.Step(d.now)
		switch ask := p.Ask.(type) {
		case Open:
			d.k.Answer(d.now, ask, Answer{Presence: "a-p"})
		case Reread:
			d.k.Answer(d.now, ask, Answer{Group: d.copy()})
		case Beat:
			d.beat(ask)
		default:
			return p.Ask, p
		}
	}
	d.t.Fatal("the core asks without end")
	return nil, Plan{}
}

// beat answers a heartbeat, which writes the rows.
func (d *desk) beat(b Beat) {
	d.write(b)
	d.k.Answer(d.now, b, Answer{Group: d.copy()})
}

func (d *desk) write(b Beat) {
	d.t.Helper()
	row, err := d.group.Servers[0].Beaten(b)
	if err != nil {
		d.t.Fatal(err)
	}
	d.group.Servers[0] = row
	for _, r := range b.Renew {
		if l, ok := d.group.Leases[0].Renewed(r, b.Boot); ok {
			d.group.Leases[0] = l
		}
	}
}

func (d *desk) copy() Group {
	g := d.group
	g.Servers = append([]Server(nil), g.Servers...)
	g.Members = append([]Member(nil), g.Members...)
	g.Leases = append([]Lease(nil), g.Leases...)
	g.Settings = map[string]Settings{"c": d.group.Settings["c"]}
	return g
}

// become makes the server Active.
func (d *desk) become() {
	d.t.Helper()
	ask, _ := d.ask()
	take, ok := ask.(Take)
	if !ok {
		d.t.Fatalf("asked %#v, want a take-over", ask)
	}
	l, err := d.group.Leases[0].Taken(take)
	if err != nil {
		d.t.Fatal(err)
	}
	d.group.Leases[0] = l
	d.k.Answer(d.now, take, Answer{Lease: l})
	if p := d.k.Step(d.now); len(p.Begin) != 1 || p.Begin[0].Lease != l {
		d.t.Fatalf("plan %+v, want the term to begin", p)
	} else if p.Ask != nil {
		d.k.Answer(d.now, p.Ask, Answer{Group: d.copy()})
	}
}

// until steps through time until the core asks for a call of the wanted kind.
func until[A Ask](d *desk, limit time.Duration) A {
	d.t.Helper()
	for end := d.now.Boot + limit; d.now.Boot < end; {
		p := d.k.Step(d.now)
		switch ask := p.Ask.(type) {
		case A:
			return ask
		case Reread:
			d.k.Answer(d.now, ask, Answer{Group: d.copy()})
		case Beat:
			d.beat(ask)
		default:
			d.pass(min(p.Sleep, time.Second))
		}
	}
	var none A
	d.t.Fatalf("no %T within %v", none, limit)
	return none
}

// holds makes b the Active of the rows.
func (d *desk) holds(server string) {
	d.group.Leases[0] = Lease{Connector: "c", Epoch: 5, Beat: 9, Server: server, Boot: server + "1", Promised: 90 * time.Second, Identity: "h"}
}

var standard = Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: Manual}

func TestOneCallAtATime(t *testing.T) {
	d := newDesk(t, standard)
	if p := d.k.Step(d.now); p.Ask == nil {
		t.Fatal("a server without a session opens none")
	}
	for range 3 {
		d.k.Woken()
		if p := d.k.Step(d.now); p.Ask != nil {
			t.Errorf("asked %#v while a call is under way", p.Ask)
		}
		d.pass(time.Minute)
	}
}

func TestFirstHeartbeatFollowsAReadingOfItsOwnRow(t *testing.T) {
	d := newDesk(t, standard)
	d.group.Servers[0].Beat = 41
	d.k.Answer(d.now, d.k.Step(d.now).Ask, Answer{Presence: "a-p"})
	p := d.k.Step(d.now)
	if _, ok := p.Ask.(Reread); !ok {
		t.Fatalf("asked %#v, want a reading: the beat's number is not known", p.Ask)
	}
	d.k.Answer(d.now, p.Ask, Answer{Group: d.copy()})
	b := until[Beat](d, time.Second)
	if b.Number != 42 || b.Presence != "a-p" {
		t.Errorf("heartbeat %+v, want number 42 and the session's presence", b)
	}
	d.k.Answer(d.now, b, Answer{Err: errUnknown}) // unknown: written or not
	d.k.Answer(d.now, d.k.Step(d.now).Ask, Answer{Presence: "a-p2"})
	if again := until[Beat](d, time.Second); again.Number != 42 || again.Presence != "a-p2" {
		t.Errorf("heartbeat %+v, want the same number under the fresh name", again)
	}
}

// errUnknown says nothing of the outcome.
var errUnknown = errors.New("the connection broke")

func TestL1TrustCountsFromTheSending(t *testing.T) {
	d := newDesk(t, standard)
	d.become()
	d.k.Progressed(d.now, "c", 1)
	b := until[Beat](d, time.Minute)
	sent := d.now.Boot
	d.pass(20 * time.Second) // the answer takes its time
	d.beat(b)
	for {
		p := d.k.Step(d.now)
		if len(p.End) > 0 {
			break
		}
		if p.Ask != nil {
			d.k.asking = true // from here on no answer comes
		}
		d.pass(max(p.Sleep, time.Millisecond))
	}
	if got, want := d.now.Boot-sent, 89*time.Second; got != want {
		t.Errorf("the term ended %v after the renewal was sent, want %v", got, want)
	}
}

func TestL1SteppedWallClockEndsTrustEarlyNeverLate(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, standard)
			d.become()
			d.now.Wall = d.now.Wall.Add(step)
			p := d.k.Step(d.now)
			if ended := len(p.End) > 0; ended != (step > 0) {
				t.Errorf("ended: %v", ended)
			}
			d.pass(90 * time.Second)
			if step < 0 && len(d.k.Step(d.now).End) == 0 {
				t.Error("the term outlived its promised length")
			}
		})
	}
}

func TestL2ShorterPromiseHoldsFromItsSending(t *testing.T) {
	d := newDesk(t, standard)
	d.become()
	d.group.Settings["c"] = Settings{Polling: time.Second, Tolerance: 3}
	d.pass(25 * time.Second)
	d.k.Progressed(d.now, "c", 1)
	d.k.Woken()
	d.k.Answer(d.now, d.k.Step(d.now).Ask, Answer{Group: d.copy()})
	b := until[Beat](d, time.Second)
	if len(b.Renew) != 1 || b.Renew[0].Promised != 3*time.Second {
		t.Fatalf("heartbeat %+v, want a renewal for 3s", b)
	}
	if p := d.k.Step(d.now); len(p.End) != 0 {
		t.Errorf("the term ended as the shorter promise was sent")
	}
	d.write(b) // but its answer is lost: watchers count 3s from now
	d.k.Answer(d.now, b, Answer{Err: errUnknown})
	d.pass(2250 * time.Millisecond) // 3s less the margin of a quarter
	if p := d.k.Step(d.now); len(p.End) != 1 || p.End[0].Why != EndTrust {
		t.Errorf("plan %+v, want the term to end: its row may promise 3s only", p)
	}
}

func TestL5OnlyTheBootClockCounts(t *testing.T) {
	d := newDesk(t, standard)
	d.holds("b")
	if ask, _ := d.ask(); ask != nil {
		t.Fatalf("asked %#v on a lease that is held", ask)
	}
	d.now.Wall = d.now.Wall.Add(24 * time.Hour)
	if ask, _ := d.ask(); ask != nil {
		t.Errorf("asked %#v after a step of the wall clock", ask)
	}
	began := d.now.Boot
	take := until[Take](d, 5*time.Minute)
	if waited := d.now.Boot - began; waited < 90*time.Second || waited > 92*time.Second || take.Reason != ReasonSilence {
		t.Errorf("took after %v because of %q, want 90s of silence", waited, take.Reason)
	}
	if take.Epoch != 5 || take.Beat != 9 {
		t.Errorf("take-over %+v, want a compare with epoch 5 and beat 9", take)
	}
}

func TestL4GrantIsForgottenWithTheSession(t *testing.T) {
	d := newDesk(t, standard)
	d.holds("b")
	d.ask()
	d.k.SeenHeld("b-p")
	d.k.Granted(d.now, "b-p")
	p := d.k.Step(d.now)
	d.k.Answer(d.now, p.Ask, Answer{Err: errUnknown}) // the database restarted: the session is gone as well
	began := d.now.Boot
	until[Open](d, time.Second)
	d.k.Answer(d.now, Open{}, Answer{Presence: "a-p2"})
	d.ask()
	d.k.Granted(d.now, "b-p") // free, but never seen held in this session
	take := until[Take](d, 5*time.Minute)
	if waited := d.now.Boot - began; waited < DefaultTiming().Young || take.Reason != ReasonPresence {
		t.Errorf("took after %v because of %q, want to wait until the session is %v old", waited, take.Reason, DefaultTiming().Young)
	}
}

func TestTakeOverTellsHowLongAgoTheEndWasSeen(t *testing.T) {
	d := newDesk(t, standard)
	d.holds("b")
	d.ask()
	d.k.SeenHeld("b-p")
	d.k.Granted(d.now, "b-p")
	began := d.now.Boot
	take := until[Take](d, time.Minute)
	if waited := d.now.Boot - began; take.Reason != ReasonPresence || take.Ended != waited || waited < DefaultTiming().Grace {
		t.Errorf("the end was seen %v before the take-over, which tells %v (%s)", waited, take.Ended, take.Reason)
	}
	// What is only concluded was not seen.
	d = newDesk(t, standard)
	d.holds("b")
	d.ask()
	if take := until[Take](d, 5*time.Minute); take.Reason != ReasonSilence || take.Ended != 0 {
		t.Errorf("a take-over because of %s tells that it saw the end %v ago", take.Reason, take.Ended)
	}
}

func TestL7HoldDown(t *testing.T) {
	type change struct {
		after  time.Duration
		holder string
		hold   time.Duration
	}
	minute := time.Minute
	for name, changes := range map[string][]change{
		"reversals double":       {{minute, "b", minute}, {2 * minute, "a", 2 * minute}, {minute, "b", 4 * minute}, {minute, "a", 8 * minute}},
		"moving on does not":     {{minute, "b", minute}, {minute, "c", minute}, {minute, "a", minute}},
		"quiet resets":           {{minute, "b", minute}, {minute, "a", 2 * minute}, {17 * minute, "b", minute}},
		"an hour is the longest": {{0, "b", minute}, {0, "a", 2 * minute}, {0, "b", 4 * minute}, {0, "a", 8 * minute}, {0, "b", 16 * minute}, {0, "a", 32 * minute}, {0, "b", time.Hour}, {0, "a", time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			w := leaseWatch{holder: "a", hold: minute}
			var now Instant
			for i, c := range changes {
				now.Boot += c.after
				w.changes(now, c.holder, DefaultTiming())
				if w.hold != c.hold {
					t.Errorf("change %d: hold-down %v, want %v", i, w.hold, c.hold)
				}
			}
		})
	}
}

func TestStepIsAFunctionOfWhatItWasTold(t *testing.T) {
	run := func() []Plan {
		d := newDesk(t, standard)
		var plans []Plan
		for range 40 {
			p := d.k.Step(d.now)
			plans = append(plans, p)
			switch ask := p.Ask.(type) {
			case Open:
				d.k.Answer(d.now, ask, Answer{Presence: "a-p"})
			case Reread:
				d.k.Answer(d.now, ask, Answer{Group: d.copy()})
			case Beat:
				d.beat(ask)
			case Take:
				d.group.Leases[0], _ = d.group.Leases[0].Taken(ask)
				d.k.Answer(d.now, ask, Answer{Lease: d.group.Leases[0]})
			}
			d.pass(p.Sleep / 2)
		}
		return plans
	}
	if !reflect.DeepEqual(run(), run()) {
		t.Error("two runs with the same events made different plans")
	}
}

func TestInstant(t *testing.T) {
	at := func(boot, wall time.Duration) Instant { return Instant{Boot: boot, Wall: time.Unix(0, 0).Add(wall)} }
	for _, test := range []struct {
		name          string
		boot, wall    time.Duration
		since, waited time.Duration
	}{
		{"both go on", time.Minute, time.Minute, time.Minute, time.Minute},
		{"the monotonic clock stood still", 0, time.Minute, time.Minute, 0},
		{"the wall clock was put back", time.Minute, -time.Hour, time.Minute, time.Minute},
		{"the wall clock was put forward", time.Minute, time.Hour, time.Hour, time.Minute},
		{"both went back", -time.Minute, -time.Minute, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			now, was := at(time.Hour+test.boot, test.wall), at(time.Hour, 0)
			if got := now.Since(was); got != test.since {
				t.Errorf("Since %v, want %v", got, test.since)
			}
			if got := now.Waited(was); got != test.waited {
				t.Errorf("Waited %v, want %v", got, test.waited)
			}
		})
	}
	c := SystemClock()
	if was := c.Now(); c.Now().Waited(was) < 0 || was.Wall.IsZero() {
		t.Errorf("system clock %+v", was)
	}
}

func TestOneTryPerReading(t *testing.T) {
	d := newDesk(t, standard)
	d.holds("b")
	d.ask()
	d.group.Identity = "h2"
	d.k.Woken()
	ask, _ := d.ask()
	doubt, ok := ask.(Doubt)
	if !ok || doubt.Epoch != 5 || doubt.Identity != "h2" {
		t.Fatalf("asked %#v, want to move the lease to the new history", ask)
	}
	d.k.Answer(d.now, doubt, Answer{})
	d.pass(time.Hour)
	for range 3 {
		p := d.k.Step(d.now)
		switch ask := p.Ask.(type) {
		case Doubt:
			t.Fatal("asked again without a reading")
		case Beat:
			d.group.Leases[0], _ = d.group.Leases[0].Doubted(5, "h2")
			d.beat(ask)
			return
		}
	}
	t.Error("the group is not read again")
}
