package availability

import (
	"context"
	"fmt"
	"time"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/service/overview"
	"tieline/internal/store"
)

// Settings are what the High availability tab sets.
type Settings struct {
	Polling   time.Duration
	Tolerance int
	Failback  ha.Failback
}

// SettingsOf are those of a connector as they are.
func SettingsOf(c overview.Connector) Settings {
	return Settings{Polling: c.Settings.Polling, Tolerance: c.Settings.Tolerance, Failback: c.Settings.Failback}
}

// The paths of the settings in a document.
const (
	pathPolling   = "polling_interval"
	pathTolerance = "tolerance"
	pathFailback  = "failback"
	section       = "high_availability"
)

// Changed is a change of the settings, made or proposed.
type Changed struct {
	Connector string
	Version   int64         // of the document it makes, or would make
	Base      int64         // the version it was decided on
	Changes   []edit.Change // none = nothing to do
	Lines     []edit.Line   // the same in the document's text
	text      string
	doc       *connector.Document
}

// Preview returns what Change would change. The error is fault.Invalid with the
// problem at its setting, and fault.Conflict when base (0 = whichever) is not the
// current version any longer.
func (s *Service) Preview(ctx context.Context, name string, want Settings, base int64) (Changed, error) {
	current, err := s.store.Document(ctx, name, 0)
	if err != nil {
		return Changed{}, err
	}
	if base != 0 && base != current.Version {
		return Changed{}, fault.New(fault.Conflict, fmt.Sprintf("the document of connector %s is version %d by now, not version %d", name, current.Version, base)).
			WithNext("Look at the settings as they are now, and make the change again.")
	}
	changed := Changed{Connector: name, Version: current.Version + 1, Base: current.Version}
	changed.text, err = withSettings(current.Text, want)
	if err != nil {
		return Changed{}, err
	}
	changed.doc, err = connector.Parse([]byte(changed.text), s.documents.Check)
	if err != nil {
		return Changed{}, err
	}
	changed.Changes, err = edit.Changes(current.Text, changed.text)
	if len(changed.Changes) == 0 {
		changed.Version = current.Version
	}
	changed.Lines = edit.Lines(current.Text, changed.text)
	return changed, err
}

// Change applies settings as a new version of the connector's document; servers
// take it up live, and nobody is deposed by it. What is the same already makes
// no version. Errors are those of Preview.
func (s *Service) Change(ctx context.Context, name string, want Settings, base int64, who string) (Changed, error) {
	c, err := s.Preview(ctx, name, want, base)
	if err == nil && len(c.Changes) == 0 {
		access.NothingChanged(ctx)
	}
	if err != nil || len(c.Changes) == 0 {
		return c, err
	}
	saved, err := s.store.SaveDocument(ctx, store.SaveDocument{
		Connector: name, Text: c.text, Who: who, Comment: "high availability settings", Base: c.Base, Settings: s.documents.Settings(c.doc),
	})
	if err != nil {
		return Changed{}, err
	}
	s.store.Wake(ctx, store.TopicDocuments)
	c.Version = saved.Version
	return c, nil
}

// withSettings sets what differs, so that a default that was left out stays so.
func withSettings(text string, want Settings) (string, error) {
	t, err := edit.Open(text)
	if err != nil {
		return "", err
	}
	doc, _ := connector.Parse([]byte(text)) // a document that is wrong elsewhere keeps its defaults here
	have := Settings{}
	if doc != nil {
		have = Settings{time.Duration(doc.Availability.Polling), doc.Availability.Tolerance, ha.Failback(doc.Availability.Failback)}
	}
	for _, c := range []struct {
		path  string
		same  bool
		value any
	}{
		{pathPolling, have.Polling == want.Polling, want.Polling.String()},
		{pathTolerance, have.Tolerance == want.Tolerance, want.Tolerance},
		{pathFailback, have.Failback == want.Failback, string(want.Failback)},
	} {
		if c.same {
			continue
		}
		if err := t.Set(edit.At(section, c.path), c.value); err != nil {
			return "", err
		}
	}
	return t.String(), nil
}
