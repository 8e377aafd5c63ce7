package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/service/availability"
	"tieline/internal/service/overview"
)

// ActiveHistory is who was Active when, in a window of time. All times are by the
// database's clock.
type ActiveHistory struct {
	Connector string       `json:"connector" example:"desk"`
	Since     time.Time    `json:"since"`
	Until     time.Time    `json:"until"`
	Complete  bool         `json:"complete" doc:"False where there were more changes than are read: the oldest are left out"`
	Active    []ActiveTime `json:"active" doc:"The oldest first"`
	Gaps      []GapTime    `json:"gaps" doc:"When nobody was Active, the oldest first"`
	Nobody    *GapTime     `json:"nobody,omitempty" doc:"The gap that goes on now, from its begin; absent = somebody is Active, or nobody ever was"`
}

// ActiveTime is a time during which a server was Active.
type ActiveTime struct {
	Server  string    `json:"server" example:"ams1"`
	Epoch   int64     `json:"epoch"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Open    bool      `json:"open" doc:"It still is; to is now"`
	Earlier bool      `json:"earlier" doc:"It began before the window"`
}

// GapTime is a time during which nobody was Active.
type GapTime struct {
	From    time.Time `json:"from" doc:"The last that is known of the Active before"`
	Latest  time.Time `json:"latest" doc:"By when it had ended: from, where that was seen or told"`
	To      time.Time `json:"to"`
	Least   float64   `json:"least_seconds"`
	Most    float64   `json:"most_seconds"`
	Of      string    `json:"of,omitempty" doc:"The server that was Active before"`
	Reason  string    `json:"reason,omitempty" doc:"Why it was gone"`
	Planned bool      `json:"planned" doc:"It was handed over"`
	Unknown bool      `json:"unknown" doc:"Nothing tells when the Active ended: it may have been longer"`
	Open    bool      `json:"open" doc:"Nobody is Active now"`
}

type activeHistoryInput struct {
	ConnectorPath
	Hours float64 `query:"hours" minimum:"0.1" maximum:"720" default:"24" doc:"How far back the window reaches"`
}

func showGap(g availability.Gap) GapTime {
	return GapTime{
		From: g.From, Latest: g.Latest, To: g.To, Least: g.Least().Seconds(), Most: g.Most().Seconds(),
		Of: g.Of, Reason: string(g.Reason), Planned: g.Planned, Unknown: g.Unknown, Open: g.Open,
	}
}

func showActiveHistory(connector string, h availability.History) ActiveHistory {
	shown := ActiveHistory{
		Connector: connector, Since: h.Since, Until: h.Until, Complete: h.Complete,
		Active: make([]ActiveTime, 0, len(h.Bands)), Gaps: make([]GapTime, 0, len(h.Gaps)),
	}
	for _, b := range h.Bands {
		shown.Active = append(shown.Active, ActiveTime{b.Server, b.Epoch, b.From, b.To, b.Open, b.Earlier})
	}
	for _, g := range h.Gaps {
		shown.Gaps = append(shown.Gaps, showGap(g))
	}
	if h.Nobody != nil {
		gap := showGap(*h.Nobody)
		shown.Nobody = &gap
	}
	return shown
}

func registerActiveHistory(a *API, o *overview.Service, s *availability.Service) {
	Register(a, huma.Operation{
		OperationID: "get-active-history", Method: http.MethodGet, Path: "/connectors/{connector}/history", Tags: []string{"availability"},
		Summary: "Show who was Active when, and when nobody was", Description: "list-history has the changes one by one.",
		Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *activeHistoryInput) (*struct{ Body ActiveHistory }, error) {
		c, snapshot, err := o.Connector(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		h, err := s.History(ctx, c, snapshot.At, time.Duration(in.Hours*float64(time.Hour)))
		if err != nil {
			return nil, err
		}
		return &struct{ Body ActiveHistory }{showActiveHistory(c.Name, h)}, nil
	})
}
