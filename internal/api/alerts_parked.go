package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"tieline/internal/access"
	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/service/alerts"
)

// ParkedLink is a link that needs a person.
type ParkedLink struct {
	LinkName
	Reason    string    `json:"reason"`
	Since     time.Time `json:"since"`
	Ticket    string    `json:"ticket,omitempty"`
	TicketURL string    `json:"ticket_url,omitempty"`
	MayGiveUp bool      `json:"may_give_up" doc:"It has no ticket and never will"`
	Of        Alert     `json:"of" doc:"The alert, without its links"`

	Tried   *AlertEvent    `json:"tried,omitempty" doc:"What the remote system was sent last and did not take; its text is the ticket's content. Absent: nothing was sent"`
	Message *TicketMessage `json:"message,omitempty" doc:"What a retry sends, by the current document"`
}

// LinkName names a link.
type LinkName struct {
	Alert     string `json:"alert" format:"uuid"`
	Connector string `json:"connector" minLength:"1" maxLength:"200"`
	Side      string `json:"side,omitempty" enum:"remote,source" default:"remote"`
	ETag      string `json:"etag,omitempty" maxLength:"100" doc:"Of the link as it is. Sent back, nothing is done to any of the links once this one is another. Giving up needs it of each"`
}

func (n LinkName) id() (alert.LinkID, error) {
	id, err := uuid.Parse(n.Alert)
	if err != nil {
		return alert.LinkID{}, fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "body.links.alert", Message: "is no alert's id"}})
	}
	side := alert.Side(n.Side)
	if side == "" {
		side = alert.Remote
	}
	return alert.LinkID{Alert: id, Connector: n.Connector, Side: side}, nil
}

func showParked(p alerts.DeskLink) ParkedLink {
	shown := ParkedLink{
		LinkName: LinkName{p.Alert.String(), p.Connector, string(p.Side), quoted(p.Tag())}, Reason: p.Parked, Since: p.Since,
		Ticket: p.Ticket, TicketURL: p.TicketURL, MayGiveUp: alerts.MayGiveUp(p.Link), Of: showAlert(p.Of),
		Message: showMessage(p.Message),
	}
	if p.Tried != nil {
		tried := showEvent(*p.Tried)
		shown.Tried = &tried
	}
	return shown
}

type listParked struct {
	PageInput
	Connector string `query:"connector" maxLength:"200"`
	Text      string `query:"q" maxLength:"500" doc:"In the reason, in any case"`
}

// parkedList is a page of the desk, with the tag of all that the filter finds.
type parkedList struct {
	ETag string `header:"ETag" doc:"Of all that connector and q find, on every page: the If-Match of what is done to all of it"`
	Link string `header:"Link" doc:"The next page, as <URL>; rel=\"next\""`
	Body struct {
		PageBody[ParkedLink]
		Found int64 `json:"found" doc:"How many connector and q find, on every page"`
	}
}

// ChosenLinks are links of the desk: those named, or all that a filter finds.
type ChosenLinks struct {
	Links     []LinkName `json:"links,omitempty" maxItems:"1000"`
	All       bool       `json:"all,omitempty" doc:"All that connector and q find, instead"`
	Connector string     `json:"connector,omitempty" maxLength:"200"`
	Text      string     `json:"q,omitempty" maxLength:"500"`
}

// request reads which links are meant, and what that was decided on: of all that
// a filter finds, match is the tag; each link that is named has its own. demanded
// is whether nobody may leave that out: for what cannot be taken back by doing it
// again. The error is 428 then.
func (c ChosenLinks) request(ctx context.Context, match MayMatch, demanded bool) (alerts.DeskRequest, error) {
	r := alerts.DeskRequest{All: c.All, Connector: c.Connector, Text: c.Text, Who: whoAsks(ctx)}
	whatever := strings.TrimSpace(match.IfMatch) == "*"
	tag, err := match.Tag()
	if err == nil && demanded && c.All {
		tag, err = IfMatch(match).Tag()
	}
	if err == nil && tag != "" && !c.All {
		err = fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "header.If-Match", Message: "is of all that connector and q find; each link that is named has an etag of its own"}})
	}
	if err != nil {
		return r, err
	}
	r.SeenAll = tag
	for _, name := range c.Links {
		id, err := name.id()
		if err != nil {
			return r, err
		}
		seen, err := MayMatch{name.ETag}.Tag()
		if err != nil {
			return r, fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "body.links.etag", Message: "must be an etag as it was sent"}})
		}
		if seen == "" && demanded && !whatever {
			return r, status(http.StatusPreconditionRequired, "the change does not say what it was decided on",
				"Send the etag of each link as it was read, or If-Match: * to change whatever is there.")
		}
		r.Links = append(r.Links, id)
		if seen != "" {
			if r.Seen == nil {
				r.Seen = map[alert.LinkID]string{}
			}
			r.Seen[id] = seen
		}
	}
	return r, nil
}

type retryParked struct {
	MayMatch
	Body ChosenLinks
}

// giveParkedUp is sent with If-Match where it is about all that a filter finds.
type giveParkedUp struct {
	MayMatch
	Body struct {
		ChosenLinks
		Reason string `json:"reason" minLength:"1" maxLength:"500"`
	}
}

// ofAll says which ETag an operation on all of a filter means.
const ofAll = "If-Match is the ETag of list-parked with the same connector and q, where all is asked for: once those links are others, nothing is done to any. "

func registerParked(a *API, s *alerts.Service) {
	tags := []string{"parked"}
	Register(a, huma.Operation{
		OperationID: "list-parked", Method: http.MethodGet, Path: "/parked", Summary: "List parked links, those of the newest alerts first", Tags: tags,
		Errors: []int{http.StatusBadRequest, http.StatusNotFound},
	}, access.View, func(ctx context.Context, in *listParked) (*parkedList, error) {
		return parkedPage(ctx, s, in)
	})
	Register(a, huma.Operation{
		OperationID: "retry-parked", Method: http.MethodPost, Path: "/parked/retry", Summary: "Make parked links due now", Tags: tags,
		Description: "Without etags and If-Match, whatever is parked: it is only sent again. " + ofAll,
		Errors:      []int{http.StatusBadRequest, http.StatusPreconditionFailed},
	}, access.Operate, func(ctx context.Context, in *retryParked) (*counted, error) {
		r, err := in.Body.request(ctx, in.MayMatch, false)
		if err != nil {
			return nil, err
		}
		n, err := s.RetryParked(ctx, r)
		access.Remark(ctx, "%d links", n)
		return countedAs(n, unlessChanged(err))
	})
	Register(a, huma.Operation{
		OperationID: "give-parked-up", Method: http.MethodPost, Path: "/parked/give-up", Tags: tags,
		Summary:     "End parked links that have no ticket and never will",
		Description: ofAll + "It must be sent then, or * for whatever is parked; and of links that are named, the etag of each.",
		Errors:      append([]int{http.StatusBadRequest}, Precondition...),
	}, access.Operate, func(ctx context.Context, in *giveParkedUp) (*counted, error) {
		r, err := in.Body.request(ctx, in.MayMatch, true)
		if err != nil {
			return nil, err
		}
		n, err := s.GiveUp(ctx, r, in.Body.Reason)
		access.Remark(ctx, "%d links", n)
		return countedAs(n, unlessChanged(err))
	})
}

// parkedPage reads what the filter finds on all pages of the desk, and then one of
// them: the tag knows nothing of a link that is parked in between, so that none is
// given up unseen.
func parkedPage(ctx context.Context, s *alerts.Service, in *listParked) (*parkedList, error) {
	if err := s.CheckFilter(ctx, in.Connector); err != nil {
		return nil, err
	}
	q := alerts.ParkedQuery{Connector: in.Connector, Text: in.Text, Limit: in.Limit + 1}
	set, err := s.ParkedSet(ctx, q)
	if err != nil {
		return nil, err
	}
	var after alert.LinkID
	more, err := in.After(&after)
	if err != nil {
		return nil, err
	}
	if more {
		q.After = &after
	}
	rows, err := s.Desk(ctx, q)
	if err != nil {
		return nil, err
	}
	page := NewPage(&in.PageInput, rows, showParked, func(p alerts.DeskLink) any { return p.LinkID })
	list := &parkedList{ETag: quoted(set.Tag), Link: page.Link}
	list.Body.PageBody, list.Body.Found = page.Body, set.Links
	return list, nil
}
