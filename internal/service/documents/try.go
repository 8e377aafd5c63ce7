package documents

import (
	"context"
	"strings"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
)

// Count is how many of the newest stored alerts a subscription takes.
type Count struct {
	Matches  int    `json:"matches"`
	Looked   int    `json:"looked"`            // at so many of the newest alerts of the connector's sources
	Limit    int    `json:"limit"`             // at most so many are looked at
	Failed   int    `json:"failed"`            // for so many it could not be evaluated: they do not match
	Why      string `json:"why,omitempty"`     // of the first of those
	Problem  string `json:"problem,omitempty"` // why the text is no subscription; then nothing was counted
	Complete bool   `json:"complete"`          // false = time ran out
}

// Subscription counts the newest stored alerts that a text would take.
func (s *Service) Subscription(ctx context.Context, state State, text string) (Count, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	count := Count{Limit: SampleSize, Complete: true}
	subscription, err := connector.NewSubscription(text)
	if err != nil {
		count.Problem = err.Error()
		return count, nil
	}
	alerts, err := s.sample(ctx, SampleSize, state.Doc)
	if err != nil {
		return count, err
	}
	for i := range alerts {
		if ctx.Err() != nil {
			count.Complete = false
			break
		}
		count.Looked++
		matches, problem := subscription.Matches(&alerts[i])
		switch {
		case matches:
			count.Matches++
		case problem != "":
			if count.Failed == 0 {
				count.Why = problem
			}
			count.Failed++
		}
	}
	return count, nil
}

// Preview is what a mapped value comes to for one alert.
type Preview struct {
	Text    string `json:"text"`
	Problem string `json:"problem,omitempty"`
}

// Value maps one value for an alert.
func (s *Service) Value(a *alert.Alert, v connector.Value) Preview {
	m, err := connector.NewMapping(v)
	if err != nil {
		return Preview{Problem: err.Error()}
	}
	text, err := m.Text(a)
	if err != nil {
		return Preview{Problem: err.Error()}
	}
	return Preview{Text: strings.TrimSpace(text)}
}

// Alert returns the alert with that id, the newest stored alert of the state's
// sources where the id is "", or nil where there is none at all. The error is
// fault.Invalid for a text that is no id, fault.NotFound for one of no alert.
func (s *Service) Alert(ctx context.Context, state State, id string) (*alert.Alert, error) {
	if id == "" {
		alerts, err := s.Sample(ctx, state, 1)
		if err != nil || len(alerts) == 0 {
			return nil, err
		}
		return &alerts[0], nil
	}
	var key alert.ID
	if err := key.UnmarshalText([]byte(id)); err != nil {
		return nil, fault.InvalidInput("there is no such alert", []fault.Problem{{Path: "alert", Message: "expected an alert's id"}})
	}
	detail, err := s.store.Alert(ctx, key)
	if err != nil {
		return nil, err
	}
	return &detail.Alert, nil
}
