package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// Source is one source of a connector, with what is known of it.
type Source struct {
	Name      string     `json:"name" example:"am-web"`
	Kind      string     `json:"kind" example:"alertmanager"`
	Last      *time.Time `json:"last_alert_at,omitempty" doc:"When its newest alert was accepted, by the database's clock; absent = none among the newest 20,000 of the group"`
	Addresses []string   `json:"addresses" doc:"Where it may post to: one of every server, in communication order"`
	Token     string     `json:"token,omitempty" example:"env:AM_WEB_TOKEN" doc:"The reference to what it must present; absent = anybody may post"`
	Readable  *bool      `json:"token_readable,omitempty" doc:"Whether the server that answers can read it; absent = the current document has no such reference"`
}

type sourcesOutput struct {
	ETag string `header:"ETag" doc:"Of the draft: the If-Match of make-source-token"`
	Body struct {
		Sources []Source `json:"sources" doc:"In the order of the document"`
	}
}

// SourceToken is a token for a source, shown this once.
type SourceToken struct {
	Source    string `json:"source" example:"am-web"`
	Token     string `json:"token" doc:"What the source presents. It is kept nowhere"`
	Reference string `json:"reference" example:"env:AM_WEB_TOKEN" doc:"Where every server that serves the connector must find it"`
	Variable  string `json:"variable" example:"AM_WEB_TOKEN"`
	Draft     bool   `json:"draft" doc:"There is a draft, which has the reference: apply it"`
}

type makeTokenInput struct {
	DraftMatch
	Source string `path:"source" maxLength:"100" example:"am-web"`
}

type makeTokenOutput struct {
	ETag string `header:"ETag" doc:"Of the draft after it"`
	Body SourceToken
}

func registerSources(a *API, s *documents.Service) {
	tags := []string{"sources"}
	Register(a, huma.Operation{
		OperationID: "get-sources", Method: http.MethodGet, Path: "/connectors/{connector}/sources", Tags: tags,
		Summary: "Show a connector's sources, with the last alert seen of each", Description: "Those of the draft, where there is one.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, access.View, func(ctx context.Context, in *ConnectorPath) (*sourcesOutput, error) {
		state, err := s.Open(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		if err := readable(state); err != nil {
			return nil, err
		}
		all, err := s.Sources(ctx, state)
		if err != nil {
			return nil, err
		}
		out := &sourcesOutput{ETag: state.Seen().ETag()}
		out.Body.Sources = make([]Source, len(all))
		for i, source := range all {
			out.Body.Sources[i] = showSource(source)
		}
		return out, nil
	})
	Register(a, huma.Operation{
		OperationID: "make-source-token", Method: http.MethodPost, Path: "/connectors/{connector}/sources/{source}/token", Tags: tags,
		Summary:     "Make a token for a source, shown this once",
		Description: "Where the document refers to no token of the source yet, the draft does from then on.",
		Errors:      draftErrors, DefaultStatus: http.StatusCreated,
	}, access.Operate, func(ctx context.Context, in *makeTokenInput) (*makeTokenOutput, error) {
		return makeToken(ctx, s, in)
	})
}

func showSource(s documents.SourceState) Source {
	shown := Source{
		Name: s.Name, Kind: s.Kind, Last: told(s.Last), Addresses: append([]string{}, s.Addresses...), Token: string(s.Source.Token),
	}
	if s.Secret != "" {
		readable := s.Secret == "ok"
		shown.Readable = &readable
	}
	return shown
}

// readable returns a fault.Conflict where nobody knows which sources a state has,
// because its text cannot be parsed: that is not to have none.
func readable(state documents.State) error {
	if state.Doc != nil {
		return nil
	}
	what := "document"
	if state.Draft != nil {
		what = "draft"
	}
	msg := "the " + what + " of connector " + state.Connector + " cannot be read"
	if len(state.Problems) > 0 {
		msg += ": " + state.Problems[0].Message
	}
	return fault.New(fault.Conflict, msg).WithNext("Mend the draft (save-draft), or discard it (discard-draft).")
}

func makeToken(ctx context.Context, s *documents.Service, in *makeTokenInput) (*makeTokenOutput, error) {
	seen, err := in.decided(ctx, s)
	if err != nil {
		return nil, err
	}
	state, err := s.Open(ctx, in.Connector)
	if err != nil {
		return nil, err
	}
	if state.Seen() != seen {
		return nil, Stale(fault.New(fault.Conflict, "the draft of "+in.Connector+" was changed in between").WithNext("Read the sources again."))
	}
	if err := readable(state); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(state.Doc.Sources, func(c connector.Source) bool { return c.Name == in.Source })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "connector "+in.Connector+" has no source "+in.Source).WithNext("get-sources has those there are.")
	}
	who, _ := access.From(ctx)
	token, state, err := s.MakeToken(ctx, who.Name, state, i)
	if err != nil {
		return nil, Stale(err)
	}
	access.Remark(ctx, "for %s, at %s", token.Source, token.Reference)
	return &makeTokenOutput{state.Seen().ETag(), SourceToken{token.Source, token.Text, token.Reference, token.Variable, state.Draft != nil}}, nil
}
