package forward_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
	"tieline/internal/remote"
)

// TestWhatWasRefusedIsKept: of what was sent and parks its link, the timeline
// keeps what it was; of what was never sent, and of a try that another one
// follows, nothing.
func TestWhatWasRefusedIsKept(t *testing.T) {
	refused := &remote.Failure{Class: remote.Permanent, Msg: "desk: no such queue"}
	for name, c := range map[string]struct {
		fail    *remote.Failure
		mapping error
		want    string
	}{
		"refused":  {refused, nil, "tried parked"},
		"gave up":  {retry("desk: 503"), nil, "failed failed failed failed tried parked"},
		"unmapped": {nil, errors.New("no such label"), "parked"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.setup.Mapping = forwardtest.Mapping{Fail: func(*alert.Alert) error { return c.mapping }}
			}, func(t *testing.T, w *world) {
				a := w.activate("a")
				w.remote.Disturb(func(forwardtest.Call) forwardtest.Behaviour { return forwardtest.Behaviour{Fail: c.fail} })
				id := w.raise(a, "disk")
				after(time.Hour / 2)
				events := w.store.Events(linkID(id))
				if kinds := eventKinds(events); kinds != c.want {
					t.Fatalf("timeline: %s, want %s", kinds, c.want)
				}
				if e := events[max(0, len(events)-2)]; e.Kind == forward.Tried && (e.Revision != 1 || !strings.HasPrefix(e.Text, "subject: disk")) {
					t.Errorf("what was sent is %+v", e)
				}
			})
		})
	}
}

// TestADraftAsPeopleReadIt: every part that has something in it, and no more than
// a timeline should hold.
func TestADraftAsPeopleReadIt(t *testing.T) {
	s := forward.Situation{Work: forward.Work{Link: alert.NewLink(alert.LinkID{Side: alert.Remote}, 3)}}
	fail := forward.Answer{At: "http://desk", Failure: &remote.Failure{Class: remote.Permanent, Msg: "no"}}
	text := func(d alert.Draft) string {
		v := forward.After(s, forward.Step{Op: forward.OpUpdate, Ticket: "7", Draft: d}, fail)
		if len(v.Events) != 2 || v.Events[0].Kind != forward.Tried || v.Events[0].Endpoint != "http://desk" || v.Events[0].Ticket != "7" {
			t.Fatalf("events %+v", v.Events)
		}
		return v.Events[0].Text
	}
	got := text(alert.Draft{Subject: "disk\x00 full", Severity: "2", State: "open", Comment: "again", RefersTo: "6",
		Fields: map[string]string{"queue": "ops", "team": "", "impact": "high"}, Body: "line 1\nline 2"})
	want := "subject: disk full\nseverity: 2\nstate: open\ncomment: again\nrefers to: 6\nimpact: high\nqueue: ops\nbody: line 1\nline 2"
	if got != want {
		t.Errorf("the draft reads\n%s\nnot\n%s", got, want)
	}
	if long := text(alert.Draft{Subject: "disk", Body: strings.Repeat("ü", 5000)}); len(long) > 4010 || !strings.HasSuffix(long, "ü...") {
		t.Errorf("a long one has %d bytes and ends with %q", len(long), long[len(long)-5:])
	}
	if v := forward.After(s, forward.Step{Op: forward.OpNote}, fail); len(v.Events) != 1 {
		t.Errorf("a note's events are %+v", v.Events)
	}
}
