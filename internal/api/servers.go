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

// Server is one server of the management group.
type Server struct {
	Name        string    `json:"name" example:"ams1"`
	On          bool      `json:"on"`
	Standing    string    `json:"standing,omitempty" doc:"Why it is not on, or that it is suspect"`
	Why         string    `json:"why,omitempty" doc:"The same in a sentence, with how it is known"`
	Address     string    `json:"address"`
	Version     string    `json:"version" doc:"Of the program"`
	HeartbeatAt time.Time `json:"heartbeat_at" doc:"By the database's clock"`
	Ago         float64   `json:"heartbeat_ago_seconds"`
	Active      []string  `json:"active_for" doc:"Connectors"`
	Others      []string  `json:"stands_by_for" doc:"Connectors that it is a member of and not Active for"`
	Serves      int       `json:"serves" doc:"How many connectors it is a member of"`
}

func showServer(s overview.Server) Server {
	active, others := append([]string{}, s.Active...), append([]string{}, s.Others...)
	return Server{
		Name: s.Name, On: s.On, Standing: string(s.Standing), Why: s.Why, Address: s.Address, Version: s.Version,
		HeartbeatAt: s.Last.At, Ago: s.Last.Ago.Seconds(), Active: active, Serves: len(s.Active) + len(s.Others), Others: others,
	}
}

type serverPath struct {
	Server string `path:"server" maxLength:"63" example:"ams1"`
}

// Refreshed is what came of asking all servers for a heartbeat.
type Refreshed struct {
	Servers []Server `json:"servers"`
	Silent  []string `json:"silent" doc:"Those that count as on and did not answer"`
}

type refreshedOutput struct{ Body Refreshed }

func registerServers(a *API, o *overview.Service, s *availability.Service) {
	tags := []string{"servers"}
	Register(a, huma.Operation{
		OperationID: "list-servers", Method: http.MethodGet, Path: "/servers", Summary: "List the servers of the management group", Tags: tags,
	}, access.View, func(ctx context.Context, in *struct{ PageInput }) (*Page[Server], error) {
		snapshot, err := o.Read(ctx)
		if err != nil {
			return nil, err
		}
		return pageByName(&in.PageInput, snapshot.Servers, func(v overview.Server) string { return v.Name }, showServer)
	})
	Register(a, huma.Operation{
		OperationID: "refresh", Method: http.MethodPost, Path: "/refresh", Summary: "Ask every server for a heartbeat now", Tags: tags,
	}, access.View, func(ctx context.Context, _ *struct{}) (*refreshedOutput, error) {
		snapshot, silent, err := o.Refresh(ctx)
		if err != nil {
			return nil, err
		}
		out := &refreshedOutput{Refreshed{Servers: []Server{}, Silent: append([]string{}, silent...)}}
		for _, v := range snapshot.Servers {
			out.Body.Servers = append(out.Body.Servers, showServer(v))
		}
		return out, nil
	})
	Register(a, huma.Operation{
		OperationID: "remove-server", Method: http.MethodDelete, Path: "/servers/{server}", Summary: "Remove a server from the management group", Tags: tags,
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, access.Operate, func(ctx context.Context, in *serverPath) (*nothing, error) {
		who, _ := access.From(ctx)
		return nil, s.Remove(ctx, in.Server, who.Name)
	})
	registerHistory(a, s)
}

// HistoryLine is one change: of who is Active, of who may be, or of a document.
type HistoryLine struct {
	At        time.Time `json:"at" doc:"By the database's clock"`
	Connector string    `json:"connector"`
	Kind      string    `json:"kind" enum:"availability,document"`
	Epoch     int64     `json:"epoch,omitempty"`
	From      string    `json:"from,omitempty" doc:"The server that was Active, or left"`
	To        string    `json:"to,omitempty" doc:"The server that became Active, or was changed"`
	Reason    string    `json:"reason,omitempty"`
	Version   int64     `json:"version,omitempty" doc:"Of the document"`
	Comment   string    `json:"comment,omitempty"`
	Who       string    `json:"who,omitempty" doc:"The person; absent = the servers of themselves"`
}

func showLine(l availability.Line) HistoryLine {
	line := HistoryLine{At: l.At, Connector: l.Connector, Who: l.Who, Kind: "availability"}
	if e := l.Event; e != nil {
		line.Epoch, line.From, line.To, line.Reason = e.Epoch, e.From, e.To, e.Reason
		return line
	}
	line.Kind, line.Version, line.Comment = "document", l.Document.Version, l.Document.Comment
	return line
}

type historyInput struct {
	PageInput
	Connector string `query:"connector" maxLength:"40" doc:"Of this connector only"`
}

func registerHistory(a *API, s *availability.Service) {
	Register(a, huma.Operation{
		OperationID: "list-history", Method: http.MethodGet, Path: "/history", Tags: []string{"availability"},
		Summary: "List failovers and changes of orders and documents, newest first", Errors: []int{http.StatusBadRequest},
	}, access.View, func(ctx context.Context, in *historyInput) (*Page[HistoryLine], error) {
		var before time.Time
		if _, err := in.After(&before); err != nil {
			return nil, err
		}
		log, err := s.Log(ctx, in.Connector, before, in.Limit+1)
		if err != nil {
			return nil, err
		}
		return NewPage(&in.PageInput, log.Lines, showLine, func(l availability.Line) any { return l.At }), nil
	})
}
