package documents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// Side is one of the texts of a conflict.
type Side struct {
	What string    `json:"what"` // "revision 3 of the draft", "version 8"
	Who  string    `json:"who"`
	At   time.Time `json:"at"` // zero = not stored
	Text string    `json:"text"`
}

// Conflict is the error of an edit that another one came before: both texts,
// and the ways out. Whoever decides saves one of the texts, or what they made of
// them, by Resolve, naming Now.
type Conflict struct {
	Connector string `json:"connector"`
	Base      Side   `json:"base"`   // what both began with
	Mine      Side   `json:"mine"`   // what could not be saved or applied
	Theirs    Side   `json:"theirs"` // what stands there now
	Now       Seen   `json:"now"`    // what a decision is made from

	Overlaps   []edit.Overlap `json:"overlaps"`    // values that both changed, each in its own way
	MergedMine string         `json:"merged_mine"` // both changes; mine where they overlap
	MergedThis string         `json:"merged_theirs"`

	cause *fault.Error
}

// Error implements error.
func (c *Conflict) Error() string { return c.cause.Error() }

// Unwrap returns the fault.Conflict that people are shown.
func (c *Conflict) Unwrap() error { return c.cause }

// conflict finds out what stands in the way of a text that was made from seen.
func (s *Service) conflict(ctx context.Context, name string, seen Seen, mine, who string) error {
	base, err := s.sideOf(ctx, name, seen)
	if err != nil {
		return err
	}
	live, draft, err := s.read(ctx, name)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	c := &Conflict{Connector: name, Base: base, Mine: Side{What: "your change", Who: who, Text: mine}, Now: Seen{Version: live.Version}}
	if draft != nil {
		c.Theirs, c.Now.Revision = sideOfDraft(*draft), draft.Revision
	} else {
		c.Theirs = sideOfVersion(live)
	}
	return c.complete("the draft of connector " + name + " was changed by " + c.Theirs.Who + " meanwhile")
}

// stale is the conflict of a draft whose connector got another version.
func (s *Service) stale(ctx context.Context, live store.StoredDocument, draft store.Draft) error {
	base, err := s.sideOf(ctx, draft.Connector, Seen{Version: draft.Base})
	if err != nil {
		return err
	}
	c := &Conflict{
		Connector: draft.Connector, Base: base, Mine: sideOfDraft(draft), Theirs: sideOfVersion(live),
		Now: Seen{Revision: draft.Revision, Version: live.Version},
	}
	return c.complete(fmt.Sprintf("version %d of connector %s was applied by %s after the draft was begun", live.Version, draft.Connector, live.Who))
}

// complete fills in what the two sides changed. Texts that are no YAML overlap
// as a whole.
func (c *Conflict) complete(msg string) error {
	c.cause = fault.New(fault.Conflict, msg).WithNext("Nothing is lost: look at both changes, then merge them, keep yours or take over theirs.")
	merged, overlaps, err := edit.Merge(c.Base.Text, c.Mine.Text, c.Theirs.Text, edit.Mine)
	if err != nil {
		c.Overlaps = []edit.Overlap{{Path: "", Base: c.Base.What, Mine: c.Mine.What, Theirs: c.Theirs.What}}
		c.MergedMine, c.MergedThis = c.Mine.Text, c.Theirs.Text
		return c
	}
	c.MergedMine, c.Overlaps = merged, overlaps
	c.MergedThis = merged
	if len(overlaps) > 0 {
		c.MergedThis, _, _ = edit.Merge(c.Base.Text, c.Mine.Text, c.Theirs.Text, edit.Theirs)
	}
	return c
}

func (s *Service) sideOf(ctx context.Context, name string, seen Seen) (Side, error) {
	switch {
	case seen.Revision > 0:
		d, err := s.store.DraftRevision(ctx, name, seen.Revision)
		return sideOfDraft(d), err
	case seen.Version > 0:
		d, err := s.store.Document(ctx, name, seen.Version)
		return sideOfVersion(d), err
	}
	return Side{What: "nothing"}, nil
}

func sideOfDraft(d store.Draft) Side {
	return Side{What: fmt.Sprintf("revision %d of the draft", d.Revision), Who: d.Author, At: d.At, Text: d.Text}
}

func sideOfVersion(d store.StoredDocument) Side {
	return Side{What: fmt.Sprintf("version %d", d.Version), Who: d.Who, At: d.At, Text: d.Text}
}

// Conflict returns how a draft whose connector got another version stands to it;
// nil when it did not.
func (s *Service) Conflict(ctx context.Context, state State) (*Conflict, error) {
	if !state.Stale() {
		return nil, nil
	}
	err := s.stale(ctx, state.Live, *state.Draft)
	var c *Conflict
	if errors.As(err, &c) {
		return c, nil
	}
	return nil, err
}

// Resolve saves what somebody made of a conflict, or a text that is to stand on
// the version they saw whatever it was begun from. Its error is a *Conflict when
// something changed again.
func (s *Service) Resolve(ctx context.Context, who, name string, now Seen, text string) (State, error) {
	live, draft, err := s.read(ctx, name)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return State{}, err
	}
	if live.Version != now.Version || (draft != nil && draft.Revision != now.Revision) || (draft == nil && now.Revision != 0) {
		return State{}, s.conflict(ctx, name, now, text, who)
	}
	err = s.save(ctx, name, now, store.Draft{Connector: name, Revision: now.Revision, Base: now.Version, Text: text, Author: who})
	if err != nil {
		return State{}, err
	}
	return s.Open(ctx, name)
}

// Compare tells how a text that was made from seen stands to what is there now,
// whether or not they are at odds: for whoever was told of a conflict and wants
// to merge.
func (s *Service) Compare(ctx context.Context, who, name string, seen Seen, text string) (*Conflict, error) {
	err := s.conflict(ctx, name, seen, text, who)
	var c *Conflict
	if errors.As(err, &c) {
		return c, nil
	}
	return nil, err
}
