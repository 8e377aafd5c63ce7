package sim

import (
	"context"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

// sourceName is the one source of the simulation.
const sourceName = "source"

// sourceAPI is one process's way to the source: it shows what it is told, and
// lists what is open.
type sourceAPI struct{ adapter }

// Write makes the source show a state.
func (a sourceAPI) Write(ctx context.Context, u source.Update) error {
	w := a.p.w
	link := alert.LinkID{Connector: connectorName, Alert: u.Alert.ID, Side: alert.Source}
	_, err := request(ctx, a.adapter, errand{kind: "write", link: link, write: true, source: true}, func(*Desk) (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.shown[u.Alert.ID] = u.State
		return true, nil
	})
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the source did not answer")
	}
	return nil
}

// List returns what is open at the source.
func (a sourceAPI) List(ctx context.Context) ([]alert.Observation, string, error) {
	open, err := request(ctx, a.adapter, errand{kind: "source list", source: true}, func(*Desk) ([]alert.Observation, error) {
		return a.p.w.openAtSource(), nil
	})
	return open, "", err
}

func (w *World) openAtSource() []alert.Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	var open []alert.Observation
	for _, o := range w.sources {
		if o.Status == alert.Open {
			open = append(open, o)
		}
	}
	return open
}

// forget makes an alert vanish from the source without a word, as a restart does.
func (w *World) forget(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sources, key)
}

// vanished returns the open alerts that are not open at the source any more.
func (w *World) vanished(r *rows) []alert.Alert {
	open := map[string]bool{}
	for _, o := range w.openAtSource() {
		open[o.Key] = true
	}
	var out []alert.Alert
	for _, a := range r.alerts {
		if a.Status == alert.Open && !open[a.Key] {
			out = append(out, a)
		}
	}
	return out
}
