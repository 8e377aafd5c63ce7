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
	Move(ctx context.Context, connector, server string, by int, who string) error
	Wish(ctx context.Context, connector, server, who string) error
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
// down, or further. Errors are fault.NotFound for a server that is not in it and
// fault.Refused beyond its ends.
func (s *Service) Move(ctx context.Context, name, server string, by int, who string) (Moved, error) {
	before, _, err := s.overview.Connector(ctx, name)
	if err != nil {
		return Moved{}, err
	}
	if err := s.store.Move(ctx, name, server, by, who); err != nil {
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
// when the wish is stored; the Active hands over within moments.
func (s *Service) MakeActive(ctx context.Context, name, server, who string) (Handover, error) {
	h, err := s.Handover(ctx, name, server)
	if err != nil {
		return Handover{}, err
	}
	return h, s.store.Wish(ctx, name, server, who)
}

// Remove takes a server out of the management group. Errors are fault.NotFound,
// and fault.Refused for the last one and while it is Active: then a switchover
// was asked for, and it can be repeated when that is done.
func (s *Service) Remove(ctx context.Context, server, who string) error {
	return s.store.RemoveServer(ctx, server, who)
}
