package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// Draft is a connector's document as an editor sees it.
type Draft struct {
	Connector string          `json:"connector" example:"shop"`
	Draft     bool            `json:"draft" doc:"Whether there is a draft; otherwise the text is the current version's"`
	Revision  int64           `json:"revision" doc:"Of the draft; 0 = there is none"`
	Base      int64           `json:"base" doc:"The version the draft was made from; 0 = the connector is new"`
	Version   int64           `json:"version" doc:"The current version; 0 = the connector is new"`
	Stale     bool            `json:"stale" doc:"Another version was applied since the draft was begun"`
	Author    string          `json:"author,omitempty" doc:"Of the newest revision"`
	At        *time.Time      `json:"at,omitempty" doc:"When it was saved"`
	Text      string          `json:"text"`
	Problems  []fault.Problem `json:"problems" doc:"Everything wrong with the text, each at its path; a draft with one cannot be applied"`
	Notes     []fault.Problem `json:"notes" doc:"What works and could be stronger"`
	Changes   []edit.Change   `json:"changes" doc:"What differs from the current version"`
}

// DraftLine is a draft in a list.
type DraftLine struct {
	Connector string    `json:"connector" example:"shop"`
	Revision  int64     `json:"revision"`
	Base      int64     `json:"base" doc:"The version it was made from; 0 = the connector is new"`
	Author    string    `json:"author" doc:"Of the newest revision"`
	At        time.Time `json:"at"`
}

// Edits changes values of the document; comments and layout stay.
type Edits struct {
	Set    []SetValue `json:"set,omitempty" maxItems:"500"`
	Remove []string   `json:"remove,omitempty" maxItems:"500" doc:"Paths of what is taken away"`
}

// SetValue is one value that is put at a path.
type SetValue struct {
	Path  string `json:"path" example:"severity.map.warning" doc:"As problems name it"`
	Value any    `json:"value" doc:"A text, number or truth, or a list or an object of them"`
}

// DraftMatch is embedded in the input of an operation that changes a draft.
type DraftMatch struct {
	ConnectorPath
	IfMatch string `header:"If-Match" doc:"The ETag of the draft as it was read; where a draft is changed, also * for any" example:"\"v7.r3\""`
}

// decided is seen where a draft is changed: with "*", it is what is there. The
// error is 412 where another version was applied since. (Another revision of the
// draft is told with both texts, by the service.)
func (m DraftMatch) decided(ctx context.Context, s *documents.Service) (documents.Seen, error) {
	var seen documents.Seen
	var err error
	if !m.any() {
		if seen, err = m.seen(); err != nil {
			return seen, err
		}
	}
	state, err := s.Open(ctx, m.Connector)
	switch now := state.Seen(); {
	case m.any():
		return now, err
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return seen, err
	case err == nil && seen.Revision > 0 && seen.Revision == now.Revision && seen.Version != now.Version:
		return seen, Stale(fault.New(fault.Conflict, fmt.Sprintf("%s applied version %d of connector %s meanwhile", state.Live.Who, now.Version, m.Connector)))
	}
	return seen, nil
}

func (m DraftMatch) any() bool { return strings.TrimSpace(m.IfMatch) == "*" }

// unlessRight makes a conflict into 412 where If-Match is not right, or no more.
// Where it is, the change is refused for another reason: 412 would have the client
// read the same again, and repeat it for ever.
func (m DraftMatch) unlessRight(ctx context.Context, s *documents.Service, err error) error {
	kind := fault.KindOf(err)
	if kind != fault.Conflict && kind != fault.NotFound || m.any() {
		return err
	}
	now, readErr := s.Open(ctx, m.Connector)
	switch {
	case readErr == nil && now.Seen().ETag() == m.IfMatch:
		return err
	case readErr == nil && kind == fault.NotFound: // it names what is not kept, or never was
		return Stale(fault.New(fault.Conflict, "the draft of connector "+m.Connector+" is another by now"))
	}
	return Stale(err)
}

// seen is what If-Match names; the error is 428 where it is missing.
func (m DraftMatch) seen() (documents.Seen, error) {
	if m.IfMatch == "" {
		return documents.Seen{}, status(http.StatusPreconditionRequired, "the change does not say what it was decided on",
			"Send the ETag of the draft as you read it as If-Match.")
	}
	return documents.ParseETag(m.IfMatch)
}

type draftOutput struct {
	ETag string `header:"ETag"`
	Body Draft
}

type textInput struct {
	DraftMatch
	Body struct {
		Text string `json:"text" maxLength:"262144" doc:"The document, as YAML"`
	}
}

type editsInput struct {
	DraftMatch
	Body Edits
}

type createInput struct {
	Body struct {
		Name string `json:"name" maxLength:"40" example:"shop"`
		Text string `json:"text" maxLength:"262144" doc:"The document, as YAML"`
	}
}

func showDraft(s documents.State) *draftOutput {
	d := Draft{
		Connector: s.Connector, Version: s.Live.Version, Base: s.Live.Version, Stale: s.Stale(), Text: s.Text,
		Problems: append([]fault.Problem{}, s.Problems...), Notes: append([]fault.Problem{}, s.Notes...), Changes: changesOf(s.Live.Text, s.Text),
	}
	if s.Draft != nil {
		d.Draft, d.Revision, d.Base, d.Author, d.At = true, s.Draft.Revision, s.Draft.Base, s.Draft.Author, &s.Draft.At
	}
	return &draftOutput{s.Seen().ETag(), d}
}

// saved answers an edit.
func (m DraftMatch) saved(ctx context.Context, s *documents.Service, state documents.State, err error) (*draftOutput, error) {
	if err != nil {
		return nil, m.unlessRight(ctx, s, err)
	}
	return showDraft(state), nil
}

var draftErrors = append([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge}, Precondition...)

const draftBody = 1 << 20 // bytes: a text in JSON grows by its escapes

func registerDraft(a *API, s *documents.Service) {
	Register(a, huma.Operation{
		OperationID: "create-connector", Method: http.MethodPost, Path: "/connectors", Tags: documentTags, DefaultStatus: http.StatusCreated,
		Summary: "Begin the draft of a new connector", Description: "The connector is made when the draft is applied.",
		Errors: []int{http.StatusBadRequest, http.StatusConflict}, MaxBodyBytes: draftBody,
	}, access.Operate, func(ctx context.Context, in *createInput) (*draftOutput, error) {
		who, _ := access.From(ctx)
		state, err := s.Create(ctx, who.Name, in.Body.Name, in.Body.Text)
		if err != nil {
			return nil, err
		}
		access.Remark(ctx, "draft of connector %s", in.Body.Name)
		return showDraft(state), nil
	})
	Register(a, huma.Operation{
		OperationID: "list-drafts", Method: http.MethodGet, Path: "/drafts", Tags: documentTags, Summary: "List the drafts that are being edited",
	}, access.View, func(ctx context.Context, in *struct{ PageInput }) (*Page[DraftLine], error) {
		all, err := s.Drafts(ctx)
		if err != nil {
			return nil, err
		}
		return pageByName(&in.PageInput, all, func(d documents.Draft) string { return d.Connector }, func(d documents.Draft) DraftLine {
			return DraftLine{Connector: d.Connector, Revision: d.Revision, Base: d.Base, Author: d.Author, At: d.At}
		})
	})
	Register(a, huma.Operation{
		OperationID: "get-draft", Method: http.MethodGet, Path: "/connectors/{connector}/draft", Tags: documentTags,
		Summary: "Read and check the draft, or what a draft would begin with", Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *ConnectorPath) (*draftOutput, error) {
		state, err := s.Open(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		return showDraft(state), nil
	})
}

func registerDraftSaves(a *API, s *documents.Service) {
	Register(a, huma.Operation{
		OperationID: "save-draft", Method: http.MethodPut, Path: "/connectors/{connector}/draft", Tags: documentTags,
		Summary: "Save a text as the draft", Description: "A text may be wrong: the answer lists its problems.",
		Errors: draftErrors, MaxBodyBytes: draftBody,
	}, access.Operate, func(ctx context.Context, in *textInput) (*draftOutput, error) {
		seen, err := in.decided(ctx, s)
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		state, err := s.Save(ctx, who.Name, in.Connector, seen, in.Body.Text)
		return in.saved(ctx, s, state, err)
	})
	Register(a, huma.Operation{
		OperationID: "edit-draft", Method: http.MethodPatch, Path: "/connectors/{connector}/draft", Tags: documentTags,
		Summary: "Change values of the document, as a draft", Errors: draftErrors, MaxBodyBytes: draftBody,
	}, access.Operate, func(ctx context.Context, in *editsInput) (*draftOutput, error) {
		seen, err := in.decided(ctx, s)
		if err != nil {
			return nil, err
		}
		changes, err := in.Body.changes()
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		state, err := s.Edit(ctx, who.Name, in.Connector, seen, changes...)
		return in.saved(ctx, s, state, err)
	})
}

func (e Edits) changes() ([]documents.Change, error) {
	var all []documents.Change
	for _, v := range e.Set {
		change, err := documents.Set(v.Path, v.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, change)
	}
	for _, path := range e.Remove {
		change, err := documents.Remove(path)
		if err != nil {
			return nil, err
		}
		all = append(all, change)
	}
	return all, nil
}

// Comparison is how a text stands to what is there by now.
type Comparison struct {
	*documents.Conflict
	ETag string `json:"etag" doc:"What a decision is made from: the If-Match of resolve-draft"`
}

type applyInput struct {
	DraftMatch
	Body struct {
		Comment string `json:"comment,omitempty" maxLength:"2000" doc:"Why, for the history"`
	}
}

func registerConflicts(a *API, s *documents.Service) {
	Register(a, huma.Operation{
		OperationID: "compare-draft", Method: http.MethodPost, Path: "/connectors/{connector}/draft/compare", Tags: documentTags,
		Summary:     "After a 412: show both changes and merge them",
		Description: "If-Match is the ETag that the text was made from, and not *. Nothing is stored.", Errors: draftErrors, MaxBodyBytes: draftBody,
	}, access.Operate, func(ctx context.Context, in *textInput) (*struct{ Body Comparison }, error) {
		seen, err := in.seen()
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		c, err := s.Compare(ctx, who.Name, in.Connector, seen, in.Body.Text)
		if err != nil {
			return nil, err
		}
		return &struct{ Body Comparison }{Comparison{c, c.Now.ETag()}}, nil
	})
	Register(a, huma.Operation{
		OperationID: "resolve-draft", Method: http.MethodPost, Path: "/connectors/{connector}/draft/resolve", Tags: documentTags,
		Summary:     "Save what was decided of a conflict, on top of the current version",
		Description: "If-Match is the etag that compare-draft answered, and not *.", Errors: draftErrors, MaxBodyBytes: draftBody,
	}, access.Operate, func(ctx context.Context, in *textInput) (*draftOutput, error) {
		seen, err := in.seen()
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		state, err := s.Resolve(ctx, who.Name, in.Connector, seen, in.Body.Text)
		return in.saved(ctx, s, state, err)
	})
}

func registerDraftEnds(a *API, s *documents.Service) {
	Register(a, huma.Operation{
		OperationID: "discard-draft", Method: http.MethodDelete, Path: "/connectors/{connector}/draft", Tags: documentTags,
		Summary: "Discard the draft", Errors: draftErrors,
	}, access.Operate, func(ctx context.Context, in *DraftMatch) (*nothing, error) {
		seen, err := in.decided(ctx, s)
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		return nil, in.unlessRight(ctx, s, s.Discard(ctx, who.Name, in.Connector, seen.Revision))
	})
	Register(a, huma.Operation{
		OperationID: "apply-draft", Method: http.MethodPost, Path: "/connectors/{connector}/draft/apply", Tags: documentTags,
		Summary: "Make the draft the current version", Errors: draftErrors,
		Description: "Every server applies it within moments. Where it changes endpoints, credentials or settings of remote or sources, administer is needed.",
	}, access.Operate, func(ctx context.Context, in *applyInput) (*versionOutput, error) {
		seen, err := in.decided(ctx, s)
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		applied, err := s.Apply(ctx, who, in.Connector, seen.Revision, in.Body.Comment)
		if err != nil {
			return nil, in.unlessRight(ctx, s, err)
		}
		access.Remark(ctx, "version %d of connector %s", applied.Version, applied.Connector)
		return &versionOutput{ETag(applied.Version), Version(applied)}, nil
	})
}
