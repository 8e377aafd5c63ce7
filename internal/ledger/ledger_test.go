package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestAudit(t *testing.T) {
	for _, c := range []struct {
		name     string
		promises []Promise
		receipts []Receipt
		want     Report
	}{
		{
			name:     "all is well, and the storm in between collapsed",
			promises: []Promise{{Alert: "a", Number: 1}, {Alert: "a", Number: 2}, {Alert: "a", Number: 3, Closed: true}},
			receipts: []Receipt{{Alert: "a", Number: 1, Create: true, Ticket: "1"}, {Alert: "a", Number: 3, Ticket: "1", Closed: true}},
			want:     Report{Counts: Counts{Promised: 3, Alerts: 1, Requests: 2, Delivered: 1}},
		},
		{
			name:     "never arrived, arrived without the newest, arrived unclosed",
			promises: []Promise{{Alert: "a", Number: 1}, {Alert: "b", Number: 2}, {Alert: "c", Number: 1, Closed: true}},
			receipts: []Receipt{{Alert: "b", Number: 1, Create: true, Ticket: "1"}, {Alert: "c", Number: 1, Create: true, Ticket: "2"}},
			want:     Report{Counts: Counts{Promised: 3, Alerts: 3, Requests: 2}, Lost: []string{"a", "b", "c"}},
		},
		{
			name:     "two tickets; the same ticket told twice is none",
			promises: []Promise{{Alert: "a", Number: 1}, {Alert: "b", Number: 1}},
			receipts: []Receipt{
				{Alert: "a", Number: 1, Create: true, Ticket: "1"}, {Alert: "a", Number: 1, Create: true, Ticket: "2"},
				{Alert: "b", Number: 1, Create: true, Ticket: "3"}, {Alert: "b", Number: 1, Create: true, Ticket: "3"},
			},
			want: Report{Counts: Counts{Promised: 2, Alerts: 2, Requests: 4, Delivered: 2}, Doubled: []string{"a"}},
		},
		{
			name:     "an older one after a newer one, mended or not",
			promises: []Promise{{Alert: "a", Number: 2}, {Alert: "b", Number: 2}},
			receipts: []Receipt{
				{Alert: "a", Number: 2, Create: true, Ticket: "1"}, {Alert: "a", Number: 1, Ticket: "1"}, {Alert: "a", Number: 2, Ticket: "1"},
				{Alert: "b", Number: 2, Create: true, Ticket: "2"}, {Alert: "b", Number: 1, Ticket: "2"},
			},
			want: Report{Counts: Counts{Promised: 2, Alerts: 2, Requests: 5, Delivered: 1}, Lost: []string{"b"}, OutOfOrder: []string{"a", "b"}},
		},
		{
			name:     "an answer was lost: more arrived than was promised",
			promises: []Promise{{Alert: "a", Number: 1}},
			receipts: []Receipt{{Alert: "a", Number: 2, Create: true, Ticket: "1", Closed: true}, {Alert: "b", Number: 1, Create: true, Ticket: "2"}},
			want:     Report{Counts: Counts{Promised: 1, Alerts: 1, Requests: 2, Delivered: 1}, Unpromised: []string{"b"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l Ledger
			l.Promise(c.promises...)
			l.Receive(c.receipts...)
			got := l.Audit()
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("audit (-want +got):\n%s", d)
			}
			if clean := len(c.want.Lost)+len(c.want.Doubled)+len(c.want.OutOfOrder) == 0; got.Clean() != clean {
				t.Errorf("Clean() = %v", got.Clean())
			}
		})
	}
}

func TestChanges(t *testing.T) {
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var l Ledger
	l.Receive(
		Receipt{Alert: "a", Server: "one", At: at(0)}, Receipt{Alert: "b", Server: "one", At: at(10)},
		Receipt{Alert: "c", Server: "two", At: at(700)}, Receipt{Alert: "d", Server: "two", At: at(710)},
		Receipt{Alert: "e", Server: "one", At: at(730)},
	)
	want := []Change{
		{From: "one", To: "two", Last: at(10), First: at(700), Gap: 690 * time.Millisecond},
		{From: "two", To: "one", Last: at(710), First: at(730), Gap: 20 * time.Millisecond},
	}
	if d := cmp.Diff(want, l.Changes()); d != "" {
		t.Error(d)
	}
}
