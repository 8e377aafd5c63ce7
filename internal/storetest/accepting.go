package storetest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/intake"
)

var accepting = map[string]func(*testing.T, Fresh){
	"accept/an alert's life":                                   acceptLife,
	"accept/everything told is kept":                           acceptContent,
	"accept/several words about one alert in a batch":          acceptOrder,
	"accept/a bad one is refused alone":                        acceptBad,
	"accept/a closing that waits":                              acceptDelay,
	"accept/a closing that is skipped":                         acceptSkip,
	"accept/links that exist hear of it":                       acceptTell,
	"accept/back-off stays":                                    acceptBackoff,
	"accept/sweep":                                             acceptSweep,
	"accept/a late closing of an earlier start":                acceptLate,
	"accept/what nobody waits for":                             acceptGone,
	"accept/a large batch":                                     acceptLarge,
	"accept/nothing":                                           acceptNothing,
	"accept/an alert that closed under new documents":          acceptBehind,
	"accept/a person sees what changed, not what was repeated": acceptTimeline,
}

// acceptLate: an alert is as young as its latest start, also where nothing else
// of it was new.
func acceptLate(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	at := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	said := func(status alert.Status, summary string, from, until time.Time) alert.Change {
		o := observe("a", status, summary)
		o.StartsAt, o.EndsAt = from, until
		return f.accept(to(tickets), o)[0].Change
	}
	for i, step := range []struct {
		got, want alert.Change
	}{
		{said(alert.Open, "one", at, time.Time{}), alert.Raised},
		{said(alert.Open, "one", at.Add(10*time.Minute), time.Time{}), alert.Repeated},
		{said(alert.Closed, "one", at, at.Add(5*time.Minute)), alert.Stale},
		{said(alert.Open, "two", at.Add(20*time.Minute), time.Time{}), alert.Changed},
		{said(alert.Closed, "two", at.Add(10*time.Minute), at.Add(15*time.Minute)), alert.Stale},
		{said(alert.Closed, "two", at.Add(20*time.Minute), at.Add(25*time.Minute)), alert.Ended},
	} {
		if step.got != step.want {
			t.Errorf("step %d: %s, want %s", i, step.got, step.want)
		}
	}
}

// acceptGone: what nobody waits for any more is not stored, and disturbs no other.
func acceptGone(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	b := intake.Batch{Server: "alpha", Generation: 2}
	for i, o := range []alert.Observation{
		observe("a", alert.Open, "one"), observe("b", alert.Open, "one"), observe("a", alert.Closed, "one"), observe("c", alert.Open, "one"),
	} {
		gone := i%2 == 0
		b.Items = append(b.Items, intake.Observed{Observation: o, Route: to(tickets), Gone: func() bool { return gone }})
	}
	answers, err := f.db.Accept(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if gone := errors.Is(a.Err, intake.ErrGone); gone != (i%2 == 0) || !gone && (a.Err != nil || a.Change != alert.Raised) {
			t.Errorf("item %d: %s, %v", i, a.Change, a.Err)
		}
	}
	if alerts, links := f.count("SELECT count(*) FROM alert"), f.count("SELECT count(*) FROM link"); alerts != 2 || links != 2 {
		t.Errorf("%d alerts and %d links are stored, want 2 and 2", alerts, links)
	}
}

func acceptLife(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	steps := []struct {
		o        alert.Observation
		change   alert.Change
		revision int64
		seen     int64
		wanted   int64
	}{
		{observe("a", alert.Open, "one"), alert.Raised, 1, 1, 1},
		{observe("a", alert.Open, "one"), alert.Repeated, 1, 2, 1},
		{observe("a", alert.Open, "two"), alert.Changed, 2, 3, 2},
		{observe("a", alert.Closed, "two"), alert.Ended, 3, 4, 3},
		{observe("a", alert.Closed, "two"), alert.Repeated, 3, 5, 3},
	}
	var first alert.ID
	for i, s := range steps {
		got := f.accept(to(tickets), s.o)[0]
		if i == 0 {
			first = got.ID
		}
		d := f.detail(got.ID)
		if got.ID != first || got.Change != s.change || d.Revision != s.revision || d.Seen != s.seen || d.Links[0].Wanted != s.wanted {
			t.Errorf("step %d: %+v, alert %+v", i, got, d)
		}
	}
	again := f.accept(to(tickets), observe("a", alert.Open, "one"))[0]
	if again.Change != alert.Raised || again.ID == first {
		t.Fatalf("fired again: %+v", again)
	}
	if d := f.detail(again.ID); d.Previous != first || d.Revision != 1 || d.AcceptedBy != "alpha" {
		t.Errorf("fired again: %+v", d)
	}
}

func acceptContent(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	o := alert.Observation{
		Source: "prom", Key: "schlüssel 'a\" \\ \t", Status: alert.Open,
		StartsAt: time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.FixedZone("", 3600)),
		Content: alert.Content{
			Severity: "warn\x00ing", Summary: "a 'quoted' 火 \u2028", Description: strings.Repeat("line\n", 1000),
			Labels: map[string]string{"": "empty", "k": ""}, Annotations: map[string]string{"<": "&"}, URL: "http://x/?a=b&c=d",
		},
	}
	d := f.detail(f.accept(to(tickets, files), o)[0].ID)
	if !d.Content.Equal(o.Content) || d.Key != o.Key || d.Source != o.Source || d.Status != alert.Open {
		t.Errorf("stored %+v", d.Alert)
	}
	if want := o.StartsAt.Truncate(time.Microsecond); !d.StartsAt.Equal(want) || !d.EndsAt.IsZero() || d.Generation != 2 {
		t.Errorf("started %v, not %v; ended %v; generation %d", d.StartsAt, want, d.EndsAt, d.Generation)
	}
	if len(d.Links) != 2 || d.AcceptedAt.IsZero() || !d.AcceptedAt.Equal(d.ChangedAt) {
		t.Errorf("stored %+v", d)
	}
	for _, l := range d.Links {
		want := alert.NewLink(alert.LinkID{Connector: l.LinkID.Connector, Alert: d.ID, Side: alert.Remote}, 1)
		if !reflect.DeepEqual(l.Link, want) || l.DueAt.IsZero() {
			t.Errorf("link %+v", l)
		}
	}
	if got := f.accept(to(tickets), o)[0]; got.Change != alert.Repeated {
		t.Errorf("the same again is %s", got.Change)
	}
}

func acceptOrder(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	got := f.accept(to(tickets),
		observe("b", alert.Open, "b1"), observe("a", alert.Open, "a1"), observe("b", alert.Open, "b2"),
		observe("a", alert.Closed, "a1"), observe("a", alert.Open, "a2"), observe("c", alert.Closed, "c1"), observe("b", alert.Open, "b2"))
	var changes []alert.Change
	for _, a := range got {
		changes = append(changes, a.Change)
	}
	want := []alert.Change{alert.Raised, alert.Raised, alert.Changed, alert.Ended, alert.Raised, alert.Missed, alert.Repeated}
	if !reflect.DeepEqual(changes, want) {
		t.Fatalf("changes %v, not %v", changes, want)
	}
	if got[0].ID != got[2].ID || got[1].ID != got[3].ID || got[4].ID == got[1].ID {
		t.Errorf("ids %+v", got)
	}
	second := f.detail(got[4].ID)
	if second.Previous != got[1].ID || second.Summary != "a2" || f.detail(got[1].ID).Status != alert.Closed {
		t.Errorf("fired again within the batch: %+v", second)
	}
	if b := f.detail(got[0].ID); b.Revision != 2 || b.Seen != 3 || b.Links[0].Wanted != 2 {
		t.Errorf("b: %+v", b)
	}
	if next := f.accept(to(tickets), observe("a", alert.Open, "a2"))[0]; next.ID != got[4].ID || next.Change != alert.Repeated {
		t.Errorf("the latest a is %+v", next)
	}
}

func acceptBad(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	var items []intake.Observed
	for _, key := range []string{"good-1", "bad\x00key", "good-2", "bad\xff", "good-3"} {
		items = append(items, intake.Observed{Observation: observe(key, alert.Open, "x"), Route: to(tickets)})
	}
	// An engine may refuse what no check foresees: a key over its index's limit.
	// Whether it does is the engine's own; that the others are stored is not.
	var long strings.Builder
	for range 500 {
		long.WriteString(alert.NewID().String())
	}
	items = append(items, intake.Observed{Observation: observe(long.String(), alert.Open, "x"), Route: to(tickets)})
	got, err := f.db.Accept(t.Context(), intake.Batch{Server: "alpha", Generation: 2, Items: items})
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	for i, bad := range []bool{false, true, false, true, false} {
		if bad != (got[i].Err != nil) || bad && fault.KindOf(got[i].Err) != fault.Invalid {
			t.Errorf("item %d: %+v", i, got[i])
		}
	}
	refused := 0
	if got[5].Err != nil {
		refused = 1
	}
	if n := f.count("SELECT count(*) FROM alert"); n != 4-refused {
		t.Errorf("%d alerts are stored", n)
	}
	if f.db.Engine() == "postgres" && refused == 0 {
		t.Errorf("PostgreSQL took an index row of %d bytes: nothing tests the bisection", long.Len())
	}
}

func acceptDelay(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	hold := func(a *alert.Alert) []intake.Routing {
		r := intake.Routing{Connector: tickets}
		if a.Status == alert.Closed {
			r.DelaySeconds = 3600
		}
		return []intake.Routing{r}
	}
	id := f.accept(hold, observe("a", alert.Open, "one"))[0].ID
	f.settle(term)
	f.accept(hold, observe("a", alert.Closed, "one"))
	l := f.link(id, tickets, alert.Remote)
	if !l.Due() || l.DueAt.Sub(l.ChangedAt) != time.Hour {
		t.Errorf("the close is due %v after its change", l.DueAt.Sub(l.ChangedAt))
	}
	if _, works := f.claim(f.db, term, 10); len(works) != 0 {
		t.Errorf("a held-back close was claimed")
	}
	// A close that comes while the link is claimed is held back as well.
	id = f.accept(hold, observe("b", alert.Open, "one"))[0].ID
	claim, works := f.claim(f.db, term, 10)
	f.accept(hold, observe("b", alert.Closed, "one"))
	f.record(term, sent(works[0], claim, "T1"))
	l = f.link(id, tickets, alert.Remote)
	if !l.Due() || l.DueAt.Before(l.CreatedAt.Add(time.Hour)) {
		t.Errorf("the close is due at %v, the link was made at %v", l.DueAt, l.CreatedAt)
	}
	// A revision that waits for nothing ends the wait.
	id = f.accept(func(*alert.Alert) []intake.Routing { return []intake.Routing{{Connector: tickets, DelaySeconds: 3600}} },
		observe("c", alert.Open, "one"))[0].ID
	f.accept(hold, observe("c", alert.Open, "two"))
	if l = f.link(id, tickets, alert.Remote); l.DueAt.After(l.ChangedAt) {
		t.Errorf("due at %v, changed at %v", l.DueAt, l.ChangedAt)
	}
}

func acceptSkip(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	skip := func(a *alert.Alert) []intake.Routing {
		if a.Status == alert.Closed {
			return []intake.Routing{{Connector: tickets, Skip: "closed before it was sent"}}
		}
		return []intake.Routing{{Connector: tickets}}
	}
	open := f.accept(skip, observe("sent", alert.Open, "x"))[0].ID
	f.settle(term)
	claimed := f.accept(skip, observe("claimed", alert.Open, "x"))[0].ID
	claim, works := f.claim(f.db, term, 10)
	unsent := f.accept(skip, observe("unsent", alert.Open, "x"))[0].ID
	closed := f.accept(skip, observe("claimed", alert.Closed, "x"), observe("sent", alert.Closed, "x"),
		observe("unsent", alert.Closed, "x"), observe("missed", alert.Closed, "x"))
	for _, c := range []struct {
		name string
		id   alert.ID
		skip bool
	}{{"sent", open, false}, {"claimed", claimed, false}, {"unsent", unsent, true}, {"missed", closed[3].ID, true}} {
		l := f.link(c.id, tickets, alert.Remote)
		told := strings.Contains(strings.Join(timeline(f, c.id), " "), "skipped")
		if (l.Skipped != "") != c.skip || l.Due() == c.skip || told != c.skip || c.skip != l.DueAt.IsZero() && c.name != "claimed" {
			t.Errorf("%s: %+v, timeline %v", c.name, l, timeline(f, c.id))
		}
	}
	f.record(term, sent(works[0], claim, "T1"))
	if l := f.link(claimed, tickets, alert.Remote); !l.Due() || l.DueAt.IsZero() {
		t.Errorf("the close of what was being sent is lost: %+v", l)
	}
}

func acceptTell(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.accept(to(tickets, files), observe("a", alert.Open, "one"))[0].ID
	f.settle(term)
	f.accept(to(files), observe("a", alert.Closed, "two"))
	d := f.detail(id)
	if len(d.Links) != 2 {
		t.Fatalf("links %+v", d.Links)
	}
	for _, l := range d.Links {
		if l.Wanted != 2 || l.DueAt.IsZero() {
			t.Errorf("%s was not told: %+v", l.LinkID.Connector, l)
		}
	}
}

func acceptBackoff(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.accept(to(tickets), observe("a", alert.Open, "one"))[0].ID
	claim, works := f.claim(f.db, term, 1)
	e := sent(works[0], claim, "")
	e.Outcome.Progress, e.Outcome.Answered = works[0].Link.Progress, false
	e.Outcome.Attempts, e.Outcome.Failure, e.Outcome.Delay = 3, "503", time.Hour
	f.record(term, e)
	before := f.link(id, tickets, alert.Remote)
	f.accept(to(tickets), observe("a", alert.Open, "two"))
	after := f.link(id, tickets, alert.Remote)
	if after.Wanted != 2 || !after.DueAt.Equal(before.DueAt) || after.Attempts != 3 {
		t.Errorf("back-off until %v became %v: %+v", before.DueAt, after.DueAt, after)
	}
}

func acceptLarge(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(1100, tickets, files) // more than a statement takes on SQL Server
	if n := f.count("SELECT count(*) FROM link WHERE due_at IS NOT NULL"); n != 2*len(ids) {
		t.Errorf("%d links are due", n)
	}
}

func acceptNothing(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	got, err := f.db.Accept(t.Context(), intake.Batch{Server: "alpha"})
	if err != nil || len(got) != 0 {
		t.Errorf("%v: %v", got, err)
	}
	id := f.accept(nil, observe("a", alert.Open, "nobody subscribes"))[0].ID
	if d := f.detail(id); len(d.Links) != 0 {
		t.Errorf("links %+v", d.Links)
	}
}

func acceptTimeline(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	id := f.accept(to(tickets), observe("a", alert.Open, "one"))[0].ID
	f.accept(to(tickets), observe("a", alert.Open, "one"))
	f.accept(to(tickets), observe("a", alert.Open, "two"), observe("a", alert.Closed, "two"), observe("a", alert.Closed, "two"))
	if got := strings.Join(timeline(f, id), " "); got != "changed closed" {
		t.Errorf("timeline: %s", got)
	}
	events := must(f.db.Timeline(t.Context(), id))(t)
	if e := events[1]; e.Revision != 3 || e.Server != "alpha" || e.At.IsZero() || e.Connector != "" {
		t.Errorf("event %+v", e)
	}
}
