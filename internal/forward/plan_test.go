package forward_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/ha"
	"tieline/internal/remote"
)

// given returns a situation of a claimed link at revision 3, told revision 2.
func given(stage alert.Stage, change func(s *forward.Situation)) forward.Situation {
	s := forward.Situation{
		Work: forward.Work{
			Link: alert.Link{
				LinkID:   alert.LinkID{Connector: desk, Alert: uuid.UUID{1}, Side: alert.Remote},
				Progress: alert.Progress{Stage: stage, Ticket: "7", Told: "open", Delivered: 2},
				Wanted:   3, Claim: alert.Claim{ID: uuid.UUID{2}, Epoch: 1},
			},
			Alert: alert.Alert{ID: uuid.UUID{1}, Status: alert.Open, Revision: 3, Source: "prom"},
		},
		Draft: alert.Draft{Key: "k", Revision: 3, State: "open"},
		Rules: forward.Rules{
			Guarantee: remote.Lookup, CanLook: true, CanCompare: true, CanMerge: true, CanNote: true,
			CloseAction: "resolve", Attempts: 3, First: time.Second, Max: time.Minute,
		},
	}
	switch stage {
	case alert.Fresh, alert.Uncertain, alert.Looked:
		s.Link.Ticket, s.Link.Told, s.Link.Delivered = "", "", 0
	case alert.Twins:
		s.Link.Twins = []string{"8", "9"}
	}
	if change != nil {
		change(&s)
	}
	return s
}

func looked(s *forward.Situation) { s.Looked = true }

func closed(s *forward.Situation) {
	s.Alert.Status = alert.Closed
	s.Draft.State = "resolved"
}

func as(g remote.Guarantee) func(*forward.Situation) {
	return func(s *forward.Situation) {
		s.Rules.Guarantee, s.Rules.CanLook, s.Rules.CanCompare, s.Rules.CanMerge = g, false, false, false
	}
}

func back(state string) func(*forward.Situation) {
	return func(s *forward.Situation) {
		s.Link.Side, s.Back, s.Link.Ticket = alert.Source, state, ""
		s.Peer = &alert.Link{Progress: alert.Progress{Ticket: "7"}}
	}
}

// over is a source's link after the alert's close.
func over(told string) func(*forward.Situation) {
	return func(s *forward.Situation) {
		back("closed")(s)
		s.Alert.Status, s.Link.Told = alert.Closed, told
	}
}

func TestNextChoosesTheOperation(t *testing.T) {
	tests := []struct {
		name   string
		stage  alert.Stage
		change func(*forward.Situation)
		op     forward.Op
		state  string // of the draft
		tells  string
	}{
		{"fresh", alert.Fresh, nil, forward.OpCreate, "open", "open"},
		{"fresh and closed already", alert.Fresh, closed, forward.OpCreate, "resolved", "resolved"},
		{"fired again, reopen", alert.Fresh, refire(forward.RefireReopen), forward.OpAdopt, "", ""},
		{"fired again, comment", alert.Fresh, refire(forward.RefireComment), forward.OpAdopt, "", ""},
		{"fired again, linked", alert.Fresh, refire(forward.RefireLinked), forward.OpCreate, "open", "open"},
		{"fired again, the other is at work", alert.Fresh, refire(forward.RefireWait), forward.OpWait, "", ""},
		{"uncertain", alert.Uncertain, nil, forward.OpLook, "", ""},
		{"uncertain, idempotent", alert.Uncertain, as(remote.Idempotent), forward.OpCreate, "open", "open"},
		{"uncertain, at least once", alert.Uncertain, as(remote.AtLeastOnce), forward.OpCreate, "open", "open"},
		{"uncertain, key forgotten", alert.Uncertain, func(s *forward.Situation) {
			s.Rules.Guarantee, s.Rules.KeyLife, s.Age = remote.Idempotent, time.Hour, 2*time.Hour
		}, forward.OpLook, "", ""},
		{"uncertain, key remembered", alert.Uncertain, func(s *forward.Situation) {
			s.Rules.Guarantee, s.Rules.KeyLife, s.Age = remote.Idempotent, time.Hour, time.Minute
		}, forward.OpCreate, "open", "open"},
		{"looked", alert.Looked, nil, forward.OpLook, "", ""},
		{"looked twice", alert.Looked, looked, forward.OpCreate, "open", "open"},
		{"verify", alert.Verify, nil, forward.OpLook, "", ""},
		{"verify, one ticket", alert.Verify, looked, forward.OpCompare, "open", ""},
		{"verify, no looking", alert.Verify, as(remote.Idempotent), forward.OpRest, "", ""},
		{"verify, a person changed the state", alert.Verify, func(s *forward.Situation) {
			s.Looked, s.Link.Heard = true, "stalled"
		}, forward.OpCompare, "", ""},
		{"twins", alert.Twins, nil, forward.OpMerge, "", ""},
		{"twins, no merging", alert.Twins, func(s *forward.Situation) { s.Rules.CanMerge = false }, forward.OpPark, "", ""},
		{"settled", alert.Settled, nil, forward.OpUpdate, "", "open"},
		{"settled, closing", alert.Settled, closed, forward.OpUpdate, "resolved", "resolved"},
		{"settled, note", alert.Settled, noted, forward.OpNote, "", ""},
		{"settled, remote takes no notes", alert.Settled, func(s *forward.Situation) {
			noted(s)
			s.Rules.CanNote = false
		}, forward.OpRest, "", ""},
		{"settled, notes are missing", alert.Settled, func(s *forward.Situation) {
			noted(s)
			s.Notes = nil
		}, forward.OpPark, "", ""},
		{"source, fresh", alert.Fresh, back("acked"), forward.OpWrite, "", "acked"},
		{"source, uncertain", alert.Uncertain, back("acked"), forward.OpWrite, "", "acked"},
		{"source, verify", alert.Verify, back("acked"), forward.OpRest, "", ""},
		{"source, nothing to tell", alert.Fresh, back(""), forward.OpRest, "", ""},
		{"source, both agree", alert.Settled, back("open"), forward.OpRest, "", ""},
		{"source, ended", alert.Settled, over("acknowledged"), forward.OpWrite, "", "closed"},
		{"source, ended, what it shows is not known", alert.Settled, over(""), forward.OpWrite, "", "closed"},
		{"source, ended, an earlier write may be under way", alert.Uncertain, over(""), forward.OpWrite, "", "closed"},
		{"source, ended, shows nothing", alert.Settled, over("open"), forward.OpRest, "", ""},
		{"source, ended, knows", alert.Settled, over("closed"), forward.OpRest, "", ""},
		{"source, ended, never told", alert.Fresh, over(""), forward.OpRest, "", ""},
		{"source, ended, told in a history that was lost", alert.Fresh, func(s *forward.Situation) {
			over("")(s)
			s.Link.Claim.Epoch = ha.EpochJump + 1
		}, forward.OpWrite, "", "closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := forward.Next(given(tt.stage, tt.change))
			if st.Op != tt.op || st.Draft.State != tt.state || st.Telling != tt.tells {
				t.Errorf("Next = %s state %q telling %q, want %s %q %q", st.Op, st.Draft.State, st.Telling, tt.op, tt.state, tt.tells)
			}
		})
	}
}

func refire(r forward.Refire) func(*forward.Situation) {
	return func(s *forward.Situation) {
		s.Refire = r
		s.Previous = &forward.Previous{Link: alert.Link{Progress: alert.Progress{Stage: alert.Settled, Ticket: "5", Told: "resolved"}}}
	}
}

func noted(s *forward.Situation) {
	s.Link.Delivered, s.Link.NotesWanted = 3, 2
	s.Notes = []alert.Note{{Seq: 1, Text: "hello"}, {Seq: 2, Text: "again"}}
}

func lost() forward.Answer  { return forward.Answer{Failure: unknown("lost")} }
func busy() forward.Answer  { return forward.Answer{Failure: retry("busy")} }
func wrong() forward.Answer { return forward.Answer{Failure: refused("no")} }
func merged() forward.Answer {
	return forward.Answer{Failure: &remote.Failure{Class: remote.Permanent, Msg: "ticket 7 was merged into 9", Err: remote.ErrMerged}}
}
func missing() forward.Answer { return forward.Answer{Failure: forwardtest.Gone()} }
func made() forward.Answer    { return forward.Answer{Ticket: alert.Ticket{ID: "7", State: "open"}} }

func found(tickets ...alert.Ticket) forward.Answer { return forward.Answer{Tickets: tickets} }

func open(id string) alert.Ticket { return alert.Ticket{ID: id, Open: true} }
func shut(id string) alert.Ticket { return alert.Ticket{ID: id} }

// becomes is what a verdict is judged by.
type becomes struct {
	Stage     alert.Stage
	Ticket    string
	Twins     []string
	Delivered int64
	Told      string
	More      bool
	Settle    bool
	Delay     time.Duration
	Attempts  int
	Parked    bool
	Answered  bool
}

func TestAfterEveryStageAndAnswer(t *testing.T) {
	const half = 500 * time.Millisecond // of the first back-off, without jitter
	tests := []struct {
		name   string
		stage  alert.Stage
		change func(*forward.Situation)
		answer forward.Answer
		want   becomes
	}{
		{"fresh, created", alert.Fresh, nil, made(), becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open", Answered: true}},
		{"fresh, lost", alert.Fresh, nil, lost(), becomes{Stage: alert.Uncertain, Attempts: 1, Delay: half}},
		{"fresh, busy", alert.Fresh, nil, busy(), becomes{Stage: alert.Fresh, Attempts: 1, Delay: half}},
		{"fresh, refused", alert.Fresh, nil, wrong(), becomes{Stage: alert.Fresh, Parked: true}},
		{"fresh, refused but made", alert.Fresh, nil, forward.Answer{Failure: &remote.Failure{Class: remote.Permanent, Msg: "no", Ticket: "7"}},
			becomes{Stage: alert.Verify, Ticket: "7", Parked: true, Answered: true}},
		{"fresh, remote down", alert.Fresh, func(s *forward.Situation) { s.Link.Attempts = 2 },
			forward.Answer{Failure: down()}, becomes{Stage: alert.Fresh, Attempts: 2, Delay: time.Second}},
		{"fresh, our credentials refused", alert.Fresh, nil,
			forward.Answer{Failure: &remote.Failure{Class: remote.Permanent, Shared: true, Status: 401}}, becomes{Stage: alert.Fresh, Delay: half}},
		{"fresh, last attempt", alert.Fresh, func(s *forward.Situation) { s.Link.Attempts = 2 }, busy(),
			becomes{Stage: alert.Fresh, Attempts: 3, Delay: 2 * time.Second, Parked: true}},
		{"fresh, asked to wait", alert.Fresh, nil,
			forward.Answer{Failure: &remote.Failure{Class: remote.Retry, After: time.Minute}}, becomes{Stage: alert.Fresh, Attempts: 1, Delay: time.Minute}},
		{"fresh, unsent", alert.Fresh, nil, forward.Answer{Unsent: true}, becomes{Stage: alert.Fresh}},
		{"fresh, adopted", alert.Fresh, refire(forward.RefireReopen), forward.Answer{Adopted: true},
			becomes{Stage: alert.Settled, Ticket: "5", Told: "resolved", More: true}},
		{"fresh, not adopted", alert.Fresh, refire(forward.RefireReopen), forward.Answer{}, becomes{Stage: alert.Fresh, Delay: half}},

		{"uncertain, nothing", alert.Uncertain, nil, found(), becomes{Stage: alert.Looked, Settle: true}},
		{"uncertain, found", alert.Uncertain, nil, found(open("7")), becomes{Stage: alert.Verify, Ticket: "7", Settle: true}},
		{"uncertain, several", alert.Uncertain, nil, found(shut("6"), open("7"), open("8")), becomes{Stage: alert.Verify, Ticket: "7", Settle: true}},
		{"uncertain, look lost", alert.Uncertain, nil, lost(), becomes{Stage: alert.Uncertain, Attempts: 1, Delay: half}},
		{"uncertain, created again", alert.Uncertain, as(remote.Idempotent), made(),
			becomes{Stage: alert.Verify, Ticket: "7", Delivered: 3, Told: "open", Settle: true, Answered: true}},
		{"uncertain, lost again", alert.Uncertain, as(remote.Idempotent), lost(), becomes{Stage: alert.Uncertain, Attempts: 1, Delay: half}},

		{"looked, nothing", alert.Looked, nil, found(), becomes{Stage: alert.Looked, More: true}},
		{"looked, found", alert.Looked, nil, found(open("7")), becomes{Stage: alert.Verify, Ticket: "7", Settle: true}},
		{"looked, created", alert.Looked, looked, made(),
			becomes{Stage: alert.Verify, Ticket: "7", Delivered: 3, Told: "open", Settle: true, Answered: true}},
		{"looked, create lost", alert.Looked, looked, lost(), becomes{Stage: alert.Uncertain, Attempts: 1, Delay: half}},
		{"looked, create unsent", alert.Looked, looked, forward.Answer{Unsent: true}, becomes{Stage: alert.Looked}},

		{"verify, one", alert.Verify, nil, found(open("7")), becomes{Stage: alert.Verify, Ticket: "7", Delivered: 2, Told: "open", More: true}},
		{"verify, another one is open", alert.Verify, nil, found(shut("7"), open("8")),
			becomes{Stage: alert.Verify, Ticket: "8", Delivered: 2, More: true}},
		{"verify, several", alert.Verify, nil, found(open("7"), shut("8"), open("9")),
			becomes{Stage: alert.Twins, Ticket: "7", Twins: []string{"9"}, Delivered: 2, Told: "open"}},
		{"verify, several, ours is not the lowest", alert.Verify, nil, found(open("5"), open("7")),
			becomes{Stage: alert.Twins, Ticket: "5", Twins: []string{"7"}, Delivered: 2}},
		{"verify, none and none known", alert.Verify, func(s *forward.Situation) { s.Link.Ticket = "" }, found(),
			becomes{Stage: alert.Looked, Delivered: 2, Told: "open", Settle: true}},
		{"verify, none but one known", alert.Verify, nil, found(), becomes{Stage: alert.Verify, Ticket: "7", Delivered: 2, Told: "open", More: true}},
		{"verify, matches", alert.Verify, looked, forward.Answer{}, becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open"}},
		{"verify, differs", alert.Verify, looked, forward.Answer{Differs: []string{"subject"}}, becomes{Stage: alert.Settled, Ticket: "7", Delivered: 2}},
		{"verify, gone", alert.Verify, looked, missing(), becomes{Stage: alert.Verify, Ticket: "7", Delivered: 2, Told: "open", Parked: true}},
		{"verify, gone, recreate", alert.Verify, func(s *forward.Situation) { s.Looked, s.Rules.Recreate = true, true }, missing(),
			becomes{Stage: alert.Uncertain}},
		{"verify, gone, closed", alert.Verify, func(s *forward.Situation) { looked(s); closed(s) }, missing(),
			becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open"}},
		{"verify, merged away", alert.Verify, func(s *forward.Situation) { s.Looked, s.Rules.Recreate = true, true }, merged(),
			becomes{Stage: alert.Verify, Ticket: "7", Delivered: 2, Told: "open", Parked: true}},
		{"verify, merged away, nothing to tell", alert.Verify, func(s *forward.Situation) { looked(s); s.Link.Delivered = 3 }, merged(),
			becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open"}},
		{"settled, merged away, closed", alert.Settled, closed, merged(), becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open"}},
		{"verify, cannot be read", alert.Verify, as(remote.AtLeastOnce), forward.Answer{}, becomes{Stage: alert.Settled, Ticket: "7", Delivered: 2}},

		{"twins, merged", alert.Twins, nil, forward.Answer{},
			becomes{Stage: alert.Twins, Ticket: "7", Twins: []string{"9"}, Delivered: 2, Told: "open", More: true, Answered: true}},
		{"twins, last merged", alert.Twins, func(s *forward.Situation) { s.Link.Twins = []string{"9"} }, forward.Answer{},
			becomes{Stage: alert.Verify, Ticket: "7", Delivered: 2, Told: "open", Answered: true}},
		{"twins, merge lost", alert.Twins, nil, lost(),
			becomes{Stage: alert.Verify, Ticket: "7", Twins: []string{"8", "9"}, Delivered: 2, Told: "open", Settle: true, Attempts: 1, Delay: half}},
		{"twins, twin gone", alert.Twins, nil, missing(),
			becomes{Stage: alert.Twins, Ticket: "7", Twins: []string{"9"}, Delivered: 2, Told: "open", More: true}},

		{"settled, updated", alert.Settled, nil, made(), becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open", Answered: true}},
		{"settled, closed", alert.Settled, closed, made(), becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "resolved", Answered: true}},
		{"settled, lost", alert.Settled, nil, lost(),
			becomes{Stage: alert.Verify, Ticket: "7", Delivered: 2, Told: "open", Settle: true, Attempts: 1, Delay: half}},
		{"settled, busy", alert.Settled, nil, busy(), becomes{Stage: alert.Settled, Ticket: "7", Delivered: 2, Told: "open", Attempts: 1, Delay: half}},
		{"settled, gone", alert.Settled, func(s *forward.Situation) { s.Rules.Recreate = true }, missing(), becomes{Stage: alert.Uncertain}},
		{"settled, noted", alert.Settled, noted, forward.Answer{}, becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open"}},
		{"settled, note lost", alert.Settled, noted, lost(),
			becomes{Stage: alert.Settled, Ticket: "7", Delivered: 3, Told: "open", Settle: true, Attempts: 1, Delay: half}},

		{"source, written", alert.Fresh, back("acked"), forward.Answer{}, becomes{Stage: alert.Settled, Delivered: 3, Told: "acked", Answered: true}},
		{"source, lost", alert.Fresh, back("acked"), lost(), becomes{Stage: alert.Uncertain, Attempts: 1, Delay: half}},
		{"source, written again", alert.Uncertain, back("acked"), forward.Answer{},
			becomes{Stage: alert.Verify, Delivered: 3, Told: "acked", Settle: true, Answered: true}},
		{"source, settled, lost", alert.Settled, back("acked"), lost(),
			becomes{Stage: alert.Verify, Delivered: 2, Told: "open", Settle: true, Attempts: 1, Delay: half}},
		{"source, verify", alert.Verify, back("acked"), forward.Answer{}, becomes{Stage: alert.Settled, Delivered: 2}},
		{"source, both agree", alert.Settled, back("open"), forward.Answer{}, becomes{Stage: alert.Settled, Delivered: 3, Told: "open"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := given(tt.stage, tt.change)
			v := forward.After(s, forward.Next(s), tt.answer)
			got := becomes{
				v.Link.Stage, v.Link.Ticket, v.Link.Twins, v.Link.Delivered, v.Link.Told,
				v.More, v.Settle, v.Delay, v.Link.Attempts, v.Link.Parked != "", v.Answered,
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("After (-want +got):\n%s", diff)
			}
			if v.Result == "" {
				t.Error("the verdict has no result")
			}
			if !v.More && !v.Link.Due() && v.Link.Parked == "" && v.Link.Stage != alert.Settled {
				t.Errorf("the link is left at stage %q and is not due", v.Link.Stage)
			}
		})
	}
}

func TestACloseByCommentIsSaidOnce(t *testing.T) {
	s := given(alert.Settled, func(s *forward.Situation) {
		closed(s)
		s.Rules.CloseAction = "comment"
	})
	st := forward.Next(s)
	if st.Draft.State != "" || st.Draft.Comment == "" {
		t.Fatalf("draft %+v", st.Draft)
	}
	v := forward.After(s, st, made())
	v.Link.Delivered = 2 // the ticket is to be told once more
	if again := forward.Next(v.Situation); again.Op != forward.OpUpdate || again.Draft.Comment != "" {
		t.Fatalf("said twice: %+v", again.Draft)
	}
}

func TestACommentThatCannotBeReadBackIsSaidAgain(t *testing.T) {
	s := given(alert.Verify, func(s *forward.Situation) {
		closed(s)
		s.Looked, s.Rules.CloseAction = true, "comment"
	})
	v := forward.After(s, forward.Next(s), forward.Answer{})
	if v.Link.Stage != alert.Settled || !v.Link.Due() {
		t.Fatalf("the comment is lost: %+v", v.Link)
	}
}

func TestLeaveLeavesTheStateAlone(t *testing.T) {
	st := forward.Next(given(alert.Settled, func(s *forward.Situation) {
		closed(s)
		s.Rules.CloseAction = "leave"
	}))
	if st.Op != forward.OpUpdate || st.Draft.State != "" || st.Draft.Comment != "" {
		t.Fatalf("%s %+v", st.Op, st.Draft)
	}
}

func TestRefireForConsultsTheLifeCycleTable(t *testing.T) {
	settled := alert.Link{Progress: alert.Progress{Stage: alert.Settled, Ticket: "5", Told: "resolved"}}
	table := map[string]connector.Refire{
		"resolved": {Action: "reopen", Within: connector.Duration(time.Hour)},
		"closed":   {Action: "linked"}, "cancelled": {Action: "new"}, "merged": {Action: "comment"}, "stalled": {Action: "comment"},
	}
	with := func(change func(l *alert.Link)) alert.Link {
		l := settled
		change(&l)
		return l
	}
	tests := []struct {
		name     string
		previous *forward.Previous
		want     forward.Refire
	}{
		{"none", nil, forward.RefireNew},
		{"in time", &forward.Previous{Link: settled, Ago: time.Minute}, forward.RefireReopen},
		{"too late", &forward.Previous{Link: settled, Ago: 2 * time.Hour}, forward.RefireLinked},
		{"heard otherwise", &forward.Previous{Link: with(func(l *alert.Link) { l.Heard = "closed" })}, forward.RefireLinked},
		{"cancelled", &forward.Previous{Link: with(func(l *alert.Link) { l.Heard = "cancelled" })}, forward.RefireNew},
		{"merged", &forward.Previous{Link: with(func(l *alert.Link) { l.Heard = "merged" })}, forward.RefireComment},
		{"claimed", &forward.Previous{Link: with(func(l *alert.Link) { l.Wanted, l.Claim.ID = 9, uuid.UUID{1} })}, forward.RefireWait},
		{"not known", &forward.Previous{Link: with(func(l *alert.Link) { l.Stage = alert.Verify })}, forward.RefireWait},
		{"close not told", &forward.Previous{Link: with(func(l *alert.Link) { l.Wanted, l.Told = 9, "stalled" })}, forward.RefireComment},
		{"close not told, no rule for open", &forward.Previous{Link: with(func(l *alert.Link) { l.Wanted, l.Told = 9, "open" })}, forward.RefireWait},
		{"parked", &forward.Previous{Link: with(func(l *alert.Link) { l.Parked = "no" })}, forward.RefireLinked},
		{"no ticket", &forward.Previous{Link: with(func(l *alert.Link) { l.Ticket = "" })}, forward.RefireNew},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := forward.RefireFor(tt.previous, forwardtest.Mapping{Table: table}); got != tt.want {
				t.Errorf("RefireFor = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutcomeHoldsForTheSettleTime(t *testing.T) {
	s := given(alert.Settled, nil)
	v := forward.After(s, forward.Next(s), lost())
	hold := alert.Hold{Epoch: 4, Until: time.Minute}
	o := v.Outcome(hold, settle)
	if o.Hold != hold || o.Delay != settle || o.Claim != s.Link.Claim.ID || o.Answered {
		t.Errorf("outcome %+v", o)
	}
}
