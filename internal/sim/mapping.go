package sim

import (
	"errors"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/remote"
)

// mapping is the connector's compiled document.
type mapping struct{ p Plan }

func (m mapping) Draft(a *alert.Alert, _ *alert.Link, key alert.Key) (alert.Draft, error) {
	d := alert.Draft{Key: key, Revision: a.Revision, Subject: a.Summary}
	if a.Status == alert.Closed {
		d.State = "resolved"
	}
	return d, nil
}

func (m mapping) BackState(state string) (string, bool) { return backState(state) }

// backState is what the source is told of a ticket's state.
func backState(state string) (string, bool) {
	switch state {
	case "working", "waiting":
		return "acknowledged", true
	case "resolved":
		return "silenced", true
	}
	return "", false
}

func (m mapping) StateClass(state string) string {
	switch state {
	case "resolved", "merged":
		return state
	}
	return "open"
}

func (m mapping) Refire(string) connector.Refire { return connector.Refire{Action: "new"} }
func (m mapping) CloseAction() string            { return "resolve" }
func (m mapping) Limits() connector.Limits       { return m.p.limits() }

// connectFailed reports whether no connection to the desk was possible.
func connectFailed(err error) bool {
	var f *remote.Failure
	return errors.As(err, &f) && f.Connect
}
