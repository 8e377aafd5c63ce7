package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tieline/internal/access"
	"tieline/internal/fault"
)

// Request is embedded in the input of an operation that asks for what is known of
// whoever calls besides the principal.
type Request struct{ request *http.Request }

// Resolve implements huma.Resolver.
func (q *Request) Resolve(ctx huma.Context) []error {
	q.request, _ = humago.Unwrap(ctx)
	return nil
}

type ownPassword struct {
	Request
	Body struct {
		Present  string `json:"present" maxLength:"1000" format:"password"`
		Password string `json:"password" minLength:"12" format:"password" doc:"The new one"`
	}
}

// registerOwn adds what people do with their own account.
func registerOwn(a *API, s *access.Service, tags []string) {
	Register(a, huma.Operation{
		OperationID: "change-own-password", Method: http.MethodPost, Path: "/me/password", Tags: tags,
		Summary:     "Change one's own password; ends one's sessions, this one too",
		Description: "For who is signed in with a password here: not for an API token, nor for who signs in at the OpenID provider.",
		Errors:      []int{http.StatusBadRequest, http.StatusConflict, http.StatusTooManyRequests},
	}, access.View, func(ctx context.Context, in *ownPassword) (*nothing, error) {
		p, err := person(ctx)
		if err != nil {
			return nil, err
		}
		if p.Via != access.ViaSession {
			return nil, fault.New(fault.Refused, p.Name+" has no password here: the OpenID provider has it").WithNext("Change it there.")
		}
		_, err = s.ChangeOwnPassword(ctx, p.Name, in.Body.Present, in.Body.Password, a.origin(in.request, p.Name))
		return nil, err
	})
	Register(a, huma.Operation{
		OperationID: "end-own-sessions", Method: http.MethodDelete, Path: "/me/sessions", Tags: tags,
		Summary: "Sign oneself out everywhere; ends this session too", Description: "Not for an API token, which has no sessions.",
	}, access.View, func(ctx context.Context, _ *nothing) (*endedSessions, error) {
		p, err := person(ctx)
		if err != nil {
			return nil, err
		}
		n, err := s.EndSessions(ctx, p.Name)
		access.Remark(ctx, "%d sessions", n)
		out := &endedSessions{}
		out.Body.Ended = n
		return out, err
	})
}

// person is who asks; the error is fault.Forbidden for an API token, which is no
// account.
func person(ctx context.Context) (access.Principal, error) {
	p, _ := access.From(ctx)
	if p.Via == access.ViaToken {
		return p, fault.New(fault.Forbidden, p.Name+" is an API token, which has neither password nor sessions").
			WithNext("Sign in and ask with the session; an administrator can use change-account and end-sessions.")
	}
	return p, nil
}
