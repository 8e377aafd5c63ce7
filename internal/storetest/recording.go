package storetest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
)

var recording = map[string]func(*testing.T, Fresh){
	"record/progress":                             recordProgress,
	"record/a deposed owner records its own":      recordDeposed,
	"record/a replaced claim leaves evidence":     recordEvidence,
	"record/a claim that was put in doubt":        recordDoubted,
	"record/a batch of all kinds":                 recordMixed,
	"record/with its events":                      recordEvents,
	"record/nothing":                              recordNothing,
	"record/when it was delivered":                recordDelivered,
	"record/a revision that came during the send": recordNewer,
}

// same compares links; an empty list of twins is none.
func same(a, b alert.Link) bool {
	if len(a.Twins) == 0 && len(b.Twins) == 0 {
		a.Twins, b.Twins = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

func recordProgress(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	claim, works := f.claim(f.db, term, 1)
	o := alert.Outcome{
		LinkID: works[0].Link.LinkID, Claim: claim, Heard: "open", Answered: true,
		Hold: alert.Hold{Epoch: term.Epoch, Until: 90*time.Second + time.Microsecond},
		Progress: alert.Progress{
			Stage: alert.Twins, Ticket: "42", TicketURL: "http://rt/42", Twins: []string{"43", `4"4`}, Told: "new", Delivered: 1,
			NotesDelivered: 0, Attempts: 2, Failure: "two tickets 'ü'", Parked: "", Skipped: "",
		},
	}
	if got := f.record(term, forward.Entry{Outcome: o}); got[0] != alert.Mine {
		t.Fatalf("recorded %v", got)
	}
	want, _ := works[0].Link.Record(o)
	if l := f.link(id, tickets, alert.Remote); !same(l.Link, want) || l.DueAt.IsZero() {
		t.Errorf("stored %+v, not %+v", l.Link, want)
	}
}

func recordDeposed(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	claim, works := f.claim(f.db, term, 1)
	f.term(tickets, "beta")
	if got := f.record(term, sent(works[0], claim, "42")); got[0] != alert.Mine {
		t.Fatalf("recorded %v", got)
	}
	if l := f.link(id, tickets, alert.Remote); l.Ticket != "42" || l.Stage != alert.Settled {
		t.Errorf("stored %+v", l)
	}
}

func recordEvidence(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	claim, works := f.claim(f.db, old, 1)
	now := f.term(tickets, "beta")
	must(f.db.Expire(t.Context(), now, nil, alert.Hold{}))(t)
	second, again := f.claim(f.db, now, 1)
	late := sent(works[0], claim, "42")
	late.Events = []forward.Event{{Kind: "sent", Text: "created late"}}
	if got := f.record(old, late); got[0] != alert.Evident {
		t.Fatalf("recorded %v", got)
	}
	if l := f.link(id, tickets, alert.Remote); l.Evidence != "42" || l.Claim.ID != second || l.Ticket != "" {
		t.Errorf("under another claim: %+v", l)
	}
	// Its owner found nothing and settles with a ticket of its own: verify.
	if got := f.record(now, sent(again[0], second, "43")); got[0] != alert.Mine {
		t.Fatalf("recorded %v", got)
	}
	if l := f.link(id, tickets, alert.Remote); l.Stage != alert.Verify || l.Evidence != "" || l.Ticket != "43" || l.DueAt.IsZero() {
		t.Errorf("after both: %+v", l)
	}
	if got := strings.Join(timeline(f, id), " "); got != "sent" {
		t.Errorf("timeline: %s", got)
	}
}

// recordDoubted: the history changed while a claim stood, which may have been
// replaced in the one that was lost. Its owner records, and the link stays in
// doubt, held for the term that waits.
func recordDoubted(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.term(tickets, "alpha")
	id := f.raise(2, tickets)[0]
	claim, works := f.claim(f.db, old, 2)
	const jumped = 1 << 20
	f.exec("UPDATE link SET stage = 'uncertain', hold_epoch = $1, hold_until = 0 WHERE alert_id = $2", old.Epoch+jumped, id)
	entries := []forward.Entry{sent(works[0], claim, "42"), sent(works[1], claim, "43")}
	if got := f.record(old, entries...); got[0] != alert.Mine || got[1] != alert.Mine {
		t.Fatalf("recorded %v", got)
	}
	for _, w := range works {
		l := f.link(w.Alert.ID, tickets, alert.Remote)
		switch doubted := w.Alert.ID == id; {
		case l.Claim.ID != (alert.ClaimID{}) || l.Ticket == "":
			t.Errorf("stored %+v, want the outcome recorded", l.Link)
		case doubted && (l.Stage != alert.Verify || l.Hold != (alert.Hold{Epoch: old.Epoch + jumped}) || l.DueAt.IsZero()):
			t.Errorf("stored %+v, want it to be verified when the hold ends", l.Link)
		case !doubted && l.Stage != alert.Settled:
			t.Errorf("stored %+v, want what was not in doubt to be settled", l.Link)
		}
	}
}

func recordMixed(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.term(tickets, "alpha")
	f.raise(4, tickets)
	claim, works := f.claim(f.db, old, 4)
	now := f.term(tickets, "beta")
	must(f.db.Expire(t.Context(), now, nil, alert.Hold{}))(t)
	f.exec("UPDATE link SET claim_id = $1, claim_epoch = $2, stage = 'fresh', due_at = NULL WHERE alert_id = $3",
		claim, old.Epoch, works[0].Alert.ID)
	quiet := sent(works[2], claim, "")
	quiet.Outcome.Answered = false
	gone := sent(works[3], claim, "9")
	gone.Outcome.LinkID.Alert = alert.NewID()
	got := f.record(old, gone, quiet, sent(works[1], claim, "8"), sent(works[0], claim, "7"))
	want := []alert.Recorded{alert.Dropped, alert.Dropped, alert.Evident, alert.Mine}
	if !slices.Equal(got, want) {
		t.Errorf("recorded %v, not %v", got, want)
	}
	if l := f.link(works[1].Alert.ID, tickets, alert.Remote); l.Ticket != "8" || l.Stage != alert.Uncertain || l.Evidence != "" {
		t.Errorf("evidence on an unclaimed link: %+v", l)
	}
}

func recordEvents(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	claim, works := f.claim(f.db, term, 1)
	e := sent(works[0], claim, "42")
	e.Events = []forward.Event{
		{Kind: "looked", Text: "nothing there", Endpoint: "http://rt", Took: 1500 * time.Microsecond},
		{Kind: "sent", Text: "created", Endpoint: "http://rt", Took: time.Second, Revision: 1, Ticket: "42"},
	}
	f.record(term, e)
	events := must(f.db.Timeline(t.Context(), id))(t)
	if len(events) != 2 || events[0].Kind != "looked" || events[0].Took != 1500*time.Microsecond {
		t.Fatalf("events %+v", events)
	}
	got := events[1]
	got.At = time.Time{}
	if got.Server != "alpha" || got.Epoch != term.Epoch || got.Connector != tickets || got.Text != "created" ||
		got.Endpoint != "http://rt" || got.Revision != 1 || got.Ticket != "42" || events[1].At.IsZero() {
		t.Errorf("event %+v", events[1])
	}
}

func recordNothing(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	if got := f.record(f.term(tickets, "alpha")); len(got) != 0 {
		t.Errorf("recorded %v", got)
	}
}

func recordDelivered(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	if l := f.link(id, tickets, alert.Remote); !l.DeliveredAt.IsZero() {
		t.Errorf("delivered at %v before anything was sent", l.DeliveredAt)
	}
	f.settle(term)
	first := f.link(id, tickets, alert.Remote)
	if first.DeliveredAt.IsZero() || first.DeliveredAt.Before(first.CreatedAt) {
		t.Errorf("delivered at %v", first.DeliveredAt)
	}
}

func recordNewer(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.accept(to(tickets), observe("a", alert.Open, "one"))[0].ID
	claim, works := f.claim(f.db, term, 1)
	f.accept(to(tickets), observe("a", alert.Open, "two"))
	if l := f.link(id, tickets, alert.Remote); l.Wanted != 2 || !l.DueAt.IsZero() || l.Claim.ID != claim {
		t.Errorf("while it is sent: %+v", l)
	}
	f.record(term, sent(works[0], claim, "42"))
	if l := f.link(id, tickets, alert.Remote); l.Delivered != 1 || l.DueAt.IsZero() {
		t.Errorf("the newer revision is not due: %+v", l)
	}
}
