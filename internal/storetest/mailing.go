package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
)

var mail = map[string]func(*testing.T, Fresh){
	"mail/the bookmark moves by compare-and-swap": mailBookmark,
	"mail/news is heard once":                     mailHeard,
	"mail/the source is told":                     mailBack,
	"mail/a twin says nothing":                    mailTwin,
	"mail/a ticket is assigned after the fact":    mailAssign,
	"mail/news follows its ticket in one batch":   mailInOrder,
	"mail/news of nobody is told":                 mailUnheard,
	"books/links at rest":                         booksStanding,
	"books/which alerts have a link":              booksLinked,
	"books/doubts":                                booksDoubtful,
	"desk/parked links are retried":               deskUnpark,
}

// back maps the remote's resolved to the source's acknowledged.
func back(state string) (string, bool) { return "acknowledged", state == "resolved" }

func mailBookmark(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ctx := t.Context()
	if v := must(f.db.Bookmark(ctx, tickets, "poll"))(t); v != "" {
		t.Errorf("a bookmark never set is %q", v)
	}
	for _, step := range []struct {
		old, next string
		want      error
	}{{"", "1", nil}, {"", "2", forward.ErrMoved}, {"0", "2", forward.ErrMoved}, {"1", "1", nil}, {"1", "2", nil}, {"1", "3", forward.ErrMoved}} {
		if err := f.db.Receive(ctx, term, "poll", step.old, step.next, nil, back); !errors.Is(err, step.want) {
			t.Errorf("%q to %q: %v", step.old, step.next, err)
		}
	}
	if err := f.db.Receive(ctx, term, "other", "", "x", nil, back); err != nil {
		t.Errorf("another bookmark: %v", err)
	}
	f.term(tickets, "beta")
	news := []alert.News{{ID: "1", Ticket: "T", State: "resolved"}}
	for _, name := range []string{"poll", "new"} {
		old := must(f.db.Bookmark(ctx, tickets, name))(t)
		if err := f.db.Receive(ctx, term, name, old, "9", news, back); !errors.Is(err, forward.ErrDeposed) {
			t.Errorf("deposed: %v", err)
		}
	}
	if n := f.count("SELECT count(*) FROM news"); n != 0 {
		t.Errorf("a deposed term stored %d news", n)
	}
	if v := must(f.db.Bookmark(ctx, tickets, "poll"))(t); v != "2" {
		t.Errorf("the bookmark is %q", v)
	}
}

func mailHeard(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	f.settle(term)
	ticket := f.link(id, tickets, alert.Remote).Ticket
	key := alert.NewKey(must(f.db.Group(t.Context()))(t).ID, tickets, id)
	news := []alert.News{
		{ID: "1", Ticket: ticket, State: "open", Author: "operator", Text: "on it", At: time.Unix(1000, 0)},
		{ID: "1", Ticket: ticket, State: "stalled"},
		{ID: "2", Key: key, State: "stalled", Own: true},
		{ID: "3", Ticket: "a stranger's", State: "open"},
		{ID: "4", Key: "tl-00000000-x", State: "open"},
	}
	for _, step := range [][2]string{{"", "1"}, {"1", "2"}} { // the second time everything is known
		if err := f.db.Receive(t.Context(), term, "poll", step[0], step[1], news, back); err != nil {
			t.Fatalf("receive: %v", err)
		}
	}
	if l := f.link(id, tickets, alert.Remote); l.Heard != "stalled" || l.Due() {
		t.Errorf("link %+v", l)
	}
	events := must(f.db.Timeline(t.Context(), id))(t)
	if len(events) != 2 || events[0].Kind != "news" || !strings.Contains(events[0].Text, "on it") || !strings.Contains(events[0].Text, "operator") {
		t.Errorf("timeline %+v", events)
	}
	if n := f.count("SELECT count(*) FROM news"); n != 4 {
		t.Errorf("%d news are stored, not 4", n)
	}
}

func mailBack(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(2, tickets)
	f.settle(term)
	ticket := f.link(ids[0], tickets, alert.Remote).Ticket
	err := f.db.Receive(t.Context(), term, "poll", "", "1", []alert.News{
		{ID: "1", Ticket: ticket, State: "open"},
		{ID: "2", Ticket: ticket, State: "resolved"},
		{ID: "3", Ticket: ticket, State: "resolved"}, // no news: both sides agree
		{ID: "4", Ticket: f.link(ids[1], tickets, alert.Remote).Ticket, State: "resolved", Own: true},
	}, back)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	if n := len(f.detail(ids[1]).Links); n != 1 {
		t.Errorf("what we did ourselves was brought back")
	}
	l := f.link(ids[0], tickets, alert.Source)
	if want := alert.NewLink(l.LinkID, 1); !same(l.Link, want) || l.DueAt.IsZero() {
		t.Errorf("source link %+v", l)
	}
	claim, works := f.claim(f.db, term, 10)
	if len(works) != 1 || works[0].Link.Side != alert.Source || works[0].Peer == nil || works[0].Peer.Heard != "resolved" {
		t.Fatalf("works %+v", works)
	}
	e := sent(works[0], claim, "")
	e.Outcome.Delivered = works[0].Link.Wanted
	f.record(term, e)
	for _, step := range []struct{ old, next, state string }{{"1", "2", "open"}, {"2", "3", "resolved"}} {
		err := f.db.Receive(t.Context(), term, "poll", step.old, step.next, []alert.News{{ID: step.next + "b", Ticket: ticket, State: step.state}}, back)
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
	}
	if l := f.link(ids[0], tickets, alert.Source); l.Wanted != 2 || l.Delivered != 1 || l.DueAt.IsZero() {
		t.Errorf("source link %+v", l)
	}
}

func mailTwin(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	f.settle(term)
	key := alert.NewKey(must(f.db.Group(t.Context()))(t).ID, tickets, id)
	news := []alert.News{{ID: "1", Ticket: "the twin", Key: key, State: "resolved"}}
	if err := f.db.Receive(t.Context(), term, "poll", "", "1", news, back); err != nil {
		t.Fatalf("receive: %v", err)
	}
	if d := f.detail(id); len(d.Links) != 1 || d.Links[0].Heard != "" || len(timeline(f, id)) != 0 {
		t.Errorf("a twin was heard: %+v", d.Links)
	}
}

func mailAssign(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	claim, works := f.claim(f.db, term, 1)
	key := alert.NewKey(must(f.db.Group(t.Context()))(t).ID, tickets, id)
	news := []alert.News{{ID: "1", Key: key, Assign: "INC-7", State: "new"}}
	if err := f.db.Receive(t.Context(), term, "inbox", "", "1", news, back); err != nil {
		t.Fatalf("receive: %v", err)
	}
	f.record(term, sent(works[0], claim, "")) // the answer told no ticket
	if l := f.link(id, tickets, alert.Remote); l.Ticket != "INC-7" || l.Heard != "new" || l.Stage != alert.Settled {
		t.Errorf("link %+v", l)
	}
}

// mailInOrder: an acknowledgement and an update that names only the ticket it
// assigned arrive in one batch.
func mailInOrder(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	claim, works := f.claim(f.db, term, 1)
	f.record(term, sent(works[0], claim, "")) // the ticket's name comes later
	key := alert.NewKey(must(f.db.Group(t.Context()))(t).ID, tickets, id)
	news := []alert.News{
		{ID: "1", Ticket: "TK1", State: "open"}, // too early: nobody's yet
		{ID: "2", Key: key, Ticket: "TK1", Assign: "TK1"},
		{ID: "3", Ticket: "TK1", State: "closed", Author: "kim", Text: "fixed"},
		{ID: "4", Key: key, Ticket: "TK2", Assign: "TK2"},
		{ID: "5", Ticket: "TK2", State: "resolved"},
		{ID: "6", Ticket: "TK1", State: "reopened"}, // it was given up for TK2
	}
	if err := f.db.Receive(t.Context(), term, "inbox", "", "1", news, back); err != nil {
		t.Fatalf("receive: %v", err)
	}
	if l := f.link(id, tickets, alert.Remote); l.Ticket != "TK2" || l.Heard != "resolved" {
		t.Errorf("link %+v", l)
	}
	if l := f.link(id, tickets, alert.Source); l.DueAt.IsZero() {
		t.Errorf("the source is not told: %+v", l)
	}
	var told []string
	for _, e := range must(f.db.Timeline(t.Context(), id))(t) {
		told = append(told, e.Text)
	}
	want := []string{"ticket TK1", "state closed, by kim, fixed", "ticket TK2", "state resolved"}
	if !slices.Equal(told, want) {
		t.Errorf("timeline %q", told)
	}
	if got := unheard(news); !slices.Equal(got, []string{"1"}) {
		t.Errorf("unheard %q", got)
	}
}

// mailUnheard: whoever brings news learns which of it was about nobody.
func mailUnheard(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id, elsewhere := f.raise(1, tickets)[0], f.raise(1, files)[0]
	f.settle(term)
	ticket, group := f.link(id, tickets, alert.Remote).Ticket, must(f.db.Group(t.Context()))(t).ID
	news := []alert.News{
		{ID: "ours", Ticket: ticket, State: "open"},
		{ID: "twin", Key: alert.NewKey(group, tickets, id), Ticket: "a twin", State: "open"},
		{ID: "ticket", Ticket: "a stranger's", State: "open"},
		{ID: "group", Key: alert.NewKey(alert.NewID(), tickets, id), State: "open"},
		{ID: "alert", Key: alert.NewKey(group, tickets, alert.NewID()), State: "open"},
		{ID: "connector", Key: alert.NewKey(group, tickets, elsewhere), Ticket: "X", Assign: "X"},
		{ID: "neighbour", Key: alert.NewKey(group, files, elsewhere), Ticket: "Y", Assign: "Y"},
		{ID: "its ticket", Ticket: "X", State: "open"},
	}
	want := []string{"ticket", "group", "alert", "connector", "neighbour", "its ticket"}
	for _, step := range []struct {
		old, next string
		want      []string
	}{{"", "1", want}, {"1", "2", nil}} { // what is known already is told once
		if err := f.db.Receive(t.Context(), term, "poll", step.old, step.next, news, back); err != nil {
			t.Fatalf("receive: %v", err)
		}
		if got := unheard(news); !slices.Equal(got, step.want) {
			t.Errorf("from %q: unheard %q, not %q", step.old, got, step.want)
		}
	}
}

func unheard(news []alert.News) []string {
	var ids []string
	for _, n := range news {
		if n.Unheard {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func booksStanding(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(5, tickets, files)
	f.settle(term)
	f.raise(1, tickets) // fresh: not at rest
	f.exec("UPDATE link SET parked = 'x' WHERE alert_id = $1", ids[0])
	var all []forward.Standing
	after := alert.ID{}
	for {
		page := must(f.db.Standing(t.Context(), tickets, after, 3))(t)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		after = page[len(page)-1].Alert
	}
	if len(all) != 4 {
		t.Fatalf("%d links at rest, not 4", len(all))
	}
	for i, s := range all {
		if s.Due || s.Status != alert.Open || s.Ticket != "T-"+s.Alert.String() || i > 0 && all[i-1].Alert.String() >= s.Alert.String() {
			t.Errorf("standing %d: %+v", i, s)
		}
	}
}

func booksLinked(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	mine, theirs := f.raise(3, tickets), f.raise(1, files)
	stranger := alert.NewID()
	linked := must(f.db.Linked(t.Context(), tickets, append(append([]alert.ID{stranger}, mine...), theirs...)))(t)
	for _, id := range mine {
		if !linked[id] {
			t.Errorf("alert %s is not known", id)
		}
	}
	if linked[stranger] || linked[theirs[0]] {
		t.Errorf("alerts without a link of the connector are known: %v", linked)
	}
}

func booksDoubtful(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(3, tickets)
	f.settle(term)
	before := must(f.db.Now(t.Context()))(t)
	f.exec("UPDATE link SET changed_at = changed_at - 1000000")
	f.exec("UPDATE link SET changed_at = $1 WHERE alert_id = $2", before.UnixMicro(), ids[1])
	f.exec("UPDATE link SET skipped = 'x' WHERE alert_id = $1", ids[2])
	n, err := f.db.Doubtful(t.Context(), term, append(ids, alert.NewID()), before)
	if err != nil || n != 1 {
		t.Fatalf("marked %d: %v", n, err)
	}
	if l := f.link(ids[0], tickets, alert.Remote); l.Stage != alert.Verify || l.DueAt.IsZero() {
		t.Errorf("link %+v", l)
	}
	f.term(tickets, "beta")
	if _, err := f.db.Doubtful(t.Context(), term, ids, before); !errors.Is(err, forward.ErrDeposed) {
		t.Errorf("deposed: %v", err)
	}
}

func deskUnpark(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(4, tickets)
	for i, reason := range []string{"mapping: no subject", "mapping%", "remote: 422", "Mapping"} {
		f.exec("UPDATE link SET parked = $1, attempts = 7, due_at = NULL WHERE alert_id = $2", reason, ids[i])
	}
	if n, err := f.db.Unpark(t.Context(), term, "mapping: "); n != 1 || err != nil {
		t.Errorf("unparked %d: %v", n, err)
	}
	if l := f.link(ids[0], tickets, alert.Remote); l.Parked != "" || l.Attempts != 0 || l.DueAt.IsZero() {
		t.Errorf("link %+v", l)
	}
	if n, err := f.db.Unpark(t.Context(), term, ""); n != 3 || err != nil {
		t.Errorf("unparked %d: %v", n, err)
	}
	f.term(tickets, "beta")
	if _, err := f.db.Unpark(t.Context(), term, ""); !errors.Is(err, forward.ErrDeposed) {
		t.Errorf("deposed: %v", err)
	}
}
