package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
)

// Token is an API token as the API shows it: without its text.
type Token struct {
	Name      string     `json:"name" example:"ci"`
	Role      string     `json:"role" enum:"viewer,operator,admin"`
	Effective string     `json:"effective_role" enum:"viewer,operator,admin" doc:"What it may do now: its role, or the lesser one of the account that made it"`
	CreatedBy string     `json:"created_by" doc:"The account that made it, with which it ends; cli:WHO for one made at the command line"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	UsedAt    *time.Time `json:"used_at,omitempty" doc:"Last use, to the minute; absent when there was none"`
}

// CreatedToken is a token with its text, which is shown this once.
type CreatedToken struct {
	Token
	Text string `json:"token" doc:"Send it as Authorization: Bearer TOKEN. It is not shown again."`
}

func showToken(t access.Token) Token {
	return Token{
		Name: t.Name, Role: string(t.Role), Effective: string(t.Effective()), CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, UsedAt: told(t.UsedAt),
	}
}

type newToken struct {
	Body struct {
		Name string `json:"name" maxLength:"100"`
		Role string `json:"role" enum:"viewer,operator,admin"`
		Days int    `json:"days" minimum:"1" maximum:"366" default:"90" doc:"How long it is valid"`
	}
}

type createdToken struct{ Body CreatedToken }

type tokenPath struct {
	Name string `path:"name" maxLength:"100" example:"ci"`
}

func registerTokens(a *API, s *access.Service) {
	tags := []string{"tokens"}
	Register(a, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/tokens", Summary: "List API tokens", Tags: tags,
	}, access.Administer, func(ctx context.Context, in *struct{ PageInput }) (*Page[Token], error) {
		all, err := s.Tokens(ctx)
		if err != nil {
			return nil, err
		}
		return pageByName(&in.PageInput, all, func(t access.Token) string { return t.Name }, showToken)
	})
	Register(a, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/tokens", Summary: "Make an API token", Tags: tags,
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusBadRequest, http.StatusConflict},
	}, access.Administer, func(ctx context.Context, in *newToken) (*createdToken, error) {
		who, _ := access.From(ctx)
		t, text, err := s.CreateToken(ctx, access.NewToken{
			Name: in.Body.Name, Role: access.Role(in.Body.Role), Valid: time.Duration(in.Body.Days) * 24 * time.Hour, Who: who.Maker(),
		})
		if err != nil {
			return nil, err
		}
		access.Remark(ctx, "%s as %s until %s", t.Name, t.Role, t.ExpiresAt.Format(time.DateOnly))
		return &createdToken{CreatedToken{showToken(t), text.Reveal()}}, nil
	})
	Register(a, huma.Operation{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/tokens/{name}", Summary: "Revoke an API token", Tags: tags,
		Errors: []int{http.StatusNotFound},
	}, access.Administer, func(ctx context.Context, in *tokenPath) (*nothing, error) {
		return nil, s.RevokeToken(ctx, in.Name)
	})
}
