package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/service/availability"
)

// Order is a connector's communication order.
type Order struct {
	Servers []string `json:"servers"`
}

type orderOutput struct {
	ETag string `header:"ETag" doc:"Of the order: the If-Match of move-server"`
	Body Order
}

type moveInput struct {
	MemberPath
	IfMatch
	Body struct {
		By int `json:"by" minimum:"-1000" maximum:"1000" doc:"Places: -1 is up, 1 is down" example:"-1"`
	}
}

// Moved is what a change of the communication order came to.
type Moved struct {
	Before []string `json:"before"`
	After  []string `json:"after"`
	Effect string   `json:"effect" doc:"Whether anything will switch over because of it"`
}

type movedOutput struct {
	ETag string `header:"ETag" doc:"Of the order after it"`
	Body Moved
}

// Handover is what Make Active does.
type Handover struct {
	From    string   `json:"from" doc:"Who was Active; empty = nobody"`
	To      string   `json:"to"`
	Effects []string `json:"effects" doc:"What happens, in this order"`
	Warning string   `json:"warning,omitempty"`
}

type handoverOutput struct{ Body Handover }

type previewOutput struct {
	ETag string `header:"ETag" doc:"Of who is Active, and who was asked to be: the If-Match of make-active"`
	Body Handover
}

type makeActiveInput struct {
	MemberPath
	IfMatch
}

func showHandover(h availability.Handover) Handover {
	return Handover{h.From, h.To, h.Effects, h.Warning}
}

func registerOrder(a *API, s *availability.Service) {
	tags := []string{"availability"}
	Register(a, huma.Operation{
		OperationID: "get-order", Method: http.MethodGet, Path: "/connectors/{connector}/order",
		Summary: "Show the communication order", Tags: tags, Errors: []int{http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *ConnectorPath) (*orderOutput, error) {
		order, err := s.Order(ctx, in.Connector)
		if err != nil {
			return nil, err
		}
		return &orderOutput{quoted(availability.OrderTag(order)), Order{append([]string{}, order...)}}, nil
	})
	Register(a, huma.Operation{
		OperationID: "move-server", Method: http.MethodPost, Path: "/connectors/{connector}/order/{server}",
		Summary: "Move a server in the communication order", Description: "If-Match is the ETag of get-order: where the order is another by now, nothing is moved.",
		Tags: tags, Errors: append([]int{http.StatusNotFound}, Precondition...),
	}, access.Operate, func(ctx context.Context, in *moveInput) (*movedOutput, error) {
		seen, err := in.Tag()
		if err != nil {
			return nil, err
		}
		m, err := s.Move(ctx, in.Connector, in.Server, in.Body.By, seen, whoAsks(ctx))
		if err != nil {
			return nil, Stale(err)
		}
		access.Remark(ctx, "by %d", in.Body.By)
		return &movedOutput{quoted(availability.OrderTag(m.After)), Moved{m.Before, m.After, m.Effect}}, nil
	})
	registerSwitchover(a, s, tags)
}

func registerSwitchover(a *API, s *availability.Service, tags []string) {
	Register(a, huma.Operation{
		OperationID: "preview-make-active", Method: http.MethodGet, Path: "/connectors/{connector}/active/{server}",
		Summary: "Say what Make Active would do", Tags: tags, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, access.View, func(ctx context.Context, in *MemberPath) (*previewOutput, error) {
		h, err := s.Handover(ctx, in.Connector, in.Server)
		if err != nil {
			return nil, err
		}
		return &previewOutput{quoted(h.Tag), showHandover(h)}, nil
	})
	Register(a, huma.Operation{
		OperationID: "make-active", Method: http.MethodPost, Path: "/connectors/{connector}/active/{server}",
		Summary:     "Ask for a switchover to a server",
		Description: "If-Match is the ETag of preview-make-active: where another server has become Active by now, or was asked to, nothing is asked for.",
		Tags:        tags, DefaultStatus: http.StatusAccepted, Errors: append([]int{http.StatusNotFound}, Precondition...),
	}, access.Operate, func(ctx context.Context, in *makeActiveInput) (*handoverOutput, error) {
		seen, err := in.Tag()
		if err != nil {
			return nil, err
		}
		h, err := s.MakeActive(ctx, in.Connector, in.Server, seen, whoAsks(ctx))
		if err != nil {
			return nil, Stale(err)
		}
		return &handoverOutput{showHandover(h)}, nil
	})
}
