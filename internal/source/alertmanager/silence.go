package alertmanager

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

type writer struct {
	client *source.Client
	length time.Duration
}

// matcher and silence are Alertmanager's.
type matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

type silence struct {
	ID        string        `json:"id,omitempty"`
	Matchers  []matcher     `json:"matchers"`
	StartsAt  time.Time     `json:"startsAt"`
	EndsAt    time.Time     `json:"endsAt"`
	CreatedBy string        `json:"createdBy"`
	Comment   string        `json:"comment"`
	Status    *silenceState `json:"status,omitempty"`
}

type silenceState struct {
	State string `json:"state"` // "pending", "active" or "expired"
}

// Write implements source.Writer: "acknowledged" silences the alert, "open"
// ends the silence. A closed alert needs none, and one that stayed would hide
// the alert when it fires again.
func (w *writer) Write(ctx context.Context, u source.Update) error {
	over := u.Alert.Status == alert.Closed
	switch {
	case over, u.State == source.Acknowledged, u.State == source.Open:
	default:
		return fault.InvalidInput("Alertmanager cannot show this state of an alert",
			[]fault.Problem{{Path: "states.back", Message: fmt.Sprintf("%q is neither acknowledged nor open", source.Short(u.State))}})
	}
	standing, err := w.standing(ctx, u.Alert)
	if err != nil {
		return err
	}
	if over || u.State == source.Open {
		return w.expire(ctx, standing)
	}
	if len(standing) > 0 {
		return nil
	}
	return w.create(ctx, u)
}

// tag is what a silence's comment carries, so that it is found again.
func tag(a alert.Alert) string { return "[tieline " + a.ID.String() + "]" }

// standing returns our silences of the alert that have not ended.
func (w *writer) standing(ctx context.Context, a alert.Alert) ([]silence, error) {
	var all []silence
	call := source.Call{Method: http.MethodGet, Path: "/api/v2/silences", Out: &all}
	// One label is enough to keep the answer small; its value is quoted as
	// Alertmanager's matchers are, which is as Go does for printable text.
	if name := a.Labels["alertname"]; name != "" && !strings.ContainsAny(name, "\\\"\n") {
		call.Query = url.Values{"filter": {`alertname="` + name + `"`}}
	}
	if err := w.client.Do(ctx, call); err != nil {
		return nil, err
	}
	var ours []silence
	for _, s := range all {
		ended := s.Status != nil && s.Status.State == "expired"
		if !ended && strings.Contains(s.Comment, tag(a)) {
			ours = append(ours, s)
		}
	}
	return ours, nil
}

func (w *writer) expire(ctx context.Context, silences []silence) error {
	for _, s := range silences {
		path := "/api/v2/silence/" + url.PathEscape(s.ID)
		err := w.client.Do(ctx, source.Call{Method: http.MethodDelete, Path: path})
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// create silences exactly the alert's labels. Alertmanager judges the times by
// its own clock: a start that lies in its past is taken as its now.
func (w *writer) create(ctx context.Context, u source.Update) error {
	now := time.Now().UTC()
	s := silence{
		StartsAt: now, EndsAt: now.Add(w.length),
		CreatedBy: "tieline",
		Comment:   comment(u),
	}
	for name, value := range u.Alert.Labels {
		s.Matchers = append(s.Matchers, matcher{Name: name, Value: value, IsEqual: true})
	}
	return w.client.Do(ctx, source.Call{Method: http.MethodPost, Path: "/api/v2/silences", In: s})
}

func comment(u source.Update) string {
	text := "acknowledged"
	if u.Ticket != "" {
		text += " in ticket " + u.Ticket
	}
	if u.TicketURL != "" {
		text += " " + u.TicketURL
	}
	return text + ", connector " + u.Connector + " " + tag(u.Alert)
}
