package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/ha"
	"tieline/internal/store"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// groupWith is a group of servers "one" and "two", of which one is Active.
func groupWith(silence time.Duration) ha.Group {
	servers := []ha.Server{
		{Name: "one", Boot: "b1", HeartbeatAt: now.Add(-silence), Silence: silence, Promised: 90 * time.Second},
		{Name: "two", Boot: "b2", HeartbeatAt: now.Add(-silence), Silence: silence, Promised: 90 * time.Second},
	}
	return ha.Group{
		Servers:  servers,
		Members:  []ha.Member{{Connector: "desk", Server: "one", Position: 1}, {Connector: "desk", Server: "two", Position: 2}},
		Leases:   []ha.Lease{{Connector: "desk", Epoch: 4, Server: "one", Boot: "b1", Promised: 90 * time.Second}},
		Settings: map[string]ha.Settings{"desk": {}},
	}
}

func TestExplainLink(t *testing.T) {
	claim := alert.Claim{ID: uuid.New(), Epoch: 4}
	link := func(stage alert.Stage, change func(*store.LinkDetail)) store.LinkDetail {
		l := store.LinkDetail{Link: alert.NewLink(alert.LinkID{Connector: "desk", Alert: uuid.New(), Side: alert.Remote}, 3)}
		l.Stage, l.DueAt = stage, now
		if change != nil {
			change(&l)
		}
		return l
	}
	live := circumstances{group: groupWith(time.Second), now: now, backlog: map[string]store.Backlog{"desk": {Due: 7, OldestDue: 65 * time.Second}}}
	open := circumstances{group: groupWith(time.Second), now: now}
	open.group.Members[0].Eligible, open.group.Members[0].Reason = true, "the remote's breaker is open since 05:01:02Z"
	silent := circumstances{group: groupWith(time.Hour), now: now}
	dead := circumstances{group: groupWith(time.Second), now: now, dead: map[string]bool{"one": true, "two": true}}
	for _, c := range []struct {
		name     string
		link     store.LinkDetail
		about    circumstances
		standing Standing
		says     []string
	}{
		{"settled", link(alert.Settled, func(l *store.LinkDetail) { l.Ticket, l.Delivered, l.DeliveredAt = "12", 3, now }), live, Done,
			[]string{"Ticket 12 shows revision 3, the newest, since 4 Mar 2026 05:06:07 UTC."}},
		{"delivered, ticket not told", link(alert.Settled, func(l *store.LinkDetail) { l.Delivered = 3 }), live, Done, []string{"has not told a ticket id"}},
		{"the way back", link(alert.Settled, func(l *store.LinkDetail) { l.Side, l.Delivered, l.Told = alert.Source, 3, "open" }), live, Done, []string{`The source was told "open"`}},
		{"parked", link(alert.Fresh, func(l *store.LinkDetail) { l.Parked = "tickets 1 and 2 carry the same key." }), live, Parked,
			[]string{"waits for a person", "the same key. When"}},
		{"parked by a refusal", link(alert.Fresh, func(l *store.LinkDetail) { l.Parked = "refused: no queue X." }), live, Parked,
			[]string{"is parked: refused: no queue X. It is", "by itself with the next version of the document of desk", "when the cause is mended elsewhere: "}},
		{"parked by a mapping", link(alert.Fresh, func(l *store.LinkDetail) { l.Parked = "mapping: fields.a: no" }), live, Parked,
			[]string{"by itself with the next version"}},
		{"parked when its attempts ran out", link(alert.Fresh, func(l *store.LinkDetail) { l.Parked = "gave up after 20 attempts: desk: 500" }), live, Parked,
			[]string{"parked: gave up after 20", "by itself after another write there has succeeded, and within 1 h", "; at once: "}},
		{"skipped", link(alert.Fresh, func(l *store.LinkDetail) { l.Skipped = "it closed before it was sent" }), live, Skipped, []string{"not sent, for good", "closed before"}},
		{"claimed", link(alert.Fresh, func(l *store.LinkDetail) { l.Claim, l.ClaimedBy = claim, "one" }), live, Working, []string{"Nothing was sent yet.", "one is working on it now"}},
		{"claimed by a server that is gone", link(alert.Fresh, func(l *store.LinkDetail) { l.Claim = claim }), live, Working, []string{"claim of epoch 4", "send window"}},
		{"the server of an epoch, but no claim", link(alert.Fresh, func(l *store.LinkDetail) { l.ClaimedBy = "one" }), silent, Stuck, []string{"No server is Active for desk"}},
		{"waits for a retry", link(alert.Fresh, func(l *store.LinkDetail) { l.Attempts, l.Failure, l.DueAt = 2, "timed out.", now.Add(40*time.Second) }), live, Waiting,
			[]string{"2 tries failed; the next is in 40 s", "timed out."}},
		{"held back", link(alert.Settled, func(l *store.LinkDetail) { l.Ticket, l.DueAt = "12", now.Add(5*time.Minute) }), live, Waiting, []string{"revision 0 of 3", "held back for another 5 min"}},
		{"in turn", link(alert.Fresh, nil), live, Due, []string{"one will send it in turn", "7 links of desk are due, the oldest for 1 min 5 s"}},
		{"an open breaker", link(alert.Fresh, nil), open, Due,
			[]string{"one will send it in turn once calls to the remote system succeed.", "As of the last heartbeat of one: the remote's breaker is open since 05:01:02Z."}},
		{"a failure under an open breaker", link(alert.Fresh, func(l *store.LinkDetail) { l.Failure, l.DueAt = "503", now.Add(time.Minute) }), open, Waiting,
			[]string{"The last failure: 503.", "breaker is open since 05:01:02Z."}},
		{"an unknown create", link(alert.Uncertain, nil), live, Due, []string{"sent and not answered", "looked for before another is made"}},
		{"looked once", link(alert.Looked, nil), live, Due, []string{"one look found no ticket"}},
		{"verify", link(alert.Verify, func(l *store.LinkDetail) { l.Ticket = "9" }), live, Due, []string{"Ticket 9 is there", "read again"}},
		{"twins", link(alert.Twins, func(l *store.LinkDetail) { l.Ticket = "9" }), live, Due, []string{"merged into 9"}},
		{"nobody is Active", link(alert.Fresh, nil), silent, Stuck, []string{"No server is Active for desk", "tieline status desk"}},
		{"every process is gone", link(alert.Fresh, nil), dead, Stuck, []string{"The process of one, the last Active of desk, is gone"}},
	} {
		answer := explainLink(c.link, c.about)
		if answer.Standing != c.standing {
			t.Errorf("%s: it stands as %q, want %q", c.name, answer.Standing, c.standing)
		}
		got := answer.Text + answer.Retry
		for _, want := range c.says {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q does not say %q", c.name, got, want)
			}
		}
	}
}

// TestExplainTheWayBack: what a source was told is said, and that it was told
// nothing too, with the reason.
func TestExplainTheWayBack(t *testing.T) {
	const open = "name: desk\nremote: {kind: files, settings: {directory: DIR}}\n"
	const callback = "sources: [{name: shop, kind: generic, settings: {callback: 'http://x/'}}]\n"
	for _, c := range []struct{ name, document, source, ticket, told, says string }{
		{"told", open + callback, "shop", "open", "acknowledged", `The source was told "acknowledged"`},
		{"no callback", open + "sources: [{name: shop, kind: generic}]\n", "shop", "open", "", "takes nothing back, as its document has no settings.callback"},
		{"no address", open + "sources: [{name: shop, kind: alertmanager}]\n", "shop", "open", "", "takes nothing back, as its document has no url"},
		{"another source", open + callback, "gone", "open", "", "no longer has source gone"},
		{"no state", open + callback, "shop", "", "", "nothing was heard of the ticket's state"},
		{"not mapped", open + callback, "shop", "odd", "", `maps the ticket's state "odd" to nothing`},
	} {
		doc, err := connector.Parse([]byte(c.document))
		if err != nil {
			t.Fatal(err)
		}
		about := circumstances{alert: alert.Alert{Source: c.source}, ticketState: c.ticket}
		if about.document, err = connector.Compile(doc); err != nil {
			t.Fatal(err)
		}
		l := store.LinkDetail{Link: alert.NewLink(alert.LinkID{Connector: "desk", Alert: uuid.New(), Side: alert.Source}, 3)}
		l.Stage, l.Delivered, l.Told = alert.Settled, 3, c.told
		if got := explainLink(l, about).Text; !strings.Contains(got, c.says) || strings.Contains(got, "shows") {
			t.Errorf("%s: %q does not say %q", c.name, got, c.says)
		}
	}
}

// TestExplainTheWayBackUnderWay: it is about the source, not about a ticket.
func TestExplainTheWayBackUnderWay(t *testing.T) {
	for _, c := range []struct {
		stage alert.Stage
		told  string
		says  string
	}{
		{alert.Fresh, "", "The source was not told of the ticket yet."}, {alert.Settled, "open", `The source was told "open" last.`},
		{alert.Uncertain, "", "was not answered: it is told again."}, {alert.Verify, "open", "was not answered: it is told again."},
	} {
		l := store.LinkDetail{Link: alert.NewLink(alert.LinkID{Connector: "desk", Alert: uuid.New(), Side: alert.Source}, 3)}
		l.Stage, l.Told, l.Attempts, l.Failure, l.DueAt = c.stage, c.told, 2, "no answer", now.Add(time.Minute)
		got := explainLink(l, circumstances{group: groupWith(time.Second), now: now}).Text
		if !strings.Contains(got, c.says) || strings.Contains(got, "Ticket") {
			t.Errorf("%s: %q does not say %q", c.stage, got, c.says)
		}
	}
}

// TestExplainATicketThatWentAway: nobody sees there what the alert says.
func TestExplainATicketThatWentAway(t *testing.T) {
	doc, err := connector.Parse([]byte("name: desk\nremote: {kind: files, settings: {directory: DIR}}\nsources: [{name: shop, kind: generic}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	about := circumstances{}
	if about.document, err = connector.Compile(doc); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]string{"merged": "Ticket 12 is merged", "deleted": "Ticket 12 is deleted", "open": "Ticket 12 shows"} {
		l := store.LinkDetail{Link: alert.NewLink(alert.LinkID{Connector: "desk", Alert: uuid.New(), Side: alert.Remote}, 3)}
		l.Stage, l.Delivered, l.Ticket, l.Heard = alert.Settled, 3, "12", state
		a := explainLink(l, about)
		if head := headline(l, a, about); !strings.HasPrefix(a.Text, want) || !strings.HasPrefix(head, want) {
			t.Errorf("%s: %q, %q", state, a.Text, head)
		}
	}
}

func TestExplainAbsent(t *testing.T) {
	doc, err := connector.Parse([]byte(`
name: desk
sources: [{name: shop, kind: generic}]
remote: {kind: files, settings: {directory: DIR}}
subscription: severity == "critical" && labels.team == "db"
`))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := connector.Compile(doc)
	if err != nil {
		t.Fatal(err)
	}
	critical := alert.Content{Severity: "critical", Labels: map[string]string{"team": "db"}}
	for _, c := range []struct {
		name  string
		alert alert.Alert
		says  string
	}{
		{"another source", alert.Alert{Source: "other"}, "does not take alerts from source other"},
		{"no match", alert.Alert{Source: "shop", Content: alert.Content{Severity: "info"}}, "does not match: severity =="},
		{"no answer", alert.Alert{Source: "shop", Content: alert.Content{Severity: "critical"}}, "cannot be evaluated"},
		{"closed before", alert.Alert{Source: "shop", Status: alert.Closed, Content: critical}, "closed before"},
		{"matches by now", alert.Alert{Source: "shop", Status: alert.Open, Content: critical}, "next sweep"},
	} {
		if got := explainAbsent(c.alert, compiled); !strings.Contains(got, c.says) {
			t.Errorf("%s: %q does not say %q", c.name, got, c.says)
		}
	}
}

func TestHeadline(t *testing.T) {
	about := circumstances{group: groupWith(time.Second), now: now}
	for _, c := range []struct {
		name string
		link func(*store.LinkDetail)
		want string
	}{
		{"delivered", func(l *store.LinkDetail) { l.Stage, l.Ticket, l.Delivered = alert.Settled, "12", 3 }, "Ticket 12 shows what the alert says."},
		{"ticket not told", func(l *store.LinkDetail) { l.Stage, l.Delivered = alert.Settled, 3 }, "Sent; the remote system has not told a ticket id yet."},
		{"in turn", func(l *store.LinkDetail) {}, "No ticket yet: one will send it in turn."},
		{"refused", func(l *store.LinkDetail) { l.Parked = "refused: desk: 403: no." }, "No ticket yet: refused: desk: 403: no."},
		{"behind", func(l *store.LinkDetail) {
			l.Stage, l.Ticket, l.Attempts, l.Failure, l.DueAt = alert.Settled, "12", 2, "timed out", now.Add(time.Minute)
		}, "Ticket 12 is behind: timed out."},
		{"held back", func(l *store.LinkDetail) { l.Stage, l.Ticket, l.DueAt = alert.Settled, "12", now.Add(time.Minute) }, "Ticket 12 is behind: it is held back on purpose."},
		{"claimed", func(l *store.LinkDetail) { l.Claim, l.ClaimedBy = alert.Claim{ID: uuid.New(), Epoch: 4}, "one" }, "No ticket yet: one is sending it now."},
		{"claimed by nobody", func(l *store.LinkDetail) { l.Claim = alert.Claim{ID: uuid.New(), Epoch: 3} }, "No ticket yet: a server that is Active no more had it in hand."},
		{"given up", func(l *store.LinkDetail) { l.Skipped = "given up by otto: noise" }, "No ticket: given up by otto: noise."},
		{"taken over", func(l *store.LinkDetail) { l.Skipped, l.Ticket = "its ticket goes on", "12" }, "Ticket 12 is left as it is: its ticket goes on."},
		{"the way back", func(l *store.LinkDetail) {
			l.Side, l.Stage, l.Delivered, l.Told = alert.Source, alert.Settled, 3, "acknowledged"
		}, `The source was told "acknowledged".`},
		{"the way back, with nothing to tell", func(l *store.LinkDetail) { l.Side, l.Stage, l.Delivered = alert.Source, alert.Settled, 3 }, "The source was told nothing of the ticket."},
		{"the way back fails", func(l *store.LinkDetail) { l.Side, l.Parked = alert.Source, "gave up" }, "The source is not told yet: gave up."},
	} {
		l := store.LinkDetail{Link: alert.NewLink(alert.LinkID{Connector: "desk", Alert: uuid.New(), Side: alert.Remote}, 3)}
		l.DueAt = now
		c.link(&l)
		if got := headline(l, explainLink(l, about), about); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
