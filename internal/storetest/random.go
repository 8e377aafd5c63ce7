package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/store"
)

var random = map[string]func(*testing.T, Fresh){
	"random/operations, seed 1":     func(t *testing.T, fresh Fresh) { randomOperations(t, fresh, 1) },
	"random/operations, seed 2":     func(t *testing.T, fresh Fresh) { randomOperations(t, fresh, 2) },
	"random/operations, a new seed": func(t *testing.T, fresh Fresh) { randomOperations(t, fresh, rand.Uint64()) },
}

// steps of one run.
const steps = 300

// model is the database as package alert's pure functions make it. Every
// operation is done to both, and both are compared after each.
type model struct {
	*fixture
	*rand.Rand
	term   ha.Term
	latest map[string]alert.ID
	alerts map[alert.ID]alert.Alert
	links  map[alert.LinkID]*modelLink
	claims []heldClaim        // every claim ever made
	noted  map[alert.ID]int64 // how often old alerts were seen when that was last noted
	log    []string
}

// modelLink is a link with whether it waits for a time that the run never reaches.
type modelLink struct {
	alert.Link
	waits bool
}

type heldClaim struct {
	id    alert.ClaimID
	links []alert.LinkID
}

// randomOperations is the differential test: the statements do exactly what
// the pure functions do.
func randomOperations(t *testing.T, fresh Fresh, seed uint64) {
	f := setup(t, fresh)
	m := &model{
		fixture: f, Rand: rand.New(rand.NewPCG(seed, seed)), term: f.term(tickets, "alpha"),
		latest: map[string]alert.ID{}, alerts: map[alert.ID]alert.Alert{}, links: map[alert.LinkID]*modelLink{},
		noted: map[alert.ID]int64{},
	}
	operations := []struct {
		weight int
		do     func()
	}{
		{10, m.accept}, {10, m.claim}, {12, m.record}, {2, m.expire}, {1, m.takeOver}, {4, m.receive},
		{2, m.suspect}, {2, m.unpark}, {2, m.adopt}, {1, m.note}, {1, m.doubt}, {1, m.prune},
	}
	var deck []func()
	for _, o := range operations {
		deck = append(deck, slices.Repeat([]func(){o.do}, o.weight)...)
	}
	for step := range steps {
		f.clock.boot += time.Duration(m.IntN(10)) * time.Second
		deck[m.IntN(len(deck))]()
		m.compare()
		if t.Failed() {
			for _, line := range m.log[max(0, len(m.log)-6):] {
				t.Log(line)
			}
			t.Fatalf("seed %d, step %d", seed, step)
		}
	}
}

func (m *model) say(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

// compare reads every link and holds it against the model's.
func (m *model) compare() {
	m.Helper()
	list, err := m.db.Alerts(m.Context(), store.AlertQuery{Limit: 1000})
	if err != nil || len(list) != len(m.alerts) {
		m.Fatalf("%d alerts are stored, the model has %d: %v", len(list), len(m.alerts), err)
	}
	due, found := m.due(), 0
	for _, got := range list {
		if a := m.alerts[got.ID]; got.Revision != a.Revision || got.Status != a.Status || got.Seen != a.Seen || !got.Content.Equal(a.Content) {
			m.Errorf("alert %+v, the model has %+v", got.Alert, a)
		}
		for _, l := range got.Links {
			found++
			want := m.links[l.LinkID]
			if want == nil || !same(l, want.Link) {
				m.Errorf("link\n %+v\nthe model has\n %+v", l, want)
				continue
			}
			isDue := want.Due() && want.Claim.ID == uuid.Nil
			if isDue != due[l.LinkID] {
				m.Errorf("link %+v has a due time: %v", l, due[l.LinkID])
			}
			want.waits = want.waits && isDue
		}
	}
	if found != len(m.links) {
		m.Errorf("%d links are stored, the model has %d", found, len(m.links))
	}
}

// due returns which links have a due time.
func (m *model) due() map[alert.LinkID]bool {
	m.Helper()
	due := map[alert.LinkID]bool{}
	rows, err := m.raw.QueryContext(m.Context(), "SELECT alert_id, connector, side FROM link WHERE due_at IS NOT NULL")
	if err != nil {
		m.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id alert.LinkID
		if err := rows.Scan(&id.Alert, &id.Connector, &id.Side); err != nil {
			m.Fatal(err)
		}
		due[id] = true
	}
	if err := rows.Err(); err != nil {
		m.Fatal(err)
	}
	return due
}

// sortedLinks gives the model's links an order that a seed repeats. Ids are
// random, so it is made of what the run chose.
func (m *model) sortedLinks() []*modelLink {
	links := slices.Collect(maps.Values(m.links))
	slices.SortFunc(links, func(a, b *modelLink) int { return slices.Compare([]byte(m.name(a)), []byte(m.name(b))) })
	return links
}

func (m *model) name(l *modelLink) string {
	a := m.alerts[l.LinkID.Alert]
	return fmt.Sprint(a.Key, a.Revision, l.LinkID.Connector, l.Side, l.LinkID.Alert)
}

func (m *model) some() *modelLink {
	if len(m.links) == 0 {
		return nil
	}
	links := m.sortedLinks()
	return links[m.IntN(len(links))]
}

// accept takes in some observations of few problems.
func (m *model) accept() {
	skip, connectors := m.IntN(4) == 0, [][]string{{tickets}, {files}, {tickets, files}, nil}[m.IntN(4)]
	route := func(a *alert.Alert) []intake.Routing {
		rs := to(connectors...)(a)
		for i := range rs {
			if a.Status == alert.Closed && skip {
				rs[i].Skip = "closed unsent"
			}
		}
		return rs
	}
	var os []alert.Observation
	for range 1 + m.IntN(4) {
		os = append(os, observe(fmt.Sprint("key-", m.IntN(5)), []alert.Status{alert.Open, alert.Open, alert.Closed}[m.IntN(3)], fmt.Sprint("text ", m.IntN(3))))
	}
	answers := m.fixture.accept(route, os...)
	m.say("accept %+v to %v, skip %v", os, connectors, skip)
	// The store takes problems in an order of its own, which must not matter.
	for i, o := range os {
		var latest *alert.Alert
		if id, ok := m.latest[o.Key]; ok {
			a := m.alerts[id]
			latest = &a
		}
		next, change := alert.Apply(latest, o)
		if next.ID == uuid.Nil {
			next.ID = answers[i].ID
		}
		if answers[i].Change != change || answers[i].ID != next.ID {
			m.Errorf("observation %d: %+v, the model says %s", i, answers[i], change)
		}
		m.latest[o.Key], m.alerts[next.ID] = next.ID, next
		if change.Grew() {
			m.want(&next, route(&next))
		}
	}
}

// want makes links want an alert's revision: those that it is routed to, and
// those that are there.
func (m *model) want(a *alert.Alert, routes []intake.Routing) {
	for _, r := range routes {
		id := alert.LinkID{Connector: r.Connector, Alert: a.ID, Side: alert.Remote}
		l := m.links[id]
		if l == nil {
			l = &modelLink{Link: alert.NewLink(id, a.Revision)}
			m.links[id] = l
		}
		if l.Stage == alert.Fresh && l.Claim.ID == uuid.Nil && l.Parked == "" && l.Skipped == "" {
			l.Skipped = r.Skip
		}
	}
	for id, l := range m.links {
		if id.Alert == a.ID && id.Side == alert.Remote {
			l.Link = l.Want(a.Revision)
		}
		if id.Alert == a.ID && id.Side == alert.Source && a.Status == alert.Closed {
			l.Link = l.Revise()
		}
	}
}

// claim claims for the term, with any view of it.
func (m *model) claim() {
	r := forward.ClaimRequest{
		Term: m.term, Claim: alert.NewID(), Limit: 1 + m.IntN(4),
		View: alert.TermView{Epoch: m.term.Epoch, Age: m.term.Age(), Swept: m.IntN(2) == 0},
	}
	n, err := m.db.Claim(m.Context(), r)
	if err != nil {
		m.Errorf("claim: %v", err)
		return
	}
	works, err := m.db.Claimed(m.Context(), tickets, r.Claim)
	if err != nil || len(works) != n {
		m.Errorf("claimed %d, read %d: %v", n, len(works), err)
		return
	}
	m.say("claim %s took %d: %+v", r.Claim, n, r.View)
	can := 0
	for id, l := range m.links {
		if id.Connector == tickets && !l.waits && l.Claimable(r.View) {
			can++
		}
	}
	if n != min(can, r.Limit) {
		m.Errorf("claimed %d of %d that may be claimed, limit %d", n, can, r.Limit)
	}
	held := heldClaim{id: r.Claim}
	for _, w := range works {
		l := m.links[w.Link.LinkID]
		if l.waits || !l.Claimable(r.View) {
			m.Errorf("claimed %+v in view %+v", l, r.View)
		}
		l.Link = l.WithClaim(alert.Claim{ID: r.Claim, Epoch: m.term.Epoch})
		held.links = append(held.links, w.Link.LinkID)
	}
	m.claims = append(m.claims, held)
}
