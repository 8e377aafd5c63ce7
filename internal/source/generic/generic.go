package generic

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

// callbackSetting names the setting with the address that is told what becomes
// of alerts.
const callbackSetting = "callback"

// Kind is the entry for the composition root's table.
func Kind() source.Kind { return source.Kind{Check: Check, New: New} }

// Check finds the problems of the settings.
func Check(values map[string]string) []fault.Problem {
	problems := source.UnknownSettings(values, callbackSetting)
	if address, ok := values[callbackSetting]; ok {
		u, err := url.Parse(address)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
			problems = append(problems, fault.Problem{Path: "settings." + callbackSetting, Message: `expected an address such as "http://host:port/path"`})
		case u.User != nil:
			problems = append(problems, fault.Problem{Path: "settings." + callbackSetting, Message: "an address must not carry credentials; use api_token"})
		}
	}
	return problems
}

// New builds the source. It takes updates back where a callback is set.
func New(s source.Settings) (source.Parts, error) {
	if err := fault.InvalidInput("source "+s.Name+" cannot be set up", Check(s.Values)); err != nil {
		return source.Parts{}, err
	}
	parts := source.Parts{Adapter: &Adapter{name: s.Name}}
	if address := s.Values[callbackSetting]; address != "" {
		client, err := source.NewClient(address, s.Token, s.Client)
		if err != nil {
			return source.Parts{}, err
		}
		parts.Writer = &writer{client}
	}
	return parts, nil
}

// Callback is the JSON that the callback address is posted. The header
// Idempotency-Key is the same for repeats of the same update.
type Callback struct {
	Alert     string       `json:"alert"` // Tieline's id of the alert
	Source    string       `json:"source"`
	Key       string       `json:"key"` // the source's own name for the problem
	Status    alert.Status `json:"status"`
	State     string       `json:"state"` // what the alert should show: open, acknowledged or closed
	Ticket    string       `json:"ticket,omitempty"`
	TicketURL string       `json:"ticket_url,omitempty"`
	Connector string       `json:"connector"`
	Revision  int64        `json:"revision"` // grows with each update
	EndsAt    *time.Time   `json:"ends_at,omitempty"`
}

type writer struct{ client *source.Client }

// Write implements source.Writer.
func (w *writer) Write(ctx context.Context, u source.Update) error {
	callback := Callback{
		Alert: u.Alert.ID.String(), Source: u.Alert.Source, Key: u.Alert.Key, Status: u.Alert.Status,
		State: u.State, Ticket: u.Ticket, TicketURL: u.TicketURL, Connector: u.Connector, Revision: u.Revision,
	}
	if !u.Alert.EndsAt.IsZero() {
		callback.EndsAt = &u.Alert.EndsAt
	}
	header := http.Header{"Idempotency-Key": {source.UpdateKey(u)}}
	return w.client.Do(ctx, source.Call{Method: http.MethodPost, In: callback, Header: header})
}
