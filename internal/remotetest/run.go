package remotetest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// Harness tells the suite how to get at an adapter.
type Harness struct {
	// Working returns an adapter on a remote that works. Tickets of other tests
	// may be there; keys are never the same.
	Working func(t *testing.T) remote.Adapter
	// Broken returns an adapter of the same settings at endpoints of the suite's,
	// which misbehave; nil for an adapter that does not speak HTTP.
	Broken func(t *testing.T, timeout time.Duration, endpoints ...string) remote.Adapter
	// Prelude answers the reads which the adapter makes before it writes, for
	// ticket "7" which has another subject; nil when it makes none.
	Prelude http.Handler
	// Secrets are the credentials that the adapters were given.
	Secrets []string
	// Open and Closed are states of an open and of a closed ticket.
	Open, Closed string
	// Missing is the id of a ticket that does not exist; "" = cannot be told.
	Missing string
	// Fields are remote fields that a draft may set, with a value.
	Fields map[string]string
	// Notes reads a ticket's notes back; nil = cannot be read.
	Notes func(t *testing.T, ticket string, k alert.Key) []string
	// NotesOnce: a note told twice is there once.
	NotesOnce bool
}

// patience bounds a call of a working remote; no test fails by being slower.
const patience = 2 * time.Minute

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Run("working", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *bench){
			"probe":    testProbe,
			"create":   testCreate,
			"update":   testUpdate,
			"state":    testState,
			"comment":  testComment,
			"hostile":  testHostileTexts,
			"gone":     testGone,
			"look":     testLook,
			"merge":    testMerge,
			"note":     testNote,
			"news":     testNews,
			"list":     testList,
			"canceled": testCanceled,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // a real remote takes its time
				test(t, newBench(t, h))
			})
		}
	})
	if h.Broken != nil {
		t.Run("broken", func(t *testing.T) { runBroken(t, h) })
	}
}

func testProbe(t *testing.T, b *bench) { b.must(t, b.Probe(b.ctx)) }

func testCreate(t *testing.T, b *bench) {
	ticket := b.create(t)
	if later := b.Traits().TicketLater; later != (ticket.ID == "") {
		t.Errorf("ticket id %q although TicketLater is %v", ticket.ID, later)
	}
	if !ticket.Open {
		t.Error("a new ticket is not open")
	}
	b.same(t, ticket.ID, b.draft(1))
}

// same checks that a ticket shows a draft, where that can be read.
func (b *bench) same(t *testing.T, ticket string, d alert.Draft) {
	t.Helper()
	c, ok := b.Adapter.(remote.Comparer)
	if !ok {
		return
	}
	d.Comment = ""
	_, differs, err := c.Compare(b.ctx, ticket, d)
	b.must(t, err)
	if len(differs) > 0 {
		t.Errorf("the ticket does not show %v", differs)
	}
}

func testUpdate(t *testing.T, b *bench) {
	ticket := b.create(t)
	d := b.draft(2)
	d.Subject, d.Severity = "disk full on db1 and db2", "major"
	if c, ok := b.Adapter.(remote.Comparer); ok {
		_, differs, err := c.Compare(b.ctx, ticket.ID, d)
		b.must(t, err)
		if len(differs) == 0 {
			t.Error("the old ticket is said to show the new draft")
		}
	}
	for range 2 { // the second changes nothing
		updated, err := b.Update(b.ctx, ticket.ID, d)
		b.must(t, err)
		if updated.ID != ticket.ID {
			t.Errorf("the update of ticket %q gave %q", ticket.ID, updated.ID)
		}
		b.same(t, ticket.ID, d)
	}
}

func testState(t *testing.T, b *bench) {
	ticket := b.create(t)
	for i, state := range []string{b.Closed, b.Open} {
		d := b.draft(int64(i + 2))
		d.State = state
		updated, err := b.Update(b.ctx, ticket.ID, d)
		b.must(t, err)
		if updated.State != state || updated.Open != (state == b.Open) {
			t.Errorf("asked for %s, the ticket is %s, open %v", state, updated.State, updated.Open)
		}
		b.same(t, ticket.ID, d)
	}
}

func testComment(t *testing.T, b *bench) {
	ticket := b.create(t)
	d := b.draft(2)
	d.Comment = "The alert fired again."
	for range 2 {
		_, err := b.Update(b.ctx, ticket.ID, d)
		b.must(t, err)
	}
	b.same(t, ticket.ID, d)
}

func testHostileTexts(t *testing.T, b *bench) {
	d := b.draft(1)
	d.Subject = "  tab\there 'quoted' \"twice\" \\ <b>&amp;</b> \x00\x01 \xff {{ .Key }} ${x} 火 " + strings.Repeat("long ", 80)
	d.Body = strings.Repeat("x", 5000) + "\r\n\x00end]]>"
	d.Severity = "crit'ical"
	d.RefersTo = "no such/../ticket"
	ticket, err := b.Create(b.ctx, d)
	b.must(t, err)
	d.Revision = 2
	_, err = b.Update(b.ctx, ticket.ID, d)
	b.must(t, err)
}

func testGone(t *testing.T, b *bench) {
	if b.Missing == "" {
		return // the remote cannot tell
	}
	_, err := b.Update(b.ctx, b.Missing, b.draft(2))
	f := failure(t, err, b.Secrets)
	if f.Class != remote.Permanent || !errors.Is(f, remote.ErrGone) {
		t.Errorf("updating a ticket that does not exist: %v, %v", f.Class, f)
	}
	if n, ok := b.Adapter.(remote.Noter); ok {
		f := failure(t, n.Note(b.ctx, b.Missing, b.key, alert.Note{Seq: 1, Text: "x"}), b.Secrets)
		if !errors.Is(f, remote.ErrGone) {
			t.Errorf("a note on a ticket that does not exist: %v", f)
		}
	}
	// A ticket id from a damaged message must lead nowhere else.
	_, err = b.Update(b.ctx, "../../admin?x=1#", b.draft(2))
	if f := failure(t, err, b.Secrets); f.Class != remote.Permanent {
		t.Errorf("an impossible ticket id: %v", f)
	}
}

func testLook(t *testing.T, b *bench) {
	l, ok := b.Adapter.(remote.Looker)
	if !ok {
		return
	}
	for _, k := range []alert.Key{b.key, `it's "here" \' OR id > 0 OR 'a'='a`, "%", ""} {
		found, err := l.Look(b.ctx, k)
		b.must(t, err)
		if len(found) != 0 {
			t.Errorf("key %q has %d tickets before any was made", k, len(found))
		}
	}
	ticket := b.create(t)
	d := b.draft(2)
	d.State = b.Closed
	_, err := b.Update(b.ctx, ticket.ID, d)
	b.must(t, err)
	found, err := l.Look(b.ctx, b.key)
	b.must(t, err)
	if len(found) != 1 || found[0].ID != ticket.ID || found[0].Open || found[0].State != b.Closed {
		t.Errorf("looking for the closed ticket %s found %+v", ticket.ID, found)
	}
}

func testMerge(t *testing.T, b *bench) {
	m, ok := b.Adapter.(remote.Merger)
	if !ok {
		return
	}
	l, ok := b.Adapter.(remote.Looker)
	if !ok {
		t.Fatal("an adapter that merges twins must find them")
	}
	survivor, twin := b.create(t), b.create(t)
	found, err := l.Look(b.ctx, b.key)
	b.must(t, err)
	if len(found) != 2 || found[0].ID != survivor.ID || found[1].ID != twin.ID {
		t.Fatalf("want %s and %s in the order of creation, found %+v", survivor.ID, twin.ID, found)
	}
	for range 2 {
		b.must(t, m.Merge(b.ctx, survivor.ID, twin.ID))
	}
	found, err = l.Look(b.ctx, b.key)
	b.must(t, err)
	found = slices.DeleteFunc(found, func(t alert.Ticket) bool { return !t.Open })
	if len(found) != 1 || found[0].ID != survivor.ID {
		t.Errorf("after merging, open are %+v", found)
	}
	if b.Missing != "" {
		f := failure(t, m.Merge(b.ctx, b.Missing, survivor.ID), b.Secrets)
		if f.Class != remote.Permanent {
			t.Errorf("merging into a ticket that does not exist: %v", f)
		}
	}
}

func testNote(t *testing.T, b *bench) {
	n, ok := b.Adapter.(remote.Noter)
	if !ok {
		return
	}
	ticket := b.create(t)
	note := func(seq int64, text string) {
		b.must(t, n.Note(b.ctx, ticket.ID, b.key, alert.Note{Seq: seq, Text: text, At: time.Now()}))
	}
	note(1, "kim acknowledged it")
	note(2, "it's a disk")
	note(2, "it's a disk")
	if b.Notes == nil {
		return
	}
	want := []string{"kim acknowledged it", "it's a disk"}
	got := b.Notes(t, ticket.ID, b.key)
	if !b.NotesOnce {
		got = slices.Compact(got)
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes are %q, want %q", got, want)
	}
}

func testNews(t *testing.T, b *bench) {
	p, ok := b.Adapter.(remote.Poller)
	if !ok {
		return
	}
	first := b.create(t)
	news, mark, err := p.News(b.ctx, "")
	b.must(t, err)
	if len(news) != 0 || mark == "" {
		t.Errorf("from now on: %d news, bookmark %q", len(news), mark)
	}
	d := b.draft(2)
	d.State = b.Closed
	_, err = b.Update(b.ctx, first.ID, d)
	b.must(t, err)
	for range 2 {
		news, next, err := p.News(b.ctx, mark)
		b.must(t, err)
		for _, n := range news {
			if n.ID == "" || n.Ticket == "" && n.Key == "" {
				t.Errorf("news without a name or a ticket: %+v", n)
			}
			if (n.Ticket == first.ID && first.ID != "" || n.Key == b.key) && !n.Own {
				t.Errorf("our own change came back as another's: %+v", n)
			}
		}
		again, _, err := p.News(b.ctx, mark)
		b.must(t, err)
		if len(again) < len(news) {
			t.Errorf("the same bookmark gave %d news, then %d", len(news), len(again))
		}
		mark = next
	}
	_, _, err = p.News(b.ctx, "damaged!")
	failure(t, err, b.Secrets)
}

func testList(t *testing.T, b *bench) {
	l, ok := b.Adapter.(remote.Lister)
	if !ok {
		return
	}
	ticket := b.create(t)
	seen := map[string]alert.Key{}
	for at, n := "", 0; ; n++ {
		list, next, err := l.List(b.ctx, at)
		b.must(t, err)
		for _, x := range list {
			seen[x.ID] = x.Key
		}
		if next == "" {
			break
		}
		if next == at || n > 10000 {
			t.Fatal("the listing does not end")
		}
		at = next
	}
	if seen[ticket.ID] != b.key {
		t.Errorf("the listing does not have ticket %s under its key", ticket.ID)
	}
}

func testCanceled(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.Create(ctx, b.draft(1))
	f := failure(t, err, b.Secrets)
	if f.Class != remote.Retry || f.Connect {
		t.Errorf("a call that was ended before it began: %v, connect %v", f.Class, f.Connect)
	}
}
