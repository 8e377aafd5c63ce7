package documents

import (
	"context"
	"fmt"
	"time"

	"tieline/internal/access"
	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/remote"
	"tieline/internal/secret"
	"tieline/internal/store"
)

// Store is what documents need of the database.
type Store interface {
	Group(ctx context.Context) (store.GroupInfo, error)
	ReadGroup(ctx context.Context) (ha.Group, error)
	ServerAddresses(ctx context.Context, connector string) ([]string, error)
	Documents(ctx context.Context) (docs []store.StoredDocument, generation int64, err error)
	Document(ctx context.Context, connector string, version int64) (store.StoredDocument, error)
	DocumentHistory(ctx context.Context, connector string) ([]store.StoredDocument, error)
	SaveDocument(ctx context.Context, s store.SaveDocument) (store.StoredDocument, error)

	LatestDraft(ctx context.Context, connector string) (store.Draft, error)
	DraftRevision(ctx context.Context, connector string, revision int64) (store.Draft, error)
	Drafts(ctx context.Context) ([]store.Draft, error)
	SaveDraft(ctx context.Context, d store.Draft) (store.Draft, error)
	DiscardDraft(ctx context.Context, connector string, revision int64, who string) error

	RecentAlerts(ctx context.Context, sources []string, limit int) ([]alert.Alert, error)
	LastAccepted(ctx context.Context, sources []string) (map[string]time.Time, error)
	HeardStates(ctx context.Context, connector string, limit int) (map[string]int, error)
	Alert(ctx context.Context, id alert.ID) (store.AlertDetail, error)

	Wake(ctx context.Context, topics ...string)
}

// Kinds is what the composition root knows of the adapters that are built in.
type Kinds struct {
	Check connector.Check
	// Beside finds what a document and the other connectors' cannot both say; nil =
	// intake.CheckSources.
	Beside   func(doc *connector.Document, others []*connector.Document) []fault.Problem
	Settings func(*connector.Document) ha.Settings
	// Notes finds what a valid document leaves weaker than it could be.
	Notes func(*connector.Document) []fault.Problem
	// Adapter builds the remote of a document with the secrets of this server.
	Adapter func(*connector.Document) (remote.Adapter, error)
	// Resolve reads a secret; nil = secret.Ref.Resolve.
	Resolve func(secret.Ref) (secret.String, error)
	Remotes []string // the kinds of remote systems, sorted
	Sources []string // the kinds of sources, sorted
}

// Service changes documents. All methods may be called concurrently.
type Service struct {
	store Store
	kinds Kinds

	turn       chan struct{} // holds who reads or writes what follows: a mutex that one can stop waiting for
	generation int64         // of all; 0 = not read yet
	all        map[string]parsed
}

// parsed is a stored document that was read before.
type parsed struct {
	version int64
	doc     *connector.Document // nil = this program cannot read it
}

// New returns a service over the store.
func New(db Store, kinds Kinds) *Service {
	if kinds.Resolve == nil {
		kinds.Resolve = secret.Ref.Resolve
	}
	if kinds.Beside == nil {
		kinds.Beside = intake.CheckSources
	}
	return &Service{store: db, kinds: kinds, turn: make(chan struct{}, 1)}
}

// Kinds returns the kinds of remote systems and of sources.
func (s *Service) Kinds() (remotes, sources []string) { return s.kinds.Remotes, s.kinds.Sources }

// others returns the current documents of all other connectors, as far as they
// can be read. They are read again only when a document was applied.
func (s *Service) others(ctx context.Context, except string) ([]*connector.Document, error) {
	group, err := s.store.Group(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err() // the one before waits for a database that says nothing
	}
	if s.all == nil || s.generation != group.Generation {
		if err := s.readAll(ctx); err != nil {
			return nil, err
		}
	}
	var docs []*connector.Document
	for name, p := range s.all {
		if name != except && p.doc != nil {
			docs = append(docs, p.doc)
		}
	}
	return docs, nil
}

// warmAfter is how long Warm waits: who opens a page at once has the machine.
const warmAfter = 5 * time.Second

// Warm reads, a moment later, what the first page of a draft would otherwise wait
// for: the documents of all connectors. Whatever keeps it from it shows at the page.
func (s *Service) Warm(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(warmAfter):
		_, _ = s.others(ctx, "")
	}
}

func (s *Service) readAll(ctx context.Context) error {
	stored, generation, err := s.store.Documents(ctx)
	if err != nil {
		return err
	}
	all := make(map[string]parsed, len(stored))
	for _, d := range stored {
		p, known := s.all[d.Connector]
		if !known || p.version != d.Version {
			p = parsed{version: d.Version}
			p.doc, _ = connector.Parse([]byte(d.Text)) // one that is wrong by now has nothing to say
		}
		all[d.Connector] = p
	}
	s.all, s.generation = all, generation
	return nil
}

// examine reads a connector's text as far as it goes and finds every problem,
// also those beside the other connectors' documents.
func (s *Service) examine(ctx context.Context, name, text string) (*connector.Document, []fault.Problem, error) {
	others, err := s.others(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	doc, problems := connector.Examine([]byte(text), s.kinds.Check, func(doc *connector.Document) []fault.Problem {
		found := s.kinds.Beside(doc, others)
		if doc.Name != name && doc.Name != "" {
			found = append(found, fault.Problem{Path: "name", Message: fmt.Sprintf("this is connector %s; its name cannot be changed, because links, tickets and servers know it by it", name)})
		}
		return found
	})
	return doc, problems, nil
}

// allowed refuses a change of where secrets are sent to whoever may not
// administer: a document that names another remote system beside a secret of the
// servers would hand it out.
func (s *Service) allowed(who access.Principal, before, after *connector.Document) error {
	if who.May(access.Administer) || sameConnections(before, after) {
		return nil
	}
	return fault.New(fault.Forbidden, "the change says where secrets are sent to: endpoints, credentials or settings of the remote system or a source").
		WithNext("An administrator has to apply it; the draft is kept.")
}
