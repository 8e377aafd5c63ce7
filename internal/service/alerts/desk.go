package alerts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"tieline/internal/access"
	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/intake"
	"tieline/internal/store"
)

// DeskLink is a parked link with what was sent of its alert, and what a retry
// would send.
type DeskLink struct {
	ParkedLink
	Tried   *Event   // what was sent last; nil where nothing was, and on the way back
	Message *Message // by the current document; nil where this program cannot read it, and on the way back
}

// Desk lists parked links, those of the newest alerts first.
func (s *Service) Desk(ctx context.Context, q ParkedQuery) ([]DeskLink, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	rows, err := s.store.Parked(ctx, q)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	r := &retries{}
	reads, ctx := errgroup.WithContext(ctx)
	reads.Go(func() (err error) { r.group, err = s.store.Group(ctx); return })
	reads.Go(func() (err error) { r.tried, err = s.store.Tried(ctx, alertsOf(rows)); return })
	reads.Go(func() (err error) { r.versions, r.docs, err = s.some(ctx, connectorsOf(rows)); return })
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	list := make([]DeskLink, len(rows))
	for i, row := range rows {
		list[i] = r.link(row)
	}
	return list, nil
}

// ParkedSet tells what a filter finds of the desk on all of its pages, with the
// tag that a decision about all of it is made on (DeskRequest.SeenAll).
func (s *Service) ParkedSet(ctx context.Context, q ParkedQuery) (ParkedSet, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	return s.store.ParkedSet(ctx, q)
}

// retries are what surrounds links that may be tried again.
type retries struct {
	group    store.GroupInfo
	tried    map[alert.LinkID]Event
	versions map[string]int64 // of documents, by connector
	docs     map[string]*connector.Compiled
}

func (r *retries) link(row ParkedLink) DeskLink {
	l := DeskLink{ParkedLink: row}
	if e, ok := r.tried[row.LinkID]; ok {
		l.Tried = &e
	}
	if k := r.docs[row.Connector]; k != nil && row.Side == alert.Remote {
		l.Message = messageOf(k, r.versions[row.Connector], &row.Of, &row.Link, r.group.ID)
	}
	return l
}

func alertsOf(rows []ParkedLink) []alert.ID {
	ids := make([]alert.ID, len(rows))
	for i, row := range rows {
		ids[i] = row.Link.Alert
	}
	return ids
}

// connectorsOf are the connectors of links, each once.
func connectorsOf(rows []ParkedLink) []string {
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Connector
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Underway is how many links are due, wait for their next try or are being sent:
// of a connector, or of all where it is "".
func (s *Service) Underway(ctx context.Context, connector string) (int64, error) {
	backlog, err := s.store.Backlog(ctx)
	var n int64
	for name, b := range backlog {
		if connector == "" || connector == name {
			n += b.Due + b.Claimed
		}
	}
	return n, err
}

// Forwards returns fault.NotFound where a connector has no link for an alert to its
// remote system: there is nothing to retry, to give up or to take up then.
func (s *Service) Forwards(ctx context.Context, id alert.ID, connector string) error {
	a, err := s.store.Alert(ctx, id)
	if err != nil {
		return err
	}
	for _, l := range a.Links {
		if l.Connector == connector && l.Side == alert.Remote {
			return nil
		}
	}
	return fault.New(fault.NotFound, fmt.Sprintf("no connector %q forwards alert %s", connector, id)).
		WithNext("The alert lists those that do.")
}

// Retry makes an alert's links due now, parked or waiting, and returns how many;
// connector "" is all. seen is the tag of the connector's link to its remote system
// that it was decided on, "" = any. Errors are fault.NotFound for a connector that
// does not forward the alert, and fault.Conflict where the link is another by now.
func (s *Service) Retry(ctx context.Context, who, connector string, id alert.ID, seen string) (int, error) {
	if connector != "" {
		if err := s.Forwards(ctx, id, connector); err != nil {
			return 0, err
		}
	}
	r := store.RetryRequest{Connector: connector, Alerts: []alert.ID{id}, Who: who, Seen: Saw(alert.LinkID{Connector: connector, Alert: id, Side: alert.Remote}, seen)}
	n, err := s.store.Retry(ctx, r)
	if err == nil && n == 0 {
		access.NothingChanged(ctx)
	}
	if err != nil || n == 0 {
		return n, err
	}
	names := []string{connector}
	if connector == "" {
		if names, err = s.connectors(ctx, id); err != nil {
			return n, err
		}
	}
	s.wake(ctx, names)
	return n, nil
}

// ErrChanged is the cause of the fault.Conflict about a link that is not as it was
// seen.
var ErrChanged = store.ErrChanged

// Saw is what was seen of one link: its tag, "" = nothing.
func Saw(id alert.LinkID, tag string) store.Seen {
	if tag == "" {
		return nil
	}
	return store.Seen{id: tag}
}

// connectors are those that forward an alert.
func (s *Service) connectors(ctx context.Context, id alert.ID) ([]string, error) {
	a, err := s.store.Alert(ctx, id)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, l := range a.Links {
		names = append(names, l.Connector)
	}
	return names, nil
}

// RetryParked makes parked links due now and returns how many. Of all that a
// filter finds, no tag is demanded: a link that was parked after somebody looked is
// only sent again like the others, and what is refused again comes back.
func (s *Service) RetryParked(ctx context.Context, r DeskRequest) (int, error) {
	if err := s.chosen(ctx, r); err != nil {
		return 0, err
	}
	n, work, err := s.store.RetryParked(ctx, r)
	if err == nil && n == 0 {
		access.NothingChanged(ctx)
	}
	s.wake(ctx, work)
	return n, err
}

// GiveUp ends parked links for good and returns how many: those alone that have
// no ticket and never will. The error is fault.Conflict where there was none, and
// where what it was decided on (r.Seen, r.SeenAll) is another by now: what is given
// up is not sent any more, so whoever calls for a person demands the tags, of all
// that a filter finds as of single links.
func (s *Service) GiveUp(ctx context.Context, r DeskRequest, reason string) (int, error) {
	if err := s.chosen(ctx, r); err != nil {
		return 0, err
	}
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return 0, fault.InvalidInput("giving up needs a reason", []fault.Problem{{Path: "reason", Message: "say why nothing is to be sent"}})
	}
	n, err := s.store.GiveUp(ctx, r, reason)
	if err == nil && n == 0 {
		return 0, fault.New(fault.Conflict, "none of them can be given up: each has a ticket, or may have one, or is parked no more").
			WithNext("Retry what may have a ticket: it is looked for first.")
	}
	return n, err
}

// chosen checks that a request says which links it is about.
func (s *Service) chosen(ctx context.Context, r DeskRequest) error {
	switch {
	case len(r.Links) == 0 && !r.All:
		return fault.New(fault.Invalid, "no parked link is named").WithNext("Name those that are meant, or ask for all that a filter finds.")
	case len(r.Links) > 0 && r.All:
		return fault.New(fault.Invalid, "parked links are named, and all of a filter asked for").WithNext("Ask for the one or the other.")
	}
	return s.CheckFilter(ctx, r.Connector)
}

// CheckFilter checks that the connector of a filter is there; "" = there is none in
// it. The error is fault.NotFound where it is not: whoever mistypes a name must not
// read that all is well with it.
func (s *Service) CheckFilter(ctx context.Context, connector string) error {
	if connector == "" {
		return nil
	}
	docs, err := s.store.DocumentsOf(ctx, []string{connector})
	if err == nil && len(docs) == 0 {
		err = fault.New(fault.NotFound, fmt.Sprintf("there is no connector %q", connector)).WithNext("The overview lists those there are.")
	}
	return err
}

// TakeUp makes what was given up due again. seen is the link's tag that it was
// decided on, "" = any. The error is fault.NotFound where there is no such link.
func (s *Service) TakeUp(ctx context.Context, who string, id alert.LinkID, seen string) error {
	if err := s.Forwards(ctx, id.Alert, id.Connector); err != nil {
		return err
	}
	if err := s.store.TakeUpSeen(ctx, Saw(id, seen), id, who); err != nil {
		return err
	}
	s.wake(ctx, []string{id.Connector})
	return nil
}

// mostField bounds an edited field, in bytes.
const mostField = 64 << 10

// Edit sets fields of an alert (alert.Edits), if it still has the revision that
// the person saw (0 = whatever it has), and returns it as it is then.
func (s *Service) Edit(ctx context.Context, who string, id alert.ID, revision int64, values map[string]string) (alert.Alert, error) {
	var problems []fault.Problem
	for name, value := range values {
		if len(value) > mostField {
			problems = append(problems, fault.Problem{Path: name, Message: fmt.Sprintf("is longer than %d bytes", mostField)})
		}
	}
	if err := fault.InvalidInput("the alert cannot be edited so", problems); err != nil {
		return alert.Alert{}, err
	}
	table, err := s.table(ctx)
	if err != nil {
		return alert.Alert{}, err
	}
	a, work, err := s.store.EditAlert(ctx, store.AlertEdit{
		Alert: id, Revision: revision, Values: values, Who: who, Generation: stampOf(table), Route: table.Route,
	})
	if err == nil && revision != 0 && a.Revision == revision {
		access.NothingChanged(ctx)
	}
	s.wake(ctx, work)
	return a, err
}

// stampOf is the generation an alert is evaluated with: an older one where this
// program cannot read some document, so that a server that can evaluates it again.
func stampOf(t *intake.Table) int64 {
	if len(t.Broken) > 0 {
		return t.Generation - 1
	}
	return t.Generation
}

func (s *Service) wake(ctx context.Context, connectors []string) {
	if len(connectors) == 0 {
		return
	}
	topics := make([]string, len(connectors))
	for i, name := range connectors {
		topics[i] = store.TopicWork(name)
	}
	s.store.Wake(ctx, topics...)
}

// MayGiveUp reports whether a parked link can be given up: no ticket exists for
// it, and none can.
func MayGiveUp(l alert.Link) bool {
	_, ok := l.GiveUp("", "")
	return ok && forward.CauseOf(l.Parked) != forward.CauseOther
}
