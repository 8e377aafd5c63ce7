package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access"
	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/service/alerts"
)

type listAlerts struct {
	PageInput
	Text      string `query:"q" maxLength:"500" doc:"In the key or a value of the content, in any case; or part of a ticket id, or of an alert id (6 or more). What is named by a whole ticket id, or by 8 or more of an alert id's beginning, comes first. A page may be short and have a next one all the same: each looks through so many alerts at most"`
	Connector string `query:"connector" maxLength:"200" doc:"Forwarded by this connector"`
	Source    string `query:"source" maxLength:"200" doc:"Raised by this source"`
	Severity  string `query:"severity" maxLength:"200" doc:"The source's own word"`
	Status    string `query:"status" enum:"open,closed"`
	Stage     string `query:"stage" enum:"fresh,uncertain,looked,verify,twins,settled" doc:"What is known of a ticket"`
	Parked    bool   `query:"parked" doc:"One of its links is parked"`
	Overdue   bool   `query:"overdue" doc:"One of its links could have been sent for more than a minute"`
}

func (in *listAlerts) query() (alerts.Query, error) {
	q := alerts.Query{
		Text: in.Text, Connector: in.Connector, Source: in.Source, Severity: in.Severity,
		Status: alert.Status(in.Status), Stage: alert.Stage(in.Stage), Parked: in.Parked, Limit: in.Limit,
	}
	if in.Overdue {
		q.Overdue = alerts.OverdueAfter
	}
	_, err := in.After(&q.Before)
	return q, err
}

// AlertPath names the alert an operation is about.
type AlertPath struct {
	Alert string `path:"alert" maxLength:"200" doc:"The alert's id, enough of its beginning, or a ticket id" example:"019ce9a1-52c1-7be0-a6a5-0e9b4a5c7f10"`
}

type oneAlert struct {
	ETag string `header:"ETag" doc:"Of the alert's revision"`
	Body ExplainedAlert
}

type editAlert struct {
	AlertPath
	IfMatch
	Body struct {
		Fields map[string]string `json:"fields" minProperties:"1" maxProperties:"500" doc:"By name: severity, summary, description, url, labels.NAME, annotations.NAME"`
	}
}

type retryAlert struct {
	AlertPath
	MayMatch
	Body struct {
		Connector string `json:"connector,omitempty" maxLength:"200" doc:"Absent: of every connector"`
	}
}

type giveAlertUp struct {
	AlertPath
	IfMatch
	Body struct {
		Connector string `json:"connector" minLength:"1" maxLength:"200"`
		Reason    string `json:"reason" minLength:"1" maxLength:"500"`
	}
}

type takeUp struct {
	AlertPath
	IfMatch
	Body struct {
		Connector string `json:"connector" minLength:"1" maxLength:"200"`
	}
}

// counted is how many links an operation was done to.
type counted struct {
	Body struct {
		Links int `json:"links"`
	}
}

func countedAs(n int, err error) (*counted, error) {
	out := &counted{}
	out.Body.Links = n
	return out, err
}

func registerAlerts(a *API, s *alerts.Service) {
	tags := []string{"alerts"}
	Register(a, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/alerts", Summary: "List alerts with their tickets, the newest first", Tags: tags,
		Errors: []int{http.StatusBadRequest, http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *listAlerts) (*Page[Alert], error) {
		q, err := in.query()
		if err == nil {
			err = s.CheckFilter(ctx, in.Connector)
		}
		if err != nil {
			return nil, err
		}
		list, err := s.List(ctx, q)
		if err != nil {
			return nil, err
		}
		var next any
		if list.Next != (alerts.Cursor{}) {
			next = list.Next
		}
		return pageBefore(&in.PageInput, list.Rows, showRow, next), nil
	})
	Register(a, huma.Operation{
		OperationID: "show-alert", Method: http.MethodGet, Path: "/alerts/{alert}", Tags: tags,
		Summary: "Show an alert, and why it has a ticket or none", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, access.View, func(ctx context.Context, in *AlertPath) (*oneAlert, error) {
		id, err := s.Find(ctx, in.Alert)
		if err != nil {
			return nil, err
		}
		return explained(ctx, s, id)
	})
	Register(a, huma.Operation{
		OperationID: "list-alert-events", Method: http.MethodGet, Path: "/alerts/{alert}/timeline", Tags: tags,
		Summary: "What happened to an alert, oldest first", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, access.View, func(ctx context.Context, in *struct {
		AlertPath
		PageInput
	}) (*Page[AlertEvent], error) {
		return timelineOf(ctx, s, in.Alert, &in.PageInput)
	})
	registerAlertChanges(a, s, tags)
	registerParked(a, s)
}

func registerAlertChanges(a *API, s *alerts.Service, tags []string) {
	gone := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}
	Register(a, huma.Operation{
		OperationID: "edit-alert", Method: http.MethodPatch, Path: "/alerts/{alert}", Tags: tags,
		Summary: "Set fields of an alert until its source says something else in them, and send it", Errors: append(gone, Precondition...),
	}, access.Operate, func(ctx context.Context, in *editAlert) (*oneAlert, error) {
		return changeAlert(ctx, s, in)
	})
	registerLinkChanges(a, s, tags, gone)
}

// ofLink says which ETag an operation on a link means.
const ofLink = "If-Match is the etag of the connector's link to its remote system, which list-alerts, show-alert and list-parked tell: where the link is another by now, nothing is done."

func registerLinkChanges(a *API, s *alerts.Service, tags []string, gone []int) {
	Register(a, huma.Operation{
		OperationID: "retry-alert", Method: http.MethodPost, Path: "/alerts/{alert}/retry", Tags: tags,
		Summary: "Make an alert's links due now, parked or waiting", Description: "Without If-Match, whatever became of them. " + ofLink,
		Errors: append(gone, http.StatusPreconditionFailed),
	}, access.Operate, func(ctx context.Context, in *retryAlert) (*counted, error) {
		return retry(ctx, s, in)
	})
	Register(a, huma.Operation{
		OperationID: "give-alert-up", Method: http.MethodPost, Path: "/alerts/{alert}/give-up", Tags: tags,
		Summary: "End a parked link that has no ticket and never will", Description: ofLink, Errors: append(gone, Precondition...),
	}, access.Operate, func(ctx context.Context, in *giveAlertUp) (*counted, error) {
		seen, err := in.Tag()
		if err != nil {
			return nil, err
		}
		id, err := s.Find(ctx, in.Alert)
		if err != nil {
			return nil, err
		}
		if err := s.Forwards(ctx, id, in.Body.Connector); err != nil {
			return nil, err
		}
		link := alert.LinkID{Connector: in.Body.Connector, Alert: id, Side: alert.Remote}
		r := alerts.DeskRequest{Links: []alert.LinkID{link}, Seen: alerts.Saw(link, seen), Who: whoAsks(ctx)}
		n, err := s.GiveUp(ctx, r, in.Body.Reason)
		return countedAs(n, unlessChanged(err))
	})
	Register(a, huma.Operation{
		OperationID: "take-alert-up", Method: http.MethodPost, Path: "/alerts/{alert}/take-up", Tags: tags,
		Summary: "Make a link due again that was given up", Description: ofLink, Errors: append(gone, Precondition...),
	}, access.Operate, func(ctx context.Context, in *takeUp) (*nothing, error) {
		seen, err := in.Tag()
		if err != nil {
			return nil, err
		}
		id, err := s.Find(ctx, in.Alert)
		if err != nil {
			return nil, err
		}
		return nil, unlessChanged(s.TakeUp(ctx, whoAsks(ctx), alert.LinkID{Connector: in.Body.Connector, Alert: id, Side: alert.Remote}, seen))
	})
}

func retry(ctx context.Context, s *alerts.Service, in *retryAlert) (*counted, error) {
	seen, err := in.Tag()
	if err != nil {
		return nil, err
	}
	if seen != "" && in.Body.Connector == "" {
		return nil, fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "body.connector", Message: "must name the connector whose link If-Match is of"}})
	}
	id, err := s.Find(ctx, in.Alert)
	if err != nil {
		return nil, err
	}
	n, err := s.Retry(ctx, whoAsks(ctx), in.Body.Connector, id, seen)
	return countedAs(n, unlessChanged(err))
}

// unlessChanged makes the conflict about a link that is not as it was seen into
// 412; other errors pass.
func unlessChanged(err error) error {
	if errors.Is(err, alerts.ErrChanged) {
		return Stale(err)
	}
	return err
}

func whoAsks(ctx context.Context) string {
	p, _ := access.From(ctx)
	return p.Name
}

func explained(ctx context.Context, s *alerts.Service, id alert.ID) (*oneAlert, error) {
	e, err := s.Show(ctx, id)
	if err != nil {
		return nil, err
	}
	return &oneAlert{ETag: ETag(e.Revision), Body: showExplained(e)}, nil
}

func changeAlert(ctx context.Context, s *alerts.Service, in *editAlert) (*oneAlert, error) {
	base, err := in.Version()
	if err != nil {
		return nil, err
	}
	id, err := s.Find(ctx, in.Alert)
	if err != nil {
		return nil, err
	}
	if _, err := s.Edit(ctx, whoAsks(ctx), id, base, in.Body.Fields); err != nil {
		return nil, Stale(err)
	}
	return explained(ctx, s, id)
}

// timelineOf answers with a page of an alert's timeline, which is read whole:
// nothing happens to one alert thousands of times.
func timelineOf(ctx context.Context, s *alerts.Service, text string, in *PageInput) (*Page[AlertEvent], error) {
	id, err := s.Find(ctx, text)
	if err != nil {
		return nil, err
	}
	e, err := s.Show(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := s.Timeline(ctx, e.Alert)
	if err != nil {
		return nil, err
	}
	var from int
	if _, err := in.After(&from); err != nil {
		return nil, err
	}
	type placed struct {
		alerts.Event
		place int
	}
	var rest []placed
	for i, event := range events {
		if i >= from {
			rest = append(rest, placed{event, i + 1})
		}
	}
	return NewPage(in, rest, func(p placed) AlertEvent { return showEvent(p.Event) }, func(p placed) any { return p.place }), nil
}
