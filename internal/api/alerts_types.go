package api

import (
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/service/alerts"
)

// Alert is one problem at a source.
type Alert struct {
	ID          string            `json:"id" format:"uuid"`
	Source      string            `json:"source"`
	Key         string            `json:"key" doc:"The source's own name for the problem"`
	Status      string            `json:"status" enum:"open,closed"`
	Revision    int64             `json:"revision"`
	Severity    string            `json:"severity,omitempty"`
	Summary     string            `json:"summary,omitempty"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	URL         string            `json:"url,omitempty"`
	Edits       map[string]Edit   `json:"edits,omitempty" doc:"Fields that people set, until the source says something else in them"`
	StartsAt    *time.Time        `json:"starts_at,omitempty" doc:"By the source's clock"`
	EndsAt      *time.Time        `json:"ends_at,omitempty" doc:"By the source's clock"`
	AcceptedAt  time.Time         `json:"accepted_at"`
	AcceptedBy  string            `json:"accepted_by" doc:"The server that took it in"`
	ChangedAt   time.Time         `json:"changed_at"`
	Previous    string            `json:"previous,omitempty" doc:"The id of its earlier occurrence"`
	Links       []Link            `json:"links"`
}

// Edit is what a person made of a field.
type Edit struct {
	From string `json:"from" doc:"What the source said"`
	To   string `json:"to" doc:"What it counts as"`
}

// Link is what one connector's remote system, or the alert's source, was told.
type Link struct {
	ETag        string     `json:"etag" doc:"Of the link as it is: the If-Match of operations on it" example:"\"5d0c9f1e2a7b6c34\""`
	Connector   string     `json:"connector"`
	Side        string     `json:"side" enum:"remote,source"`
	Stage       string     `json:"stage" enum:"fresh,uncertain,looked,verify,twins,settled"`
	Ticket      string     `json:"ticket,omitempty"`
	TicketURL   string     `json:"ticket_url,omitempty"`
	State       string     `json:"state,omitempty" doc:"The ticket's, as last heard"`
	Delivered   int64      `json:"delivered" doc:"The revision it was last told"`
	Wanted      int64      `json:"wanted" doc:"The revision it should show"`
	Due         bool       `json:"due"`
	Claimed     bool       `json:"claimed"`
	Attempts    int        `json:"attempts,omitempty" doc:"Tries that failed since the last success"`
	Failure     string     `json:"failure,omitempty"`
	Parked      string     `json:"parked,omitempty" doc:"Why a person is needed"`
	Skipped     string     `json:"skipped,omitempty" doc:"Why nothing is sent, for good"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
}

// ExplainedAlert is an alert with an answer for every connector.
type ExplainedAlert struct {
	Alert
	Answers      []LinkAnswer `json:"answers" doc:"One for each link"`
	NotForwarded []Absence    `json:"not_forwarded_by"`
}

// LinkAnswer says what has become of a link.
type LinkAnswer struct {
	Connector string         `json:"connector"`
	Side      string         `json:"side" enum:"remote,source"`
	Standing  string         `json:"standing" enum:"delivered,sending,due,waiting,stuck,parked,skipped"`
	Headline  string         `json:"headline"`
	Text      string         `json:"text"`
	NextTry   *time.Time     `json:"next_try,omitempty"`
	MayGiveUp bool           `json:"may_give_up"`
	Message   *TicketMessage `json:"message,omitempty" doc:"What the remote system is told, by the current document"`
}

// TicketMessage is what a ticket should show.
type TicketMessage struct {
	Version  int64             `json:"document_version"`
	Subject  string            `json:"subject,omitempty"`
	Body     string            `json:"body,omitempty"`
	Severity string            `json:"severity,omitempty"`
	State    string            `json:"state,omitempty"`
	Fields   map[string]string `json:"fields,omitempty"`
	Problem  string            `json:"problem,omitempty" doc:"Why it cannot be made"`
}

// Absence is a connector that does not forward the alert.
type Absence struct {
	Connector string `json:"connector"`
	Why       string `json:"why"`
}

// AlertEvent is one line of an alert's timeline.
type AlertEvent struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	Text      string    `json:"text,omitempty"`
	Connector string    `json:"connector,omitempty" doc:"Absent: it concerns the alert itself"`
	Server    string    `json:"server,omitempty"`
	Epoch     int64     `json:"epoch,omitempty"`
	Endpoint  string    `json:"endpoint,omitempty"`
	TookMS    float64   `json:"took_ms,omitempty"`
	Revision  int64     `json:"revision,omitempty"`
	Ticket    string    `json:"ticket,omitempty"`
}

func showAlert(a alert.Alert) Alert {
	v := Alert{
		ID: a.ID.String(), Source: a.Source, Key: a.Key, Status: string(a.Status), Revision: a.Revision,
		Severity: a.Severity, Summary: a.Summary, Description: a.Description, Labels: a.Labels, Annotations: a.Annotations, URL: a.URL,
		StartsAt: told(a.StartsAt), EndsAt: told(a.EndsAt), AcceptedAt: a.AcceptedAt, AcceptedBy: a.AcceptedBy, ChangedAt: a.ChangedAt,
		Links: []Link{},
	}
	if a.Previous != uuid.Nil {
		v.Previous = a.Previous.String()
	}
	for field, e := range a.Edits {
		if v.Edits == nil {
			v.Edits = map[string]Edit{}
		}
		v.Edits[field] = Edit(e)
	}
	return v
}

func showRow(r alerts.Row) Alert {
	v := showAlert(r.Alert)
	for _, l := range r.Links {
		v.Links = append(v.Links, showLink(l))
	}
	return v
}

func showLink(l alert.Link) Link {
	return Link{
		ETag: quoted(l.Tag()), Connector: l.Connector, Side: string(l.Side), Stage: string(l.Stage), Ticket: l.Ticket, TicketURL: l.TicketURL, State: l.Heard,
		Delivered: l.Delivered, Wanted: l.Wanted, Due: l.Due(), Claimed: l.Claim.ID != uuid.Nil,
		Attempts: l.Attempts, Failure: l.Failure, Parked: l.Parked, Skipped: l.Skipped,
	}
}

func showExplained(e *alerts.Explained) ExplainedAlert {
	v := ExplainedAlert{Alert: showAlert(e.Alert), Answers: []LinkAnswer{}, NotForwarded: []Absence{}}
	for _, l := range e.Links {
		link := showLink(l.Link)
		link.DeliveredAt = told(l.DeliveredAt)
		v.Links = append(v.Links, link)
		v.Answers = append(v.Answers, LinkAnswer{
			Connector: l.Connector, Side: string(l.Side), Standing: string(l.Standing), Headline: l.Headline, Text: l.Text,
			NextTry: told(l.Next), MayGiveUp: alerts.MayGiveUp(l.Link), Message: showMessage(l.Message),
		})
	}
	for _, a := range e.Absent {
		v.NotForwarded = append(v.NotForwarded, Absence{a.Connector, a.Why})
	}
	return v
}

func showMessage(m *alerts.Message) *TicketMessage {
	if m == nil {
		return nil
	}
	return &TicketMessage{
		Version: m.Version, Subject: m.Subject, Body: m.Body, Severity: m.Severity, State: m.State, Fields: m.Fields, Problem: m.Problem,
	}
}

func showEvent(e alerts.Event) AlertEvent {
	return AlertEvent{
		At: e.At, Kind: e.Kind, Text: e.Text, Connector: e.Connector, Server: e.Server, Epoch: e.Epoch, Endpoint: e.Endpoint,
		TookMS: float64(e.Took.Microseconds()) / 1000, Revision: e.Revision, Ticket: e.Ticket,
	}
}
