package sim

import (
	"fmt"
	"math/bits"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/remote"
)

func ticks(n uint8) time.Duration { return time.Duration(n) * time.Second }

func (e Explorer) settle() uint8 {
	if e.Broken == ShortSettle {
		return 0
	}
	return e.Settle
}

// lane is what a server may do next about the link.
func (b *stepper) lane(i int) {
	b.lateClaim(i)
	switch b.from.server[i].lane.phase {
	case laneIdle:
		b.idle(i)
	case laneAsks:
		b.claiming(i)
	case laneSnapshot:
		b.add(fmt.Sprintf("the claim of s%d writes", i), func(s *xState) string {
			lane := &s.server[i].lane
			lane.phase = laneClaimed
			s.db.link = small(s.db.link.real().WithClaim(alert.Claim{ID: xClaimID(lane.claim), Epoch: xEpoch(lane.epoch)}))
			return ""
		})
	case laneClaimed, laneRefused:
		b.claimAnswered(i)
	case laneUnsure:
		b.add(fmt.Sprintf("s%d re-reads its claim", i), func(s *xState) string {
			b.learnClaim(s, i, s.db.link.claim == s.server[i].lane.claim)
			return ""
		})
	case laneDecides:
		b.decide(i)
	case laneChecked:
		b.add(fmt.Sprintf("s%d SENDS %s", i, opName(b.from.server[i].lane.step)), func(s *xState) string { return b.send(s, i) })
	case laneAwaits:
		b.add(fmt.Sprintf("s%d gives up waiting for the desk", i), func(s *xState) string {
			b.after(s, i, forward.Answer{Failure: &remote.Failure{Class: remote.Unknown}})
			return ""
		})
	case laneRecords:
		b.add(fmt.Sprintf("s%d records the outcome", i), func(s *xState) string { b.record(s, i); return "" })
	}
}

// idle starts a claim, or recovers one that nobody here owns.
func (b *stepper) idle(i int) {
	v, l := &b.from.server[i], &b.from.db.link
	if v.term == 0 {
		return
	}
	view := alert.TermView{Epoch: xEpoch(v.term), Age: xAge, Swept: v.phase == termSwept}
	if b.from.claims < b.x.Claims && l.real().Claimable(view) {
		b.add(fmt.Sprintf("s%d asks for a claim", i), func(s *xState) string {
			s.claims++
			s.server[i].lane = xLane{phase: laneAsks, claim: s.claims, epoch: v.term, window: b.x.Window}
			return ""
		})
	}
	if l.claim == 0 || l.claimEpoch != v.term {
		return
	}
	if v.lane.watch != l.claim {
		b.add(fmt.Sprintf("s%d sees a claim that it does not own", i), func(s *xState) string {
			s.server[i].lane.watch, s.server[i].lane.left = l.claim, b.x.Window
			return ""
		})
	} else if v.lane.left == 0 && b.from.names(i) {
		b.add(fmt.Sprintf("s%d makes the stuck claim uncertain", i), func(s *xState) string {
			b.expire(s, i)
			s.server[i].lane.watch = 0
			return ""
		})
	}
}

// claiming is the claim statement's arrival, or its loss.
func (b *stepper) claiming(i int) {
	b.add(fmt.Sprintf("the database executes the claim of s%d", i), func(s *xState) string {
		lane := &s.server[i].lane
		before := s.db.link
		lane.phase = laneRefused
		if b.claim(s, i, lane.claim, lane.epoch) {
			lane.phase = laneClaimed
		}
		if lane.phase == laneClaimed && b.x.Broken == NoRowCheck {
			lane.phase, s.db.link = laneSnapshot, before
		}
		return ""
	})
	if b.from.losses < b.x.Losses {
		b.add(fmt.Sprintf("the claim of s%d is HELD UP, it gives up", i), func(s *xState) string {
			v := &s.server[i]
			s.losses++
			v.late, v.lateTerm = v.lane.claim, v.lane.epoch
			if b.x.Broken == SendUnsure {
				b.learnClaim(s, i, true)
				return ""
			}
			v.lane = xLane{}
			return ""
		})
	}
}

// lateClaim executes a claim statement that its sender has given up.
func (b *stepper) lateClaim(i int) {
	if b.from.server[i].late == 0 {
		return
	}
	b.add(fmt.Sprintf("the database executes a late claim of s%d", i), func(s *xState) string {
		v := &s.server[i]
		b.claim(s, i, v.late, v.lateTerm)
		v.late, v.lateTerm = 0, 0
		return ""
	})
}

// claim is the claim statement: fenced, the condition on the very row.
func (b *stepper) claim(s *xState, i int, claim, epoch uint8) bool {
	v := &s.server[i]
	if !s.namesTerm(i, epoch, v.identity) && b.x.Broken != NoFence {
		return false
	}
	link := s.db.link.real()
	view := alert.TermView{Epoch: xEpoch(epoch), Age: xAge, Swept: v.phase == termSwept}
	if !link.Claimable(view) {
		return false
	}
	s.db.link = small(link.WithClaim(alert.Claim{ID: xClaimID(claim), Epoch: xEpoch(epoch)}))
	return true
}

func (b *stepper) claimAnswered(i int) {
	won := b.from.server[i].lane.phase == laneClaimed
	b.add(fmt.Sprintf("s%d learns of its claim", i), func(s *xState) string { b.learnClaim(s, i, won); return "" })
	if won && b.from.losses < b.x.Losses {
		b.add(fmt.Sprintf("s%d LOSES the claim's answer", i), func(s *xState) string {
			s.losses++
			if b.x.Broken == SendUnsure {
				b.learnClaim(s, i, true)
				return ""
			}
			s.server[i].lane.phase = laneUnsure
			return ""
		})
	}
}

// learnClaim reads the payload of a confirmed claim.
func (b *stepper) learnClaim(s *xState, i int, won bool) {
	lane := &s.server[i].lane
	if !won {
		*lane = xLane{}
		return
	}
	lane.phase, lane.link, lane.rev = laneDecides, s.db.link, s.db.link.wanted
	if b.x.Broken == LateWindow {
		lane.window = b.x.Window
	}
}

// situation is what the sender knows.
func (l *xLane) situation() forward.Situation {
	return forward.Situation{
		Work:   forward.Work{Link: l.link.real(), Alert: alert.Alert{ID: xAlert, Status: alert.Open, Revision: int64(l.rev)}},
		Draft:  alert.Draft{Key: "key", Revision: int64(l.rev)},
		Rules:  forward.Rules{Guarantee: remote.Lookup, CanLook: true, CanCompare: true, CanMerge: true, CanNote: true, CloseAction: "resolve"},
		Looked: l.looked,
	}
}

// decide asks forward.Next. Reads of the desk are answered at once: a pause
// before or after them is a pause between steps.
func (b *stepper) decide(i int) {
	lane := b.from.server[i].lane
	st := forward.Next(lane.situation())
	switch st.Op {
	case forward.OpLook:
		b.add(fmt.Sprintf("s%d looks", i), func(s *xState) string { b.after(s, i, s.look()); return "" })
	case forward.OpCompare:
		b.add(fmt.Sprintf("s%d reads the ticket back", i), func(s *xState) string { b.after(s, i, s.compare(st)); return "" })
	case forward.OpCreate, forward.OpUpdate, forward.OpMerge:
		if lane.window == 0 && b.x.Broken != NoDeadline {
			b.add(fmt.Sprintf("s%d finds its window closed", i), func(s *xState) string {
				b.after(s, i, forward.Answer{Unsent: true})
				return ""
			})
			return
		}
		b.add(fmt.Sprintf("s%d finds its window open", i), func(s *xState) string {
			s.server[i].lane.phase, s.server[i].lane.gap = laneChecked, 0
			s.server[i].lane.step = opOf(st.Op)
			return ""
		})
	case forward.OpRest:
		b.add(fmt.Sprintf("s%d finds nothing to call", i), func(s *xState) string { b.after(s, i, forward.Answer{}); return "" })
	default:
		panic("sim: the explorer does not know the operation " + string(st.Op))
	}
}

func opOf(op forward.Op) uint8 {
	return map[forward.Op]uint8{forward.OpCreate: opCreate, forward.OpUpdate: opUpdate, forward.OpMerge: opMerge}[op]
}

// send lets the write leave.
func (b *stepper) send(s *xState, i int) string {
	lane := &s.server[i].lane
	st := forward.Next(lane.situation())
	w := xWrite{op: opOf(st.Op), server: uint8(i), claim: lane.claim, rev: lane.rev}
	switch st.Op {
	case forward.OpUpdate:
		w.ticket = ticketNumber(st.Ticket)
	case forward.OpMerge:
		w.ticket = ticketNumber(st.Twin)
	}
	for n := range s.write {
		if s.write[n].op == 0 {
			s.write[n] = w
			lane.phase = laneAwaits
			if lane.window == 0 && b.x.Gap == 0 {
				return "I2: sent after the window closed"
			}
			return ""
		}
	}
	return skip
}

func (s *xState) look() forward.Answer {
	var a forward.Answer
	for t := range s.ticket {
		if s.ticket[t].state != ticketNone {
			a.Tickets = append(a.Tickets, alert.Ticket{ID: xTicketID(uint8(t + 1)), Open: s.ticket[t].state == ticketOpen})
		}
	}
	return a
}

func (s *xState) compare(st forward.Step) forward.Answer {
	t := ticketNumber(st.Ticket)
	a := forward.Answer{Ticket: alert.Ticket{ID: st.Ticket, Open: true}}
	if int64(s.ticket[t-1].rev) != st.Draft.Revision {
		a.Differs = []string{"revision"}
	}
	return a
}

// answered gives a waiting sender the desk's answer.
func (b *stepper) answered(s *xState, w xWrite, ticket uint8) {
	lane := &s.server[w.server].lane
	if !s.server[w.server].up || lane.phase != laneAwaits || lane.claim != w.claim {
		return
	}
	b.after(s, int(w.server), forward.Answer{Ticket: alert.Ticket{ID: xTicketID(ticket), Open: true}})
}

// after asks forward.After what an answer means.
func (b *stepper) after(s *xState, i int, a forward.Answer) {
	lane := &s.server[i].lane
	sit := lane.situation()
	v := forward.After(sit, forward.Next(sit), a)
	o := v.Outcome(alert.Hold{Epoch: xEpoch(lane.epoch), Until: xAge + ticks(b.x.settle())}, 0)
	lane.link, lane.looked = small(v.Link), v.Looked
	if v.More {
		lane.phase = laneDecides
		return
	}
	lane.phase, lane.answer, lane.looked, lane.step, lane.gap = laneRecords, o.Answered, false, 0, 0
	lane.hold = 0
	if o.Hold.Epoch != 0 {
		lane.hold = b.x.settle() + 1
	}
}

// record is the statement that records an outcome (rule C5).
func (b *stepper) record(s *xState, i int) {
	lane := &s.server[i].lane
	link := lane.link.real()
	o := alert.Outcome{LinkID: xID, Claim: xClaimID(lane.claim), Progress: link.Progress, Answered: lane.answer}
	if lane.hold > 0 {
		o.Hold = alert.Hold{Epoch: xEpoch(lane.epoch), Until: xAge + ticks(lane.hold-1)}
	}
	if b.x.Broken == NewestPayload && o.Delivered == int64(lane.rev) {
		o.Delivered = int64(s.db.link.wanted)
	}
	now := s.db.link.real()
	if b.x.Broken == ForeignNews {
		o.Claim = now.Claim.ID
	}
	recorded, _ := now.Record(o)
	s.db.link = small(recorded)
	*lane = xLane{}
}

// invariant names what the state violates, "" for nothing.
func (x *exploration) invariant(s *xState) string {
	open := 0
	for i := range x.Servers {
		l := &s.server[i].lane
		if l.phase >= laneClaimed && l.phase <= laneAwaits && l.phase != laneRefused && l.window > 0 {
			open++
		}
	}
	if open > 1 {
		return "I2: two open send windows for one link"
	}
	if !x.quiet(s) {
		return ""
	}
	var first, n uint8
	for t := range s.ticket {
		if s.ticket[t].state == ticketOpen {
			if n++; n == 1 {
				first = uint8(t + 1)
			}
		}
	}
	l := s.db.link
	switch {
	case n == 0:
		return "I3: the link is settled and there is no ticket"
	case n > 1:
		return "I4: the link is settled and there are several tickets"
	case l.ticket != first:
		return "I4: the link does not name the surviving ticket"
	case s.ticket[first-1].rev != l.wanted:
		return "I5: the ticket shows an older revision than the link says"
	}
	return ""
}

// quiet reports whether nothing is left to be done and nothing is under way.
func (x *exploration) quiet(s *xState) bool {
	if s.db.link.real().Due() || s.db.link.claim != 0 || s.lags || s.db.identity != s.db.leaseIdentity {
		return false
	}
	for _, w := range s.write {
		if w.op != 0 {
			return false
		}
	}
	for i := range x.Servers {
		if v := &s.server[i]; v.up && (v.lane.phase != laneIdle || v.late != 0) {
			return false
		}
	}
	return bits.OnesCount8(s.db.link.evidence) == 0
}
