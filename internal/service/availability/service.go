package availability

import (
	"context"

	"tieline/internal/connector"
	"tieline/internal/ha"
	"tieline/internal/service/overview"
	"tieline/internal/store"
)

// Store is what availability needs of the database.
type Store interface {
	MoveFrom(ctx context.Context, seen []string, connector, server string, by int, who string) error
	WishFrom(ctx context.Context, seen *store.Standing, connector, server, who string) error
	RemoveServer(ctx context.Context, server, who string) error
	Document(ctx context.Context, connector string, version int64) (store.StoredDocument, error)
	SaveDocument(ctx context.Context, s store.SaveDocument) (store.StoredDocument, error)
	AvailabilityEvents(ctx context.Context, q store.HistoryQuery) ([]store.AvailabilityEvent, error)
	DocumentLog(ctx context.Context, q store.HistoryQuery) ([]store.StoredDocument, error)
	Wake(ctx context.Context, topics ...string)
}

// Documents is what the composition root knows of documents.
type Documents struct {
	Check    connector.Check
	Settings func(*connector.Document) ha.Settings
}

// Service changes availability. All methods may be called concurrently.
type Service struct {
	store     Store
	overview  *overview.Service
	documents Documents
}

// New returns a service over the store.
func New(db Store, o *overview.Service, d Documents) *Service {
	return &Service{store: db, overview: o, documents: d}
}

// Moved is what a change of the communication order came to.
type Moved struct {
	Connector string
	Server    string
	Before    []string
	After     []string
	Effect    string // whether anything will switch over because of it
}

// Move moves a server in a connector's communication order: by -1 up, by +1
// down, or further. seen is the OrderTag of the order it was decided on, "" = any.
// Errors are fault.NotFound for a server that is not in it, fault.Refused beyond
// its ends and fault.Conflict for an order that is another by now.
func (s *Service) Move(ctx context.Context, name, server string, by int, seen, who string) (Moved, error) {
	before, _, err := s.overview.Connector(ctx, name)
	if err != nil {
		return Moved{}, err
	}
	var order []string // that it must still be when it is changed
	if seen != "" {
		if order = before.Order(); seen != OrderTag(order) {
			return Moved{}, store.OrderChanged(name, order)
		}
	}
	if err := s.store.MoveFrom(ctx, order, name, server, by, who); err != nil {
		return Moved{}, err
	}
	after, _, err := s.overview.Connector(ctx, name)
	if err != nil {
		return Moved{}, err
	}
	return Moved{Connector: name, Server: server, Before: before.Order(), After: after.Order(), Effect: orderEffect(after)}, nil
}

// Handover returns what Make Active would do, or why it cannot be: fault.NotFound
// for a server that is not in the order, fault.Refused for one that is Offline,
// not eligible, or Active already.
func (s *Service) Handover(ctx context.Context, name, server string) (Handover, error) {
	c, _, err := s.overview.Connector(ctx, name)
	if err != nil {
		return Handover{}, err
	}
	return handover(c, server)
}

// MakeActive asks for a switchover to the server. It returns what will happen
// when the wish is stored; the Active hands over within moments. seen is the Tag
// of the Handover it was decided on, "" = any. Errors are those of Handover, and
// fault.Conflict where another server became Active since, or was asked to.
func (s *Service) MakeActive(ctx context.Context, name, server, seen, who string) (Handover, error) {
	c, _, err := s.overview.Connector(ctx, name)
	if err != nil {
		return Handover{}, err
	}
	var standing *store.Standing // that it must still be when it is stored
	if seen != "" {
		is, was := standingOf(c), standingBy(seen)
		if was != is {
			return Handover{}, store.StandingChanged(name, is, was)
		}
		standing = &is
	}
	h, err := handover(c, server)
	if err != nil {
		return Handover{}, err
	}
	return h, s.store.WishFrom(ctx, standing, name, server, who)
}

// Order returns a connector's servers in communication order.
func (s *Service) Order(ctx context.Context, name string) ([]string, error) {
	c, _, err := s.overview.Connector(ctx, name)
	return c.Order(), err
}

// Remove takes a server out of the management group. Errors are fault.NotFound,
// and fault.Refused for the last one and while it is Active: then a switchover
// was asked for, and it can be repeated when that is done.
func (s *Service) Remove(ctx context.Context, server, who string) error {
	return s.store.RemoveServer(ctx, server, who)
}
