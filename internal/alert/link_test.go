package alert

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func link(stage Stage, change ...func(*Link)) Link {
	l := NewLink(LinkID{Connector: "c", Alert: NewID(), Side: Remote}, 1)
	l.Stage = stage
	for _, f := range change {
		f(&l)
	}
	return l
}

func TestDue(t *testing.T) {
	tests := []struct {
		name string
		l    Link
		want bool
	}{
		{"fresh", link(Fresh), true},
		{"uncertain", link(Uncertain), true},
		{"settled and behind", link(Settled), true},
		{"settled and told", link(Settled, func(l *Link) { l.Delivered = 1 }), false},
		{"settled, told, a note waits", link(Settled, func(l *Link) { l.Delivered, l.NotesWanted = 1, 1 }), true},
		{"verify though told", link(Verify, func(l *Link) { l.Delivered = 1 }), true},
		{"parked", link(Fresh, func(l *Link) { l.Parked = "refused" }), false},
		{"skipped", link(Fresh, func(l *Link) { l.Skipped = "closed before it was sent" }), false},
	}
	for _, tt := range tests {
		if got := tt.l.Due(); got != tt.want {
			t.Errorf("%s: due %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestClaimable(t *testing.T) {
	held := func(epoch int64, until time.Duration) func(*Link) {
		return func(l *Link) { l.Hold = Hold{Epoch: epoch, Until: until} }
	}
	tests := []struct {
		name string
		l    Link
		v    TermView
		want bool
	}{
		{"fresh link, new term", link(Fresh), TermView{Epoch: 7}, true},
		{"claimed by anybody", link(Fresh).WithClaim(Claim{ID: uuid.New(), Epoch: 3}), TermView{Epoch: 7, Age: time.Hour, Swept: true}, false},
		{"own hold still on", link(Looked, held(7, time.Minute)), TermView{Epoch: 7, Age: 59 * time.Second, Swept: true}, false},
		{"own hold over", link(Looked, held(7, time.Minute)), TermView{Epoch: 7, Age: time.Minute}, true},
		{"another term's hold, not swept", link(Looked, held(6, 0)), TermView{Epoch: 7, Age: time.Hour}, false},
		{"another term's hold, swept", link(Looked, held(6, time.Hour)), TermView{Epoch: 7, Swept: true}, true},
		{"not due", link(Settled, func(l *Link) { l.Delivered = 1 }), TermView{Epoch: 7}, false},
	}
	for _, tt := range tests {
		if got := tt.l.Claimable(tt.v); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestC8ExpiryOfACreateLeadsToALook: a link ever claimed for a create never
// ends without look, settle, look.
func TestC8ExpiryOfACreateLeadsToALook(t *testing.T) {
	hold := Hold{Epoch: 8, Until: 5 * time.Second}
	want := map[Stage]Stage{Fresh: Uncertain, Looked: Uncertain, Uncertain: Uncertain, Settled: Verify, Verify: Verify, Twins: Twins}
	for from, to := range want {
		got := link(from).WithClaim(Claim{ID: uuid.New(), Epoch: 7}).Expire(hold)
		if got.Stage != to || got.Claim.ID != uuid.Nil {
			t.Errorf("%s expired to %s, claim %v; want %s, none", from, got.Stage, got.Claim, to)
		}
		if from == Settled && got.Hold != hold {
			t.Errorf("an expired update is verified at once, without settling")
		}
	}
}

func TestRecordUnderItsClaim(t *testing.T) {
	claim := Claim{ID: uuid.New(), Epoch: 7}
	l := link(Fresh).WithClaim(claim).Want(4)
	l.Ticket = "assigned-meanwhile"
	got, how := l.Record(Outcome{LinkID: l.LinkID, Claim: claim.ID, Answered: true, Heard: "new",
		Progress: Progress{Stage: Settled, Delivered: 1}})
	if how != Mine || got.Stage != Settled || got.Claim.ID != uuid.Nil || got.Heard != "new" {
		t.Errorf("%s: %+v", how, got)
	}
	if got.Ticket != "assigned-meanwhile" {
		t.Errorf("the ticket id assigned while sending was overwritten by %q", got.Ticket)
	}
	if got.Wanted != 4 || !got.Due() {
		t.Error("the revision that came while sending is lost")
	}
}

// TestC5ReplacedClaimIsEvidence: what a deposed server learnt is kept, and the
// link is verified.
func TestRecordKeepsNewsNewerThanTheCreate(t *testing.T) {
	l := link(Fresh, func(l *Link) { l.Claim, l.Heard = Claim{ID: uuid.Max, Epoch: 1}, "resolved" })
	got, _ := l.Record(Outcome{LinkID: l.LinkID, Claim: uuid.Max, Answered: true, Heard: "open", Progress: Progress{Stage: Settled, Ticket: "11"}})
	if got.Heard != "resolved" {
		t.Errorf("heard %q, want the state that was told after the create", got.Heard)
	}
}

func TestC5ReplacedClaimIsEvidence(t *testing.T) {
	old := Claim{ID: uuid.New(), Epoch: 7}
	answered := Outcome{Claim: old.ID, Answered: true, Progress: Progress{Stage: Settled, Ticket: "12", Delivered: 1}}

	settled := link(Settled, func(l *Link) { l.Ticket, l.Delivered = "11", 1 })
	got, how := settled.Record(answered)
	if how != Evident || got.Stage != Verify || got.Ticket != "11" {
		t.Errorf("unclaimed: %s %s ticket %q; want evidence, verify, the ticket we had", how, got.Stage, got.Ticket)
	}

	claimed := settled.WithClaim(Claim{ID: uuid.New(), Epoch: 8})
	got, how = claimed.Record(answered)
	if how != Evident || got.Stage != Settled || got.Evidence != "12" || got.Claim != claimed.Claim {
		t.Errorf("claimed anew: %s %+v; want the evidence kept beside the claim", how, got)
	}
	got, _ = got.Record(Outcome{Claim: claimed.Claim.ID, Progress: Progress{Stage: Settled, Ticket: "11", Delivered: 1}})
	if got.Stage != Verify || got.Evidence != "" {
		t.Errorf("after the next record: %s, evidence %q; want verify", got.Stage, got.Evidence)
	}

	got, how = settled.Record(Outcome{Claim: old.ID, Progress: Progress{Stage: Uncertain}})
	if how != Dropped || got.Stage != Settled {
		t.Errorf("a sender that wrote nothing changed the link: %s %s", how, got.Stage)
	}
}

func TestEvidenceGivesATicketToALinkThatHasNone(t *testing.T) {
	got, _ := link(Uncertain).Record(Outcome{Claim: uuid.New(), Answered: true, Progress: Progress{Ticket: "12"}})
	if got.Ticket != "12" || got.Stage != Uncertain {
		t.Errorf("ticket %q, stage %s", got.Ticket, got.Stage)
	}
}

// TestL8Doubt: after the database's history changed, nothing that was told or
// not told is believed.
func TestL8Doubt(t *testing.T) {
	hold := Hold{Epoch: 1 << 20, Until: time.Minute}
	want := map[Stage]Stage{Fresh: Uncertain, Looked: Uncertain, Uncertain: Uncertain, Settled: Verify, Verify: Verify, Twins: Verify}
	for from, to := range want {
		if got := link(from).Doubt(hold); got.Stage != to || got.Hold != hold {
			t.Errorf("%s doubted is %s, hold %v", from, got.Stage, got.Hold)
		}
	}
	skipped := link(Uncertain, func(l *Link) { l.Skipped = "not wanted" })
	if got := skipped.Doubt(hold); got.Stage != Uncertain || got.Hold != (Hold{}) {
		t.Errorf("a skipped link came to life: %s", got.Stage)
	}
}

func TestL8BackTakesTheHoldOver(t *testing.T) {
	l := link(Uncertain, func(l *Link) { l.Hold = Hold{Epoch: 1 << 20} })
	back := l.Back()
	if back.Side != Source || back.Alert != l.Alert || back.Hold != l.Hold || back.Stage != Uncertain {
		t.Errorf("%+v", back)
	}
}

func TestHearNeverEchoes(t *testing.T) {
	l := link(Settled, func(l *Link) { l.Heard, l.Ticket = "open", "11" })
	if _, fresh := l.Hear(News{State: "open"}); fresh {
		t.Error("a state both sides agree on is news")
	}
	got, fresh := l.Hear(News{State: "resolved"})
	if !fresh || got.Heard != "resolved" {
		t.Errorf("fresh %v, heard %q", fresh, got.Heard)
	}
	if _, again := got.Hear(News{State: "resolved"}); again {
		t.Error("the same news twice is news")
	}
	got, fresh = l.Hear(News{Assign: "INC7"})
	if !fresh || got.Ticket != "INC7" {
		t.Errorf("an acknowledgement left ticket %q", got.Ticket)
	}
}

func TestC10KeyNamesGroupConnectorAndAlert(t *testing.T) {
	group, other, id := uuid.New(), uuid.New(), NewID()
	k := NewKey(group, "desk", id)
	if got, ok := k.Alert(group, "desk"); !ok || got != id {
		t.Errorf("%s names %s, %v", k, got, ok)
	}
	if _, ok := k.Alert(other, "desk"); ok {
		t.Error("another group's key is taken for ours")
	}
	if _, ok := k.Alert(group, "files"); ok || k == NewKey(group, "files", id) {
		t.Error("the key of another connector's ticket for the same alert is taken for ours")
	}
	if _, ok := Key("ticket 42").Alert(group, "desk"); ok {
		t.Error("any text is taken for a key")
	}
}

// TestL8WhatWasDoubtedWhileClaimedStaysInDoubt: the history that was lost may
// have replaced the claim, and its successor may be sending yet.
func TestL8WhatWasDoubtedWhileClaimedStaysInDoubt(t *testing.T) {
	claim := Claim{ID: uuid.New(), Epoch: 3}
	doubt := Hold{Epoch: 3 + 1<<20}
	for _, stage := range []Stage{Fresh, Uncertain, Looked, Verify, Twins, Settled} {
		l := NewLink(LinkID{Connector: "desk"}, 1)
		l.Stage, l.Hold = stage, Hold{Epoch: 3, Until: time.Second} // that of its own term is over
		doubted := l.WithClaim(claim).Doubt(doubt)
		o := Outcome{LinkID: l.LinkID, Claim: claim.ID, Progress: Progress{Stage: Settled, Ticket: "1", Delivered: 1}, Answered: true}
		got, answer := doubted.Record(o)
		if answer != Mine || got.Stage != Verify || got.Hold != doubt || got.Claim != (Claim{}) || got.Ticket != "1" {
			t.Errorf("%s: recorded as %s: %+v", stage, answer, got)
		}
		o.Progress = Progress{Stage: Fresh}
		if got, _ := doubted.Record(o); got.Stage != Uncertain || got.Hold != doubt {
			t.Errorf("%s, given back: %+v", stage, got)
		}
		o.Progress = Progress{Stage: Settled, Ticket: "1", Delivered: 1}
		if got, _ := l.WithClaim(claim).Record(o); got.Stage != Settled || got.Hold != (Hold{}) {
			t.Errorf("%s, not doubted: %+v", stage, got)
		}
	}
}
