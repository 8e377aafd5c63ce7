package documents

import (
	"context"
	"fmt"

	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// State is a connector's document as an editor sees it: the draft where there is
// one, otherwise the current version.
type State struct {
	Connector string
	Live      store.StoredDocument // Version 0 = the connector is new
	Draft     *store.Draft         // nil = nobody edits
	Text      string
	Doc       *connector.Document // as far as Text can be read, defaults filled in; nil = it is no YAML
	Problems  []fault.Problem     // every problem of Text
	Notes     []fault.Problem     // what works and could be stronger; only where there is no problem
}

// Seen names what an editor sees, and what an edit says it was made from.
type Seen struct {
	Revision int64 // of the draft; 0 = there was none
	Version  int64 // of the document; 0 = the connector is new
}

// Seen is what this state shows.
func (s State) Seen() Seen {
	seen := Seen{Version: s.Live.Version}
	if s.Draft != nil {
		seen.Revision = s.Draft.Revision
	}
	return seen
}

// ETag names the state for optimistic concurrency, quotes included.
func (s Seen) ETag() string { return fmt.Sprintf(`"v%d.r%d"`, s.Version, s.Revision) }

// ParseETag reads what ETag writes; the error is fault.Invalid.
func ParseETag(tag string) (Seen, error) {
	var s Seen
	if _, err := fmt.Sscanf(tag, `"v%d.r%d"`, &s.Version, &s.Revision); err != nil || s.ETag() != tag {
		return Seen{}, fault.New(fault.Invalid, "If-Match names no state of a document").
			WithNext("Send the ETag that the draft or the document was answered with.")
	}
	return s, nil
}

// Stale reports whether another version was applied since the draft was begun.
func (s State) Stale() bool { return s.Draft != nil && s.Draft.Base != s.Live.Version }

// Changed reports whether there is a draft that says something else than the
// current version.
func (s State) Changed() bool { return s.Draft != nil && s.Draft.Text != s.Live.Text }

// Open returns a connector's state. It returns fault.NotFound when there is
// neither a document nor a draft of one.
func (s *Service) Open(ctx context.Context, name string) (State, error) {
	state := State{Connector: name}
	var err error
	if state.Live, state.Draft, err = s.read(ctx, name); err != nil {
		return State{}, err
	}
	state.Text = state.Live.Text
	if state.Draft != nil {
		state.Text = state.Draft.Text
	}
	if state.Draft == nil {
		// Beside the others it was checked when it was applied, and each of them since.
		state.Doc, state.Problems = connector.Examine([]byte(state.Text), s.kinds.Check)
	} else if state.Doc, state.Problems, err = s.examine(ctx, name, state.Text); err != nil {
		return State{}, err
	}
	if len(state.Problems) == 0 {
		state.Notes = s.kinds.Notes(state.Doc)
	}
	return state, nil
}

// read returns what is stored of a connector. Live.Version is 0 when it is new;
// draft is nil when there is none.
func (s *Service) read(ctx context.Context, name string) (live store.StoredDocument, draft *store.Draft, err error) {
	live, missing := s.store.Document(ctx, name, 0)
	if missing != nil && fault.KindOf(missing) != fault.NotFound {
		return live, nil, missing
	}
	latest, err := s.store.LatestDraft(ctx, name)
	switch {
	case err == nil && latest.Ended == "":
		return live, &latest, nil
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return live, nil, err
	}
	return live, nil, missing
}

// textOf is the text that somebody saw.
func (s *Service) textOf(ctx context.Context, name string, seen Seen) (string, error) {
	switch {
	case seen.Revision > 0:
		d, err := s.store.DraftRevision(ctx, name, seen.Revision)
		return d.Text, err
	case seen.Version > 0:
		d, err := s.store.Document(ctx, name, seen.Version)
		return d.Text, err
	}
	return "", nil
}

// Drafts lists the drafts that are being edited.
func (s *Service) Drafts(ctx context.Context) ([]store.Draft, error) { return s.store.Drafts(ctx) }

// Version is one version of a connector's document.
type Version = store.StoredDocument

// Draft is one revision of a connector's draft.
type Draft = store.Draft

// At returns the state that somebody saw, as far as it concerns the text: for
// reading a form that was made from it. The error is fault.NotFound when that
// revision is not kept.
func (s *Service) At(ctx context.Context, name string, seen Seen) (State, error) {
	text, err := s.textOf(ctx, name, seen)
	if err != nil {
		return State{}, err
	}
	doc, _ := connector.Examine([]byte(text))
	return State{Connector: name, Text: text, Doc: doc}, nil
}
