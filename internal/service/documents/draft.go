package documents

import (
	"context"
	"fmt"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// Change is one change of a text, made where the form or the call says.
type Change func(*edit.Text) error

// Edit makes the changes on what somebody saw and saves the result as the next
// revision of the draft. Its error is a *Conflict when another edit came before.
func (s *Service) Edit(ctx context.Context, who, name string, seen Seen, changes ...Change) (State, error) {
	before, err := s.textOf(ctx, name, seen)
	if err != nil {
		return State{}, err
	}
	text, err := edit.Open(before)
	if err != nil {
		return State{}, err
	}
	for _, change := range changes {
		if err := change(text); err != nil {
			return State{}, err
		}
	}
	return s.Save(ctx, who, name, seen, text.String())
}

// Save stores a text as the next revision of the draft. A text may be wrong, as
// drafts are; one that says nothing new makes no revision. Its error is a
// *Conflict when another edit came before.
func (s *Service) Save(ctx context.Context, who, name string, seen Seen, text string) (State, error) {
	if len(text) > connector.MaxSize {
		return State{}, fault.New(fault.TooLarge, fmt.Sprintf("the text has %d bytes; at most %d are kept", len(text), connector.MaxSize))
	}
	before, err := s.textOf(ctx, name, seen)
	if err != nil {
		return State{}, err
	}
	base := seen.Version
	if seen.Revision > 0 {
		d, err := s.store.DraftRevision(ctx, name, seen.Revision)
		if err != nil {
			return State{}, err
		}
		base = d.Base
	}
	if text == before && seen != (Seen{}) {
		access.NothingChanged(ctx)
	} else {
		err = s.save(ctx, name, seen, store.Draft{Connector: name, Revision: seen.Revision, Base: base, Text: text, Author: who})
	}
	if err != nil {
		return State{}, err
	}
	return s.Open(ctx, name)
}

// save stores a revision, or finds out who came before.
func (s *Service) save(ctx context.Context, name string, seen Seen, d store.Draft) error {
	live, err := s.store.Document(ctx, name, 0)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	if seen.Revision == 0 && live.Version != seen.Version {
		return s.conflict(ctx, name, seen, d.Text, d.Author)
	}
	_, err = s.store.SaveDraft(ctx, d)
	if fault.KindOf(err) == fault.Conflict {
		return s.conflict(ctx, name, seen, d.Text, d.Author)
	}
	return err
}

// Create begins the draft of a new connector. It returns fault.Conflict when the
// connector, or a draft of it, is there already, and fault.Invalid for a name
// that cannot be.
func (s *Service) Create(ctx context.Context, who, name, text string) (State, error) {
	if problem := nameProblem(name); problem != "" {
		return State{}, fault.InvalidInput("the connector cannot be made", []fault.Problem{{Path: "name", Message: problem}})
	}
	live, draft, err := s.read(ctx, name)
	switch {
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return State{}, err
	case live.Version > 0:
		return State{}, fault.New(fault.Conflict, "there is a connector "+name+" already").WithNext("Choose another name, or change that connector.")
	case draft != nil:
		return State{}, fault.New(fault.Conflict, fmt.Sprintf("there is a draft of a new connector %s already, by %s", name, draft.Author)).
			WithNext("Choose another name, or go on with that draft.")
	}
	return s.Save(ctx, who, name, Seen{}, text)
}

// nameProblem asks the validation of documents what is wrong with a name.
func nameProblem(name string) string {
	_, problems := connector.Examine(fmt.Appendf(nil, "name: %q\n", name))
	for _, p := range problems {
		if p.Path == "name" {
			return p.Message
		}
	}
	return ""
}

// Discard ends a draft without applying it. Its error is fault.Conflict when the
// draft is not at the revision that somebody saw, or there was none (0).
func (s *Service) Discard(ctx context.Context, who, name string, revision int64) error {
	if revision == 0 {
		return fault.New(fault.Conflict, "connector "+name+" has no draft").WithNext("There is nothing to discard.")
	}
	return s.store.DiscardDraft(ctx, name, revision, who)
}

// TakeUp brings a discarded draft back as the next revision. Its error is
// fault.Conflict when there is a draft by now.
func (s *Service) TakeUp(ctx context.Context, who, name string) (State, error) {
	latest, err := s.store.LatestDraft(ctx, name)
	if err != nil {
		return State{}, err
	}
	if latest.Ended != store.DraftDiscarded {
		return State{}, fault.New(fault.Conflict, "connector "+name+" has no discarded draft").WithNext("Look at what it has now.")
	}
	latest.Revision, latest.Author = 0, who
	if _, err := s.store.SaveDraft(ctx, latest); err != nil {
		return State{}, err
	}
	return s.Open(ctx, name)
}

// Discarded returns the draft that was discarded last and can be taken up again;
// ok is false when there is none.
func (s *Service) Discarded(ctx context.Context, name string) (d store.Draft, ok bool, err error) {
	d, err = s.store.LatestDraft(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		return store.Draft{}, false, nil
	}
	return d, err == nil && d.Ended == store.DraftDiscarded, err
}
