package forward

import (
	"context"
	"fmt"
	"runtime/debug"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/remote"
)

// call makes one call of an adapter. Once started it goes on when the term ends:
// the remote may carry it out anyway, and its answer is worth having (rule C5).
func (t *tenure) call(ctx context.Context, gear *equipment, s Situation, st Step) (a Answer) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), gear.timeout, remote.CallTime(gear.timeout))
	defer cancel()
	ctx, visit := remote.WithVisit(ctx)
	defer func() { a.At = safe(visit.Endpoint()) }()
	defer func() {
		if p := recover(); p != nil {
			t.log.Error("an adapter panicked", "connector", t.cfg.Connector, "alert", s.Link.Alert,
				"err", fmt.Sprint(p), "reason", string(debug.Stack()))
			a = Answer{Failure: &remote.Failure{Class: remote.Unknown, Msg: "the adapter failed in an unforeseen way; the server's log has the details"}}
		}
	}()
	var err error
	switch st.Op {
	case OpLook:
		a.Tickets, err = gear.looker.Look(ctx, s.Draft.Key)
	case OpCompare:
		a.Ticket, a.Differs, err = gear.comparer.Compare(ctx, st.Ticket, st.Draft)
	case OpCreate:
		a.Ticket, err = gear.Remote.Create(ctx, st.Draft)
	case OpUpdate:
		a.Ticket, err = gear.Remote.Update(ctx, st.Ticket, st.Draft)
	case OpMerge:
		err = gear.merger.Merge(ctx, st.Ticket, st.Twin)
	case OpNote:
		err = gear.noter.Note(ctx, st.Ticket, s.Draft.Key, st.Note)
	case OpWrite:
		err = writeBack(ctx, gear, s, st)
	}
	if err != nil {
		a.Failure = remote.AsFailure(err)
		t.log.Debug("a call failed", "connector", t.cfg.Connector, "alert", s.Link.Alert,
			"claim", s.Link.Claim.ID, "reason", a.Failure.Class.String(), "err", err)
	}
	a.Ticket = stored(a.Ticket)
	return a
}

// writeBack tells the source. Its errors are faults; those that are not about
// the update itself are tried again, as of unknown outcome: writers are idempotent.
func writeBack(ctx context.Context, gear *equipment, s Situation, st Step) error {
	src, ok := gear.source(s.Alert.Source)
	if !ok || src.Writer == nil {
		return &remote.Failure{Class: remote.Permanent, Msg: "source " + s.Alert.Source + " takes nothing back"}
	}
	err := src.Writer.Write(ctx, st.Update)
	if err == nil {
		return nil
	}
	class := remote.Unknown
	if kind := fault.KindOf(err); kind == fault.Invalid || kind == fault.NotFound {
		class = remote.Permanent
	}
	return &remote.Failure{Class: class, Msg: "source " + s.Alert.Source + ": " + fault.Message(err), Err: err}
}

// stored makes what a remote answered storable in a text column.
func stored(t alert.Ticket) alert.Ticket {
	t.ID, t.URL, t.State = safe(t.ID), safe(t.URL), safe(t.State)
	return t
}
