package alertmanager

import (
	"time"

	"tieline/internal/fault"
	"tieline/internal/source"
)

const (
	// receiverSetting names Alertmanager's receiver for Tieline, which the list
	// is then restricted to.
	receiverSetting = "receiver"
	// silenceSetting is how long an acknowledged alert is silenced.
	silenceSetting = "silence"

	defaultSilence = 4 * time.Hour
	minSilence     = time.Minute
	maxSilence     = 366 * 24 * time.Hour
)

// Kind is the entry for the composition root's table.
func Kind() source.Kind { return source.Kind{Check: Check, New: New} }

// Check finds the problems of the settings.
func Check(values map[string]string) []fault.Problem {
	problems := source.UnknownSettings(values, receiverSetting, silenceSetting)
	if text, ok := values[silenceSetting]; ok {
		if length, err := time.ParseDuration(text); err != nil || length < minSilence || length > maxSilence {
			problems = append(problems, fault.Problem{Path: "settings." + silenceSetting, Message: `expected a duration from 1m to 8784h, such as "4h"`})
		}
	}
	return problems
}

// New builds the source. It lists and takes updates back where its url is set.
func New(s source.Settings) (source.Parts, error) {
	if err := fault.InvalidInput("source "+s.Name+" cannot be set up", Check(s.Values)); err != nil {
		return source.Parts{}, err
	}
	adapter := &Adapter{name: s.Name}
	parts := source.Parts{Adapter: adapter}
	if s.URL == "" {
		return parts, nil
	}
	client, err := source.NewClient(s.URL, s.Token, s.Client)
	if err != nil {
		return source.Parts{}, err
	}
	length := defaultSilence
	if text, ok := s.Values[silenceSetting]; ok {
		length, _ = time.ParseDuration(text) // checked above
	}
	list := &lister{adapter: adapter, client: client, receiver: s.Values[receiverSetting]}
	parts.Lister = list
	if list.receiver != "" {
		parts.Lister = announcer{list}
	}
	parts.Writer = &writer{client: client, length: length}
	return parts, nil
}
