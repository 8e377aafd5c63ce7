package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// Trial is one stored alert of a dry run.
type Trial struct {
	Alert    string `json:"alert" doc:"Its id"`
	Source   string `json:"source"`
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Status   string `json:"status" enum:"open,closed"`
	documents.Trial
}

// DryRun is what a draft would make of the newest stored alerts.
type DryRun struct {
	documents.DryRun
	TookMillis int64   `json:"took_ms"`
	Trials     []Trial `json:"trials"`
}

// Probe is what a remote answered.
type Probe struct {
	documents.Probe
	TookMillis int64 `json:"took_ms"`
}

type countInput struct {
	ConnectorPath
	Subscription string `query:"subscription" maxLength:"10000" doc:"CEL; empty = every alert"`
}

type valueInput struct {
	ConnectorPath
	Template string `query:"template" maxLength:"10000"`
	CEL      string `query:"cel" maxLength:"10000"`
	Alert    string `query:"alert" maxLength:"40" doc:"An alert's id; empty = the newest stored alert of the sources"`
}

type probeInput struct {
	ConnectorPath
	Body struct {
		Endpoint int `json:"endpoint" minimum:"0" doc:"Which one, counted from 0"`
	}
}

func registerTries(a *API, s *documents.Service) {
	tags := documentTags
	Register(a, huma.Operation{
		OperationID: "dry-run", Method: http.MethodGet, Path: "/connectors/{connector}/draft/dry-run", Tags: tags,
		Summary: "Try the draft on the newest stored alerts; nothing is sent", Errors: []int{http.StatusNotFound, http.StatusBadRequest},
	}, access.View, func(ctx context.Context, in *struct {
		ConnectorPath
		Alerts int `query:"alerts" minimum:"1" maximum:"500" default:"50" doc:"On how many"`
	}) (*struct{ Body DryRun }, error) {
		state, err := s.Open(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		run, err := s.DryRun(ctx, state, in.Alerts)
		if err != nil {
			return nil, err
		}
		return &struct{ Body DryRun }{showRun(run)}, nil
	})
	Register(a, huma.Operation{
		OperationID: "count-subscription", Method: http.MethodGet, Path: "/connectors/{connector}/draft/count", Tags: tags,
		Summary: "Count the newest stored alerts that a subscription would take", Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *countInput) (*struct{ Body documents.Count }, error) {
		state, err := s.Open(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		count, err := s.Subscription(ctx, state, in.Subscription)
		return &struct{ Body documents.Count }{count}, err
	})
	Register(a, huma.Operation{
		OperationID: "preview-value", Method: http.MethodGet, Path: "/connectors/{connector}/draft/value", Tags: tags,
		Summary: "Show what a template or an expression comes to for a stored alert", Errors: []int{http.StatusNotFound, http.StatusBadRequest},
	}, access.View, func(ctx context.Context, in *valueInput) (*struct{ Body documents.Preview }, error) {
		p, err := preview(ctx, s, in)
		return &struct{ Body documents.Preview }{p}, err
	})
}

func registerProbe(a *API, s *documents.Service) {
	Register(a, huma.Operation{
		OperationID: "probe-remote", Method: http.MethodPost, Path: "/connectors/{connector}/draft/probe", Tags: documentTags,
		Summary: "Ask an endpoint of the remote system, from this server, whether it answers", Errors: []int{http.StatusNotFound, http.StatusBadRequest},
	}, access.Operate, func(ctx context.Context, in *probeInput) (*struct{ Body Probe }, error) {
		state, err := s.Open(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		probe, err := s.Probe(ctx, who, state, in.Body.Endpoint)
		return &struct{ Body Probe }{Probe{probe, probe.Took.Milliseconds()}}, err
	})
}

func preview(ctx context.Context, s *documents.Service, in *valueInput) (documents.Preview, error) {
	state, err := s.Open(ctx, in.Connector)
	if err != nil {
		return documents.Preview{}, err
	}
	a, err := s.Alert(ctx, state, in.Alert)
	switch {
	case err != nil:
		return documents.Preview{}, err
	case a == nil:
		return documents.Preview{}, fault.New(fault.NotFound, "no alert of the connector's sources is stored").WithNext("Send one, then try again.")
	}
	return s.Value(a, connector.Value{Template: in.Template, CEL: in.CEL}), nil
}

func showRun(run documents.DryRun) DryRun {
	shown := DryRun{DryRun: run, TookMillis: run.Took.Milliseconds(), Trials: []Trial{}}
	for _, t := range run.Trials {
		shown.Trials = append(shown.Trials, Trial{
			Alert: t.Alert.ID.String(), Source: t.Alert.Source, Severity: t.Alert.Severity, Summary: t.Alert.Summary,
			Status: string(t.Alert.Status), Trial: t,
		})
	}
	return shown
}
