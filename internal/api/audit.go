package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
)

// AuditEntry is one line of the audit.
type AuditEntry struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at" doc:"By the database's clock"`
	Who     string    `json:"who" doc:"Empty when nobody signed in"`
	Role    string    `json:"role"`
	Via     string    `json:"via" doc:"session, oidc, token, cli; empty when nobody signed in"`
	Action  string    `json:"action"`
	Target  string    `json:"target"`
	Detail  string    `json:"detail"`
	Outcome string    `json:"outcome" enum:"done,unchanged,refused,failed,begun" doc:"unchanged: there was nothing to change; begun: under way, or the server was stopped before it said what became of it"`
	Address string    `json:"address" doc:"Of the client"`
	Server  string    `json:"server" doc:"That answered"`
}

func showEntry(e access.Entry) AuditEntry {
	return AuditEntry{
		ID: e.ID, At: e.At, Who: e.Who, Role: string(e.Role), Via: e.Via, Action: e.Action, Target: e.Target,
		Detail: e.Detail, Outcome: string(e.Outcome), Address: e.Address, Server: e.Server,
	}
}

type auditInput struct {
	PageInput
	Who     string `query:"who" maxLength:"110" doc:"Of this account or token (token:NAME)"`
	Outcome string `query:"outcome" enum:"done,unchanged,refused,failed,begun"`
	Text    string `query:"text" maxLength:"200" doc:"Anywhere in action, target or detail"`
}

func registerAudit(a *API, s *access.Service) {
	Register(a, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/audit", Tags: []string{"audit"},
		Summary: "List changes and refusals, the newest first", Errors: []int{http.StatusBadRequest},
	}, access.Administer, func(ctx context.Context, in *auditInput) (*Page[AuditEntry], error) {
		q := access.Query{Who: in.Who, Outcome: access.Outcome(in.Outcome), Text: in.Text, Limit: in.Limit + 1}
		if _, err := in.After(&q.Before); err != nil {
			return nil, err
		}
		rows, err := s.Audit(ctx, q)
		if err != nil {
			return nil, err
		}
		return NewPage(&in.PageInput, rows, showEntry, func(e access.Entry) any { return e.ID }), nil
	})
}
