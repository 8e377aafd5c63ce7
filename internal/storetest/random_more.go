package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// record records any outcome under any claim ever made, in one batch.
func (m *model) record() {
	if len(m.claims) == 0 {
		return
	}
	claim := m.claims[len(m.claims)-1-m.IntN(min(3, len(m.claims)))]
	var entries []forward.Entry
	var want []alert.Recorded
	for _, id := range claim.links {
		l := m.links[id]
		o := m.outcome(l, claim.id)
		entries = append(entries, forward.Entry{Outcome: o})
		next, answer := l.Record(o)
		if answer == alert.Mine {
			l.waits = o.Delay > 0
		}
		l.Link = next
		want = append(want, answer)
	}
	m.say("record %+v", entries)
	got, err := m.db.Record(m.Context(), m.term, entries)
	if err != nil || !slices.Equal(got, want) {
		m.Errorf("recorded %v, the model says %v: %v", got, want, err)
	}
}

func (m *model) outcome(l *modelLink, claim alert.ClaimID) alert.Outcome {
	pick := func(texts ...string) string { return texts[m.IntN(len(texts))] }
	stages := []alert.Stage{alert.Fresh, alert.Uncertain, alert.Looked, alert.Verify, alert.Twins, alert.Settled, alert.Settled, alert.Settled}
	o := alert.Outcome{
		LinkID: l.LinkID, Claim: claim, Heard: pick("", "open", "resolved"), Answered: m.IntN(3) > 0,
		Progress: alert.Progress{
			Stage: stages[m.IntN(len(stages))], Ticket: pick("", "T-"+l.LinkID.Alert.String()[:4], "other"), TicketURL: pick("", "http://rt"),
			Told: pick("", "new"), Delivered: l.Wanted - int64(m.IntN(2)), NotesDelivered: int64(m.IntN(int(l.NotesWanted) + 1)),
			Attempts: m.IntN(4), Failure: pick("", "503"), Parked: pick("", "", "", "", "needs a person"), Skipped: pick("", "", "", "", "", "", "gone"),
		},
	}
	if o.Stage == alert.Twins {
		o.Twins = []string{"t1", "t2"}
	}
	if m.IntN(4) == 0 {
		o.Hold = alert.Hold{Epoch: m.term.Epoch, Until: m.term.Age() + time.Duration(m.IntN(30))*time.Second}
	}
	if m.IntN(5) == 0 {
		o.Delay = time.Hour
	}
	return o
}

// expire expires claims of earlier epochs and some of the term's own.
func (m *model) expire() {
	var stuck []alert.ClaimID
	for _, c := range m.claims {
		if m.IntN(3) == 0 {
			stuck = append(stuck, c.id)
		}
	}
	hold := alert.Hold{Epoch: m.term.Epoch, Until: m.term.Age()} // over at once, by the database's clock
	n, err := m.db.Expire(m.Context(), m.term, stuck, hold)
	m.say("expire %d", n)
	want := 0
	for id, l := range m.links {
		if id.Connector != tickets || l.Claim.ID == uuid.Nil || l.Claim.Epoch >= m.term.Epoch && !slices.Contains(stuck, l.Claim.ID) {
			continue
		}
		want++
		l.Link, l.waits = l.Expire(hold), false
	}
	if err != nil || n != want {
		m.Errorf("expired %d, the model says %d: %v", n, want, err)
	}
}

func (m *model) takeOver() {
	m.term = m.fixture.term(tickets, fmt.Sprint("server-", m.IntN(3)))
	m.say("epoch %d", m.term.Epoch)
}

// receive brings one piece of news about any link.
func (m *model) receive() {
	l := m.some()
	if l == nil || l.LinkID.Connector != tickets || l.Side != alert.Remote {
		return
	}
	group, err := m.db.Group(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	n := alert.News{ID: alert.NewID().String(), Key: alert.NewKey(group.ID, l.Connector, l.LinkID.Alert), State: []string{"", "open", "resolved"}[m.IntN(3)], Own: m.IntN(4) == 0}
	switch m.IntN(4) {
	case 0:
		n.Ticket = l.Ticket
	case 1:
		n.Ticket = "a twin"
	case 2:
		n.Assign = fmt.Sprint("A-", m.IntN(2))
	}
	m.say("news %+v", n)
	old, err := m.db.Bookmark(m.Context(), tickets, "poll")
	if err == nil {
		err = m.db.Receive(m.Context(), m.term, "poll", old, n.ID, []alert.News{n}, back)
	}
	if err != nil {
		m.Errorf("receive: %v", err)
	}
	if n.Assign == "" && n.Ticket != "" && l.Ticket != "" && n.Ticket != l.Ticket {
		return
	}
	next, fresh := l.Hear(n)
	l.Link = next
	if !fresh || n.Own || n.State != "resolved" {
		return
	}
	id := l.LinkID
	id.Side = alert.Source
	if m.links[id] == nil {
		m.links[id] = &modelLink{Link: l.Back()}
	}
	source := m.links[id]
	source.Link = source.Revise()
}

// suspect doubts any links.
func (m *model) suspect() {
	var ids []alert.ID
	want := 0
	for _, l := range m.sortedLinks() {
		if l.LinkID.Connector != tickets || l.Side != alert.Remote || m.IntN(2) == 0 {
			continue
		}
		ids = append(ids, l.LinkID.Alert)
		next, marked := l.Suspect()
		if marked {
			want++
		}
		l.Link = next
	}
	n, err := m.db.Doubtful(m.Context(), m.term, ids, time.Now().Add(time.Hour))
	m.say("suspect %v: %d", ids, n)
	if err != nil || n != want {
		m.Errorf("marked %d, the model says %d: %v", n, want, err)
	}
}

// unpark retries what is parked.
func (m *model) unpark() {
	want := 0
	for id, l := range m.links {
		if id.Connector == tickets && l.Parked != "" {
			l.Parked, l.Attempts, l.waits = "", 0, false
			want++
		}
	}
	n, err := m.db.Unpark(m.Context(), m.term, "needs")
	m.say("unpark %d", n)
	if err != nil || n != want {
		m.Errorf("unparked %d, the model says %d: %v", n, want, err)
	}
}

// adopt gives any claimed link the ticket of any other.
func (m *model) adopt() {
	mine, prev := m.some(), m.some()
	if mine == nil || prev == mine || mine.LinkID.Connector != prev.LinkID.Connector {
		return
	}
	claim := mine.Claim.ID
	if claim == uuid.Nil || m.IntN(4) == 0 {
		claim = alert.NewID()
	}
	want := mine.Claim.ID == claim && mine.Stage == alert.Fresh && prev.Yields()
	ok, err := m.db.Adopt(m.Context(), claim, mine.LinkID, prev.LinkID, "adopted")
	m.say("adopt %v by %v: %v", prev.LinkID, mine.LinkID, ok)
	if err != nil || ok != want {
		m.Errorf("adopted %v, the model says %v: %v", ok, want, err)
	}
	if want {
		mine.Stage, mine.Ticket, mine.TicketURL, mine.Told = alert.Settled, prev.Ticket, prev.TicketURL, prev.Told
		mine.Heard, mine.Delivered = prev.Heard, 0
		prev.Skipped = "adopted"
	}
}

// note makes a link want a note.
func (m *model) note() {
	l := m.some()
	if l == nil || l.Claim.ID == uuid.Nil {
		return
	}
	l.NotesWanted++
	m.exec("UPDATE link SET notes_wanted = notes_wanted + 1 WHERE alert_id = $1 AND connector = $2 AND side = $3",
		l.LinkID.Alert, l.LinkID.Connector, string(l.Side))
	m.exec("INSERT INTO note (alert_id, connector, side, seq, text, at) VALUES ($1, $2, $3, $4, 'note', 1)",
		l.LinkID.Alert, l.LinkID.Connector, string(l.Side), l.NotesWanted)
}

// doubt changes the database's history under the connector.
func (m *model) doubt() {
	m.exec("UPDATE lease SET identity = 'an older history' WHERE connector = $1", tickets)
	s, err := m.db.Coordinator().Open(m.Context(), "doubting", "doubting-boot")
	if err != nil {
		m.Fatalf("open a session: %v", err)
	}
	defer s.Close()
	if err := s.Doubt(m.Context(), tickets, m.term.Epoch, m.term.Identity); err != nil {
		m.Errorf("doubt: %v", err)
	}
	hold := alert.Hold{Epoch: m.term.Epoch + ha.EpochJump}
	for id, l := range m.links {
		if id.Connector == tickets {
			l.Link = l.Doubt(hold)
		}
	}
	m.say("doubt under epoch %d", hold.Epoch)
	m.takeOver()
}

// prune forgets what package alert says is over. Everything grows old for it,
// but what is due stays due.
func (m *model) prune() {
	m.age(100 * 24 * time.Hour)
	r, err := m.tryForget(m.term, nil)
	if err != nil {
		m.Fatalf("forget: %v", err)
	}
	gone := 0
	for id, a := range m.alerts {
		if a.Status != alert.Closed || !m.forgettable(id) {
			continue
		}
		if m.latest[a.Key] == id && m.noted[id] != a.Seen {
			m.noted[id] = a.Seen
			continue
		}
		gone++
		for _, side := range []alert.Side{alert.Remote, alert.Source} {
			delete(m.links, alert.LinkID{Connector: tickets, Alert: id, Side: side})
		}
		if !m.linked(id) {
			delete(m.alerts, id)
			if m.latest[a.Key] == id {
				delete(m.latest, a.Key)
			}
		}
	}
	for i := range m.claims { // what a claim of long ago tells of them is dropped
		m.claims[i].links = slices.DeleteFunc(m.claims[i].links, func(id alert.LinkID) bool { return m.links[id] == nil })
	}
	m.say("forgot %d alerts", gone)
	if r.Alerts != gone {
		m.Errorf("forgot %d alerts, the model says %d", r.Alerts, gone)
	}
}

// forgettable reports whether the connector tickets has no use for a closed
// alert, and has links to it or nobody has.
func (m *model) forgettable(id alert.ID) bool {
	mine := 0
	for l, link := range m.links {
		if l.Connector != tickets {
			continue
		}
		if l.Alert == id {
			mine++
			if !link.Finished() {
				return false
			}
		}
		fresh := link.Stage == alert.Fresh && link.Skipped == "" && l.Side == alert.Remote
		if fresh && m.alerts[l.Alert].Previous == id {
			return false
		}
	}
	return mine > 0 || !m.linked(id)
}

func (m *model) linked(id alert.ID) bool {
	for l := range m.links {
		if l.Alert == id {
			return true
		}
	}
	return false
}
