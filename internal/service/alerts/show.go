package alerts

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/ha"
	"tieline/internal/store"
)

// Explained is an alert with an answer for every connector.
type Explained struct {
	alert.Alert
	Now    time.Time // by the database's clock
	Links  []Link    // remote before source, by connector
	Absent []Absence // connectors without a link, by name
	// Unexplained are the connectors besides that may take alerts from its source,
	// and were not looked into.
	Unexplained int
}

// Link is one of an alert's links with what a person asks about it.
type Link struct {
	store.LinkDetail
	Answer
	Headline     string // the answer in one line
	Subscription string // of the current document; "" = every alert of its sources, or not known
	Message      *Message
}

// Message is what the remote system is told of the alert at the next try, by the
// current document; Problem says why that cannot be told.
type Message struct {
	Version int64 // of the document
	alert.Draft
	Problem string
}

// Absence is a connector that does not forward the alert, and why.
type Absence struct {
	Connector string
	Why       string
	Listens   bool // it takes alerts from the alert's source
}

// Show returns an alert with its answers. The error is fault.NotFound when there
// is none.
func (s *Service) Show(ctx context.Context, id alert.ID) (*Explained, error) {
	return s.ShowSome(ctx, id, math.MaxInt)
}

// ShowSome is Show that says of so many connectors at most why they do not forward
// the alert, of those that hear its source: their documents alone are compiled.
func (s *Service) ShowSome(ctx context.Context, id alert.ID, most int) (*Explained, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	w, err := s.look(ctx, id)
	if err != nil {
		return nil, err
	}
	detail := w.detail
	w.about.alert = detail.Alert
	e := &Explained{Alert: detail.Alert, Now: w.about.now}
	linked, forwards := map[string]bool{}, map[string]bool{}
	for _, l := range detail.Links {
		linked[l.Connector] = true
		forwards[l.Connector] = forwards[l.Connector] || l.Side == alert.Remote
	}
	w.docs = s.compiledOf(w.stored, func(d store.StoredDocument) bool { return linked[d.Connector] })
	for _, l := range detail.Links {
		w.about.document, w.about.ticketState = w.docs[l.Connector], heard(detail.Links, l.Connector)
		e.Links = append(e.Links, w.link(l))
	}
	slices.SortStableFunc(e.Links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Side, b.Side))
	})
	w.stored = slices.DeleteFunc(w.stored, func(d store.StoredDocument) bool { return forwards[d.Connector] })
	s.explainAbsent(e, w.stored, most)
	return e, nil
}

// explainAbsent says why connectors do not forward the alert.
func (s *Service) explainAbsent(e *Explained, without []store.StoredDocument, most int) {
	looked := 0
	docs := s.compiledOf(without, func(d store.StoredDocument) bool {
		if !mayTake(d.Text, e.Source) {
			return false
		}
		looked++
		return looked <= most
	})
	for _, d := range without {
		k, compiled := docs[d.Connector]
		switch {
		case compiled:
			e.Absent = append(e.Absent, Absence{d.Connector, explainAbsent(e.Alert, k), k == nil || takes(k, e.Source)})
		case mayTake(d.Text, e.Source):
			e.Unexplained++
		default:
			e.Absent = append(e.Absent, Absence{d.Connector, deaf(e.Source), false})
		}
	}
}

// mayTake reports whether a document may list a source, as far as its text tells
// without being read: one that nowhere has the name, nor anything that YAML
// writes in another way, does not.
func mayTake(text, source string) bool {
	return strings.Contains(text, source) || strings.Contains(text, "\\")
}

// heard is the state of the alert's ticket for a connector, as last told by it.
func heard(links []store.LinkDetail, connector string) string {
	for _, l := range links {
		if l.Connector == connector && l.Side == alert.Remote {
			return l.Heard
		}
	}
	return ""
}

// world is an alert and what surrounds it.
type world struct {
	detail store.AlertDetail
	about  circumstances
	group  store.GroupInfo
	stored []store.StoredDocument
	docs   map[string]*connector.Compiled
}

// look reads an alert and what surrounds it.
func (s *Service) look(ctx context.Context, id alert.ID) (*world, error) {
	w := &world{}
	reads, ctx := errgroup.WithContext(ctx)
	reads.Go(func() (err error) { w.detail, err = s.store.Alert(ctx, id); return })
	reads.Go(func() (err error) { w.group, err = s.store.Group(ctx); return })
	reads.Go(func() (err error) { w.about.backlog, err = s.store.Backlog(ctx); return })
	reads.Go(func() (err error) { w.stored, _, err = s.store.Documents(ctx); return })
	reads.Go(func() error {
		glance, err := s.store.Glance(ctx)
		if err == nil {
			w.about.group = glance.Group
			w.about.now = glance.Now
			w.about.dead, err = s.dead(ctx, w.about.group.Servers)
		}
		return err
	})
	return w, reads.Wait()
}

// dead finds the servers whose presence nobody holds: their processes are gone.
func (s *Service) dead(ctx context.Context, servers []ha.Server) (map[string]bool, error) {
	names := make(map[string]string, len(servers))
	var presences []string
	for _, server := range servers {
		if server.Presence != "" && server.Boot != "" {
			names[server.Presence] = server.Name
			presences = append(presences, server.Presence)
		}
	}
	unheld, err := s.store.Unheld(ctx, presences)
	dead := map[string]bool{}
	for presence, gone := range unheld {
		if gone {
			dead[names[presence]] = true
		}
	}
	return dead, err
}

// link explains a link and says what is told to its remote.
func (w *world) link(l store.LinkDetail) Link {
	explained := Link{LinkDetail: l, Answer: explainLink(l, w.about)}
	explained.Headline = headline(l, explained.Answer, w.about)
	k := w.docs[l.Connector]
	if l.Side != alert.Remote || k == nil {
		return explained
	}
	explained.Subscription = k.Document().Subscription
	explained.Message = messageOf(k, w.version(l.Connector), &w.about.alert, &l.Link, w.group.ID)
	return explained
}

// messageOf is what a remote is told of an alert by a version of the document.
func messageOf(k *connector.Compiled, version int64, a *alert.Alert, l *alert.Link, group uuid.UUID) *Message {
	m := &Message{Version: version}
	draft, err := k.Draft(a, l, alert.NewKey(group, l.Connector, l.LinkID.Alert))
	m.Draft = draft
	if err != nil {
		m.Problem = err.Error()
	}
	return m
}

func (w *world) version(connector string) int64 {
	for _, d := range w.stored {
		if d.Connector == connector {
			return d.Version
		}
	}
	return 0
}
