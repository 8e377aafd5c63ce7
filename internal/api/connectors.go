package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/connector/edit"
	"tieline/internal/ha"
	"tieline/internal/service/availability"
	"tieline/internal/service/overview"
)

// Connector is one connector as the API shows it.
type Connector struct {
	Name        string     `json:"name" example:"desk"`
	Document    int64      `json:"document" doc:"Current version of its document"`
	Epoch       int64      `json:"epoch" doc:"Grows at each change of Active"`
	Active      string     `json:"active" doc:"The Active server; empty = nobody is"`
	ActiveSince *time.Time `json:"active_since,omitempty" doc:"When the lease got its holder, or was released"`
	Holder      string     `json:"holder,omitempty" doc:"Whom the lease names: the last Active, also when it is gone"`
	HolderHeard *time.Time `json:"holder_heard,omitempty" doc:"The holder's last heartbeat; absent when another process has its name by now"`
	LeaseEnds   *time.Time `json:"lease_ends,omitempty" doc:"When the lease runs out unless the holder is heard again"`
	Wish        string     `json:"wish,omitempty" doc:"The server that was asked to be Active and is not yet"`
	Settings    HASettings `json:"high_availability"`
	Work        Work       `json:"work"`
	Servers     []Member   `json:"servers" doc:"In communication order"`
}

// HASettings are a connector's high-availability settings.
type HASettings struct {
	Polling   float64 `json:"polling_interval_seconds" minimum:"1" maximum:"3600" example:"30"`
	Tolerance int     `json:"tolerance" minimum:"2" maximum:"100" example:"3"`
	Failback  string  `json:"failback" enum:"manual,automatic"`
	Offline   float64 `json:"offline_after_seconds" readOnly:"true" required:"false" doc:"Polling interval x tolerance: a silent server counts as Offline after it"`
}

// Work is what lies before a connector.
type Work struct {
	Due       int64   `json:"due"`
	InFlight  int64   `json:"in_flight"`
	Parked    int64   `json:"parked"`
	OldestDue float64 `json:"oldest_due_seconds" doc:"since the oldest due change was accepted, also where its tries fail; 0 = nothing is due"`
	PerMinute int64   `json:"delivered_last_minute"`
}

// Member is one server of a connector.
type Member struct {
	Server      string    `json:"server"`
	Rank        int       `json:"rank" doc:"1 is first in communication order"`
	State       string    `json:"state" enum:"Active,Passive,Offline"`
	Standing    string    `json:"standing,omitempty" doc:"More of the state: suspect, draining, not eligible, stopped, known dead, silent"`
	Why         string    `json:"why,omitempty" doc:"The standing's reason, or how it is known"`
	HeartbeatAt time.Time `json:"heartbeat_at" doc:"By the database's clock"`
	Ago         float64   `json:"heartbeat_ago_seconds" doc:"By the same"`
	Runs        int64     `json:"runs" doc:"Document version it runs; 0 = none"`
	Eligible    bool      `json:"eligible" doc:"It can run the current document"`
	Reaches     bool      `json:"reaches_remote" doc:"Its last probe of the remote connected"`
	Reason      string    `json:"reason,omitempty" doc:"What it said of not being eligible, or not reaching"`
}

func showConnector(c overview.Connector) Connector {
	shown := Connector{
		Name: c.Name, Document: c.Settings.Version, Epoch: c.Epoch, Active: c.Active, ActiveSince: told(c.ActiveSince),
		Holder: c.Holder, HolderHeard: told(c.Heard), LeaseEnds: told(c.LeaseEnds), Wish: c.Wish,
		Settings: showSettings(c.Settings), Servers: make([]Member, 0, len(c.Members)),
		Work: Work{c.Work.Due, c.Work.InFlight, c.Work.Parked, c.Work.OldestDue.Seconds(), c.Work.PerMinute},
	}
	for _, m := range c.Members {
		shown.Servers = append(shown.Servers, Member{
			Server: m.Server, Rank: m.Rank, State: string(m.State), Standing: string(m.Standing), Why: m.Why,
			HeartbeatAt: m.Last.At, Ago: m.Last.Ago.Seconds(), Runs: m.Runs, Eligible: m.Eligible, Reaches: m.Reaches, Reason: m.Reason,
		})
	}
	return shown
}

func showSettings(s ha.Settings) HASettings {
	return HASettings{s.Polling.Seconds(), s.Tolerance, string(s.Failback), s.Length().Seconds()}
}

// MemberPath names a server of a connector.
type MemberPath struct {
	ConnectorPath
	Server string `path:"server" maxLength:"63" example:"ams1"`
}

type oneConnector struct{ Body Connector }

type listConnectors struct {
	PageInput
	Text      string `query:"q" maxLength:"100" doc:"Part of a connector's name"`
	Attention bool   `query:"attention" doc:"Only those that need a person"`
}

func registerConnectors(a *API, o *overview.Service, s *availability.Service) {
	tags := []string{"connectors"}
	Register(a, huma.Operation{
		OperationID: "list-connectors", Method: http.MethodGet, Path: "/connectors", Summary: "List connectors with their servers' states", Tags: tags,
	}, access.View, func(ctx context.Context, in *listConnectors) (*Page[Connector], error) {
		snapshot, err := o.Read(ctx)
		if err != nil {
			return nil, err
		}
		return pageByName(&in.PageInput, snapshot.Find(in.Text, in.Attention), func(c overview.Connector) string { return c.Name }, showConnector)
	})
	Register(a, huma.Operation{
		OperationID: "get-connector", Method: http.MethodGet, Path: "/connectors/{connector}", Summary: "Show a connector with its servers' states", Tags: tags,
		Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *ConnectorPath) (*oneConnector, error) {
		c, _, err := o.Connector(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		return &oneConnector{showConnector(c)}, nil
	})
	registerOrder(a, s)
	registerSettings(a, o, s)
	registerActiveHistory(a, o, s)
}

type settingsOutput struct {
	ETag string `header:"ETag" doc:"Of the document the settings are part of"`
	Body HASettings
}

type settingsInput struct {
	ConnectorPath
	IfMatch
	Body HASettings
}

// ChangedSettings is what a change of the settings came to.
type ChangedSettings struct {
	Document int64         `json:"document" doc:"Version of the document that has them"`
	Changes  []edit.Change `json:"changes" doc:"Empty = they were these already, and no version was made"`
}

type changedOutput struct {
	ETag string `header:"ETag"`
	Body ChangedSettings
}

func registerSettings(a *API, o *overview.Service, s *availability.Service) {
	tags := []string{"availability"}
	Register(a, huma.Operation{
		OperationID: "get-availability", Method: http.MethodGet, Path: "/connectors/{connector}/availability",
		Summary: "Show high-availability settings", Tags: tags, Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *ConnectorPath) (*settingsOutput, error) {
		c, _, err := o.Connector(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		return &settingsOutput{ETag(c.Settings.Version), showSettings(c.Settings)}, nil
	})
	Register(a, huma.Operation{
		OperationID: "set-availability", Method: http.MethodPut, Path: "/connectors/{connector}/availability",
		Summary: "Change high-availability settings, as a new version of the document", Tags: tags,
		Errors: append([]int{http.StatusNotFound, http.StatusBadRequest}, Precondition...),
	}, access.Operate, func(ctx context.Context, in *settingsInput) (*changedOutput, error) {
		base, err := in.Version()
		if err != nil {
			return nil, err
		}
		who, _ := access.From(ctx)
		changed, err := s.Change(ctx, in.Connector, availability.Settings{
			Polling: time.Duration(in.Body.Polling * float64(time.Second)), Tolerance: in.Body.Tolerance, Failback: ha.Failback(in.Body.Failback),
		}, base, who.Name)
		if err != nil {
			return nil, Stale(err)
		}
		access.Remark(ctx, "document version %d", changed.Version)
		changes := changed.Changes
		if changes == nil {
			changes = []edit.Change{}
		}
		return &changedOutput{ETag(changed.Version), ChangedSettings{changed.Version, changes}}, nil
	})
}
