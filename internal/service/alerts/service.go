package alerts

import (
	"context"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/store"
)

// Store is what the service needs of the database.
type Store interface {
	SearchAlerts(ctx context.Context, q store.AlertQuery) (store.AlertPage, error)
	Alert(ctx context.Context, id alert.ID) (store.AlertDetail, error)
	FindAlert(ctx context.Context, text string) (alert.ID, error)
	Timeline(ctx context.Context, id alert.ID) ([]store.TimelineEvent, error)
	Matches(ctx context.Context, id alert.ID) ([]store.Match, error)
	Surroundings
	Desk
	// Wake tells the servers that there is work.
	Wake(ctx context.Context, topics ...string)
}

// Surroundings are what the answer about an alert depends on besides it.
type Surroundings interface {
	Group(ctx context.Context) (store.GroupInfo, error)
	Glance(ctx context.Context) (store.Glance, error)
	Backlog(ctx context.Context) (map[string]store.Backlog, error)
	Documents(ctx context.Context) (docs []store.StoredDocument, generation int64, err error)
	DocumentsOf(ctx context.Context, connectors []string) ([]store.StoredDocument, error)
	// Unheld returns which of the presences nobody holds.
	Unheld(ctx context.Context, presences []string) (map[string]bool, error)
}

// Desk is what people change.
type Desk interface {
	Parked(ctx context.Context, q store.ParkedQuery) ([]store.ParkedLink, error)
	ParkedSet(ctx context.Context, q store.ParkedQuery) (store.ParkedSet, error)
	Tried(ctx context.Context, alerts []alert.ID) (map[alert.LinkID]store.TimelineEvent, error)
	Retry(ctx context.Context, r store.RetryRequest) (int, error)
	RetryParked(ctx context.Context, r store.DeskRequest) (n int, work []string, err error)
	GiveUp(ctx context.Context, r store.DeskRequest, reason string) (int, error)
	TakeUpSeen(ctx context.Context, seen store.Seen, id alert.LinkID, who string) error
	EditAlert(ctx context.Context, e store.AlertEdit) (a alert.Alert, work []string, err error)
}

// What the methods are asked with and answer with is the store's.
type (
	Query       = store.AlertQuery
	Cursor      = store.Cursor
	Row         = store.AlertRow
	Page        = store.AlertPage
	ParkedQuery = store.ParkedQuery
	ParkedLink  = store.ParkedLink
	ParkedSet   = store.ParkedSet
	DeskRequest = store.DeskRequest
	Event       = store.TimelineEvent
)

// Service answers about alerts. All methods may be called concurrently.
type Service struct {
	store  Store
	checks []connector.Check

	mu       sync.Mutex
	compiled map[string]compiled // by connector, of the versions last seen
}

// New returns a service. The checks are those of the adapters that are built in:
// a document that fails them cannot be read by this program.
func New(db Store, checks ...connector.Check) *Service {
	return &Service{store: db, checks: checks, compiled: map[string]compiled{}}
}

// readTime bounds what is read for one page.
const readTime = 10 * time.Second

// OverdueAfter is how long a link could have been claimed before it is overdue:
// long enough for a switchover and a send, too short to get used to.
const OverdueAfter = time.Minute

// List returns one page of alerts, the newest first. A search by text reads so
// much at most: its page may be short and have a next one all the same.
func (s *Service) List(ctx context.Context, q Query) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	return s.store.SearchAlerts(ctx, q)
}

// Find returns the id of the alert that a text names: its id, enough of its
// beginning, or a ticket id (store.DB.FindAlert).
func (s *Service) Find(ctx context.Context, text string) (alert.ID, error) {
	return s.store.FindAlert(ctx, text)
}
