package app

import (
	"context"
	"time"

	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/metrics"
)

// reader is the App as the metrics read it.
type reader App

// Connectors implements metrics.Reader.
func (r *reader) Connectors() []metrics.Connector {
	a := (*App)(r)
	var all []metrics.Connector
	for _, u := range a.units.all() {
		s, _ := a.standing(u.name)
		all = append(all, metrics.Connector{Name: u.name, State: string(s.State), Epoch: s.Epoch, Version: s.Document, Breaker: breakerLevels[u.forwarder.BreakerState()]})
	}
	return all
}

// breakerLevels are the states of a breaker as a number that grows with the harm.
var breakerLevels = map[forward.BreakerState]int{forward.BreakerClosed: 0, forward.BreakerHalf: 1, forward.BreakerOpen: 2}

// HeartbeatAge implements metrics.Reader: since the last confirmed one, or since the start.
func (r *reader) HeartbeatAge() time.Duration {
	return max(0, time.Since(time.Unix(0, r.lastBeat.Load())))
}

// Backlog implements metrics.Reader.
func (r *reader) Backlog(ctx context.Context) (map[string]metrics.Backlog, error) {
	read, err := r.db.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]metrics.Backlog, len(read))
	for _, u := range r.units.all() {
		all[u.name] = metrics.Backlog{} // a connector without links has none in the database
	}
	for name, b := range read {
		all[name] = metrics.Backlog{Due: b.Due, InFlight: b.Claimed, Parked: b.Parked, OldestDue: b.OldestDue}
	}
	return all, nil
}

// standing is what this server is for a connector, as /active answers it.
type standing struct {
	Server    string   `json:"server"`
	Connector string   `json:"connector"`
	State     ha.State `json:"state"`
	Active    string   `json:"active"` // who is, as this server knows; "" = nobody
	Epoch     int64    `json:"epoch"`
	Document  int64    `json:"document"` // version run here; 0 = none
}

// standing answers from memory. This server is Active only while its own term
// runs, whatever the lease says: what is read may be a heartbeat old.
func (a *App) standing(name string) (standing, bool) {
	u := a.units.get(name)
	if u == nil {
		return standing{}, false
	}
	status := a.runner.Status()
	lease, _ := status.Group.Lease(name)
	s := standing{Server: a.cfg.Server, Connector: name, State: ha.Passive, Epoch: lease.Epoch}
	s.Document, _ = u.runs()
	if term, ok := status.Active(name); ok {
		s.State, s.Active, s.Epoch = ha.Active, a.cfg.Server, term.Epoch
		return s, true
	}
	if lease.Server != a.cfg.Server && status.StateOf(name, lease.Server) == ha.Active {
		s.Active = lease.Server
	}
	if !status.Connected {
		s.State = ha.Offline
	}
	return s, true
}
