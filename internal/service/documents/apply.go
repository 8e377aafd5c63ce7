package documents

import (
	"context"
	"fmt"
	"strings"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// maxComment bounds a version's comment, in bytes.
const maxComment = 2000

// Apply makes a draft the connector's current version; one that says the same
// only ends. The draft must be at the revision that somebody saw, and valid. The error is a *Conflict when another
// version was applied since it was begun, fault.Invalid with every problem of
// the text, and fault.Forbidden when it changes where secrets are sent to and
// who may not administer.
func (s *Service) Apply(ctx context.Context, who access.Principal, name string, revision int64, comment string) (store.StoredDocument, error) {
	live, draft, err := s.read(ctx, name)
	switch {
	case err != nil:
		return store.StoredDocument{}, err
	case draft == nil:
		return store.StoredDocument{}, fault.New(fault.Conflict, "connector "+name+" has no draft by now").
			WithNext("Somebody applied or discarded it; the history says who.")
	case draft.Revision != revision:
		return store.StoredDocument{}, fault.New(fault.Conflict, fmt.Sprintf("%s changed the draft meanwhile: it is revision %d, and you saw revision %d",
			draft.Author, draft.Revision, revision)).WithNext("Look at it as it is now, and apply that.")
	case draft.Base != live.Version:
		return store.StoredDocument{}, s.stale(ctx, live, *draft)
	}
	saved, err := s.apply(ctx, who, name, live, draft.Text, comment, revision)
	if fault.KindOf(err) == fault.Conflict {
		return saved, s.again(ctx, name, err)
	}
	return saved, err
}

// again tells a conflict that came up in the very moment of applying as the one
// it is by now.
func (s *Service) again(ctx context.Context, name string, err error) error {
	live, draft, readErr := s.read(ctx, name)
	if readErr == nil && draft != nil && draft.Base != live.Version {
		return s.stale(ctx, live, *draft)
	}
	return err
}

// apply checks a text and stores it on top of the current version.
func (s *Service) apply(ctx context.Context, who access.Principal, name string, live store.StoredDocument, text, comment string, revision int64) (store.StoredDocument, error) {
	doc, problems, err := s.examine(ctx, name, text)
	if err != nil {
		return store.StoredDocument{}, err
	}
	if err := fault.InvalidInput("the draft is not valid", problems); err != nil {
		return store.StoredDocument{}, err
	}
	if comment = strings.TrimSpace(comment); len(comment) > maxComment {
		return store.StoredDocument{}, fault.InvalidInput("the draft was not applied",
			[]fault.Problem{{Path: "comment", Message: fmt.Sprintf("%d bytes are too many; at most %d", len(comment), maxComment)}})
	}
	before, _ := connector.Examine([]byte(live.Text)) // nil where the connector is new
	if err := s.allowed(who, before, doc); err != nil {
		return store.StoredDocument{}, err
	}
	if text == live.Text && live.Version > 0 {
		return live, s.endUnchanged(ctx, who, name, revision)
	}
	base := live.Version
	if base == 0 {
		base = store.NoBase
	}
	saved, err := s.store.SaveDocument(ctx, store.SaveDocument{
		Connector: name, Text: text, Who: who.Name, Comment: comment, Base: base, Draft: revision, Settings: s.kinds.Settings(doc),
	})
	if err != nil {
		return store.StoredDocument{}, err
	}
	s.store.Wake(ctx, store.TopicDocuments)
	return saved, nil
}

// endUnchanged ends a draft that says what the current version says: a version of
// its own would tell of a change that there was not.
func (s *Service) endUnchanged(ctx context.Context, who access.Principal, name string, revision int64) error {
	access.NothingChanged(ctx)
	if revision == 0 {
		return nil
	}
	return s.store.DiscardDraft(ctx, name, revision, who.Name)
}

// Rollback applies an earlier version again, as a new one, when the current
// version is the one that somebody saw. A draft stays, and is told of the new
// version. Errors are those of Apply, and fault.NotFound for a version that is
// not there.
func (s *Service) Rollback(ctx context.Context, who access.Principal, name string, to, current int64) (store.StoredDocument, error) {
	live, err := s.store.Document(ctx, name, 0)
	if err != nil {
		return store.StoredDocument{}, err
	}
	old, err := s.store.Document(ctx, name, to)
	switch {
	case err != nil:
		return store.StoredDocument{}, err
	case live.Version != current:
		return store.StoredDocument{}, fault.New(fault.Conflict, fmt.Sprintf("%s applied version %d of connector %s meanwhile", live.Who, live.Version, name)).
			WithNext("Look at what it says, then decide again.")
	case to == current:
		return store.StoredDocument{}, fault.New(fault.Conflict, fmt.Sprintf("version %d is the current one", to))
	}
	return s.apply(ctx, who, name, live, old.Text, fmt.Sprintf("back to version %d", to), 0)
}

// Versions returns every version of a connector's document, newest first.
func (s *Service) Versions(ctx context.Context, name string) ([]store.StoredDocument, error) {
	return s.store.DocumentHistory(ctx, name)
}

// Version returns one version; 0 is the current one.
func (s *Service) Version(ctx context.Context, name string, version int64) (store.StoredDocument, error) {
	return s.store.Document(ctx, name, version)
}

// Running is one server of a connector with the version it runs.
type Running struct {
	Server  string `json:"server"`
	Version int64  `json:"version"` // 0 = none
	Current bool   `json:"current"`
	Reason  string `json:"reason,omitempty"` // why it cannot run the current one, or what else it says
}

// Running returns which servers run which version, in communication order.
func (s *Service) Running(ctx context.Context, name string, current int64) ([]Running, error) {
	group, err := s.store.ReadGroup(ctx)
	if err != nil {
		return nil, err
	}
	var all []Running
	for _, m := range group.Order(name) {
		all = append(all, Running{Server: m.Server, Version: m.Runs, Current: m.Runs == current && current > 0, Reason: m.Reason})
	}
	return all, nil
}
