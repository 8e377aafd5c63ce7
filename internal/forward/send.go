package forward

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

// dispatch starts what is queued, as many at once as the limits allow. When the
// tenure halts it starts what finds a slot free, gives back the rest, waits for
// what is under way, and leaves the recorder to finish.
func (t *tenure) dispatch(ctx context.Context) {
	var sending sync.WaitGroup
	start := func(j *job) {
		sending.Go(func() {
			defer t.slots.release()
			t.carry(ctx, *j)
		})
	}
	for halted := false; !halted; {
		select {
		case <-t.halt:
			halted = true
		case j := <-t.queue:
			if !t.slots.acquire(t.halt) {
				t.startOrGiveBack(ctx, j, start)
				continue
			}
			poke(t.room)
			start(j)
		}
	}
	for len(t.queue) > 0 { // nothing more is queued by now
		t.startOrGiveBack(ctx, <-t.queue, start)
	}
	sending.Wait()
	close(t.rec.in)
	close(t.idle)
}

// startOrGiveBack decides about a job that was queued when the tenure halted. At
// a planned end its claim is as good as ever, and to send it is quicker for the
// alert than to have the next Active claim it again.
func (t *tenure) startOrGiveBack(ctx context.Context, j *job, start func(*job)) {
	if ctx.Err() == nil && !t.deposed.Load() && t.slots.tryAcquire() {
		start(j)
		return
	}
	t.giveBack(*j)
}

// carry works one link under its claim, step by step, and hands the outcome to
// the recorder.
func (t *tenure) carry(ctx context.Context, j job) {
	t.observe.InFlight(1)
	defer t.observe.InFlight(-1)
	gear := t.gear.Load()
	if gear == nil {
		t.giveBack(j)
		return
	}
	start := time.Now()
	s, err := t.prepare(gear, j)
	if err != nil {
		v := park(Verdict{Situation: s}, mappingPrefix+mappingText(err), Answer{})
		t.observe.Carried(OpPark, ResultParked, 0)
		t.end(j, Entry{Outcome: v.Outcome(alert.Hold{}, 0), Events: v.Events})
		return
	}
	var events []Event
	for {
		st := Next(s)
		a, known := t.do(ctx, gear, j, s, st)
		if !known {
			t.abandon(j)
			return
		}
		v := After(s, st, a)
		t.observe.Carried(st.Op, v.Result, a.Took)
		if v.Result == ResultCreated {
			t.observe.Delivered(j.Age + time.Since(j.read))
		}
		events = append(events, v.Events...)
		if !v.More {
			if v.Result != ResultUnsent {
				t.pace.took(time.Since(start))
			}
			t.end(j, Entry{Outcome: v.Outcome(t.hold(gear.settle), gear.settle), Events: events})
			return
		}
		v.Events = nil
		s = v.Situation
	}
}

// prepare maps the alert. A mapping that panics fails this alert alone.
func (t *tenure) prepare(gear *equipment, j job) (s Situation, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("a mapping panicked", "connector", t.cfg.Connector, "alert", j.Link.Alert,
				"err", fmt.Sprint(p), "reason", string(debug.Stack()))
			s, err = Situation{Work: j.Work}, fault.New(fault.Internal, "the mapping failed in an unforeseen way; the server's log has the details")
		}
	}()
	return gear.situation(j.Work, alert.NewKey(t.cfg.Group, t.cfg.Connector, j.Link.Alert), t.cfg.Jitter())
}

// mappingText is what a person is told of a mapping error: adapters of the
// mapping name the field and the cause in every error.
func mappingText(err error) string {
	if fault.KindOf(err) != fault.Internal {
		return fault.Message(err)
	}
	return err.Error()
}

// do carries a step out. known is false when not even the database's part of it
// is known.
func (t *tenure) do(ctx context.Context, gear *equipment, j job, s Situation, st Step) (a Answer, known bool) {
	switch st.Op {
	case OpRest, OpWait, OpPark:
		return Answer{}, true
	case OpAdopt:
		return t.adopt(ctx, gear, j, st)
	}
	if !t.mayStart(ctx, gear, j, st) {
		return Answer{Unsent: true}, true
	}
	start := time.Now()
	a = t.call(ctx, gear, s, st)
	a.Took = time.Since(start)
	if st.Op != OpWrite {
		t.feedBreaker(a)
	}
	if st.Op.Writes() && a.Failure == nil {
		t.again.wrote(s.Link.Side)
	}
	return a, true
}

// mayStart waits for the remote's rate, and then, as the last thing before the
// call leaves, checks that it may: the term goes on, the breaker is closed, and
// the send window is open for as long as the call may take (rule C3).
func (t *tenure) mayStart(ctx context.Context, gear *equipment, j job, st Step) bool {
	if gear.limits.Rate > 0 && st.Op != OpWrite {
		if err := gear.limiter.Wait(ctx); err != nil {
			return false
		}
	}
	if ctx.Err() != nil || t.deposed.Load() || t.breaker.blocks() && st.Op != OpWrite {
		return false
	}
	return t.term.Clock().Now().Since(j.claimed) < gear.startable()
}

func (t *tenure) feedBreaker(a Answer) {
	switch f := a.Failure; {
	case f == nil:
		if t.breaker.succeed() {
			poke(t.doubts)
			poke(t.recheck)
		}
	case f.Shared:
		t.breaker.fail(f.After)
	}
}

// adopt takes an earlier ticket over in the database. When its answer is lost
// the link tells: it is Settled if it was done.
func (t *tenure) adopt(ctx context.Context, gear *equipment, j job, st Step) (a Answer, known bool) {
	pause := firstPause
	for {
		stmt, cancel := statement(ctx)
		ok, err := t.cfg.Store.Adopt(stmt, j.Link.Claim.ID, j.Link.LinkID, j.Previous.Link.LinkID, st.Reason)
		cancel()
		if err == nil {
			return Answer{Adopted: ok}, true
		}
		if stage, ok := t.stageOf(ctx, j); ok && stage == alert.Settled {
			return Answer{Adopted: true}, true
		}
		if t.term.Clock().Now().Since(j.claimed)+pause >= gear.startable() {
			return Answer{}, false
		}
		select {
		case <-ctx.Done():
			return Answer{}, false
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// stageOf re-reads a link we hold.
func (t *tenure) stageOf(ctx context.Context, j job) (alert.Stage, bool) {
	stmt, cancel := statement(ctx)
	defer cancel()
	work, err := t.cfg.Store.Claimed(stmt, t.cfg.Connector, j.Link.Claim.ID)
	if err != nil {
		return "", false
	}
	for i := range work {
		if work[i].Link.LinkID == j.Link.LinkID {
			return work[i].Link.Stage, true
		}
	}
	return "", false
}
