package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
)

// Account is an account as the API shows it.
type Account struct {
	Name       string     `json:"name" example:"ann"`
	Kind       string     `json:"kind" enum:"local,oidc" doc:"Where it signs in: here, or at the OpenID provider"`
	Role       string     `json:"role" enum:"viewer,operator,admin"`
	CreatedAt  time.Time  `json:"created_at"`
	ChangedAt  time.Time  `json:"changed_at"`
	SignedInAt *time.Time `json:"signed_in_at,omitempty" doc:"Last sign-in; absent when there was none"`
}

func showAccount(a access.Account) Account {
	return Account{
		Name: a.Name, Kind: string(a.Kind), Role: string(a.Role), CreatedAt: a.CreatedAt, ChangedAt: a.ChangedAt,
		SignedInAt: told(a.SignedInAt),
	}
}

// told leaves out a time that there is not.
func told(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type oneAccount struct {
	ETag string `header:"ETag"`
	Body Account
}

func answerAccount(a access.Account, err error) (*oneAccount, error) {
	if err != nil {
		return nil, err
	}
	return &oneAccount{ETag: ETag(a.Generation), Body: showAccount(a)}, nil
}

type accountPath struct {
	Name string `path:"name" maxLength:"100" example:"ann"`
}

type newAccount struct {
	Body struct {
		Name     string `json:"name" maxLength:"100"`
		Password string `json:"password" minLength:"12" format:"password"`
		Role     string `json:"role" enum:"viewer,operator,admin"`
	}
}

type changeAccount struct {
	Name string `path:"name" maxLength:"100" example:"ann"`
	IfMatch
	Body struct {
		Role     string `json:"role,omitempty" enum:"viewer,operator,admin"`
		Password string `json:"password,omitempty" minLength:"12" format:"password"`
	}
}

type removeAccount struct {
	Name string `path:"name" maxLength:"100" example:"ann"`
	IfMatch
}

type endedSessions struct {
	Body struct {
		Ended int `json:"ended" doc:"How many sessions were ended"`
	}
}

type whoIAm struct {
	Body struct {
		Name string `json:"name" example:"token:ci"`
		Role string `json:"role" enum:"viewer,operator,admin"`
		Via  string `json:"via" enum:"session,oidc,token"`
	}
}

type nothing struct{}

func registerAccounts(a *API, s *access.Service) {
	tags := []string{"accounts"}
	Register(a, huma.Operation{
		OperationID: "who-am-i", Method: http.MethodGet, Path: "/me", Summary: "Who asks, and with what role", Tags: tags,
	}, access.View, func(ctx context.Context, _ *nothing) (*whoIAm, error) {
		p, _ := access.From(ctx)
		out := &whoIAm{}
		out.Body.Name, out.Body.Role, out.Body.Via = p.Name, string(p.Role), p.Via
		return out, nil
	})
	Register(a, huma.Operation{
		OperationID: "list-accounts", Method: http.MethodGet, Path: "/accounts", Summary: "List accounts", Tags: tags,
	}, access.Administer, func(ctx context.Context, in *struct{ PageInput }) (*Page[Account], error) {
		all, err := s.Accounts(ctx)
		if err != nil {
			return nil, err
		}
		return pageByName(&in.PageInput, all, func(a access.Account) string { return a.Name }, showAccount)
	})
	Register(a, huma.Operation{
		OperationID: "add-account", Method: http.MethodPost, Path: "/accounts", Summary: "Add an account", Tags: tags,
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusBadRequest, http.StatusConflict},
	}, access.Administer, func(ctx context.Context, in *newAccount) (*oneAccount, error) {
		access.Remark(ctx, "%s as %s", in.Body.Name, in.Body.Role)
		return answerAccount(s.AddAccount(ctx, in.Body.Name, in.Body.Password, access.Role(in.Body.Role)))
	})
	Register(a, huma.Operation{
		OperationID: "show-account", Method: http.MethodGet, Path: "/accounts/{name}", Summary: "Show an account", Tags: tags,
		Errors: []int{http.StatusNotFound},
	}, access.Administer, func(ctx context.Context, in *accountPath) (*oneAccount, error) {
		return answerAccount(s.Account(ctx, in.Name))
	})
	Register(a, huma.Operation{
		OperationID: "change-account", Method: http.MethodPatch, Path: "/accounts/{name}", Tags: tags,
		Summary: "Change an account's role or password; ends its sessions",
		Errors:  append([]int{http.StatusBadRequest, http.StatusNotFound}, Precondition...),
	}, access.Administer, func(ctx context.Context, in *changeAccount) (*oneAccount, error) {
		base, err := in.Version()
		if err != nil {
			return nil, err
		}
		changed, err := s.ChangeAccount(ctx, in.Name, access.Change{Role: access.Role(in.Body.Role), Password: in.Body.Password, Base: base})
		return answerAccount(changed, Stale(err))
	})
	registerAccountEnds(a, s, tags)
	registerOwn(a, s, tags)
}

func registerAccountEnds(a *API, s *access.Service, tags []string) {
	Register(a, huma.Operation{
		OperationID: "remove-account", Method: http.MethodDelete, Path: "/accounts/{name}", Tags: tags,
		Summary: "Remove an account; ends its sessions and the API tokens it made", Errors: append([]int{http.StatusNotFound}, Precondition...),
	}, access.Administer, func(ctx context.Context, in *removeAccount) (*nothing, error) {
		base, err := in.Version()
		if err != nil {
			return nil, err
		}
		return nil, Stale(s.RemoveAccount(ctx, in.Name, base))
	})
	Register(a, huma.Operation{
		OperationID: "end-sessions", Method: http.MethodDelete, Path: "/accounts/{name}/sessions", Tags: tags,
		Summary: "Sign an account out everywhere", Errors: []int{http.StatusNotFound},
	}, access.Administer, func(ctx context.Context, in *accountPath) (*endedSessions, error) {
		if _, err := s.Account(ctx, in.Name); err != nil {
			return nil, err
		}
		n, err := s.EndSessions(ctx, in.Name)
		out := &endedSessions{}
		out.Body.Ended = n
		return out, err
	})
}

// pageByName cuts a page out of a list that is short and sorted by name.
func pageByName[R, T any](p *PageInput, all []R, name func(R) string, item func(R) T) (*Page[T], error) {
	var after string
	if _, err := p.After(&after); err != nil {
		return nil, err
	}
	var rows []R
	for _, r := range all {
		if name(r) > after && len(rows) <= p.Limit {
			rows = append(rows, r)
		}
	}
	return NewPage(p, rows, item, func(r R) any { return name(r) }), nil
}
