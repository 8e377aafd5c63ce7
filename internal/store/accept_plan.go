package store

import (
	"time"

	"tieline/internal/alert"
	"tieline/internal/intake"
)

// plan collects what a batch changes before any of it is written, so that the
// number of statements does not grow with the batch.
type plan struct {
	batch   intake.Batch
	current map[problem]*touched // the latest alert of each problem; nil = none
	touched []*touched           // in the order of (source, key), then of time

	rerouted []*touched // alerts that get links and no revision
	reason   string     // why alerts were closed without their source saying so
	answered func()     // called as statements are answered; nil = nobody asks
}

// touched is one alert that the batch changes.
type touched struct {
	alert   alert.Alert
	stored  bool // it was there before the batch
	listed  bool // it is in plan.touched
	grew    bool // it has a new revision
	old     bool // a newer alert of the batch took its place as the latest
	routes  []intake.Routing
	changes []alert.Change // that grew a stored alert, for its timeline
}

// observe applies one observation, as alert.Apply says.
func (p *plan) observe(item intake.Observed) intake.Accepted {
	o := item.Observation
	// What is stored has microseconds; decide by the same.
	o.StartsAt, o.EndsAt = o.StartsAt.UTC().Truncate(time.Microsecond), o.EndsAt.UTC().Truncate(time.Microsecond)
	at := problem{o.Source, o.Key}
	t := p.current[at]
	if item.Gone != nil && item.Gone() {
		return intake.Accepted{Err: intake.ErrGone}
	}
	var latest *alert.Alert
	if t != nil {
		latest = &t.alert
	}
	next, change := alert.Apply(latest, o)
	if change == alert.Stale {
		return intake.Accepted{ID: t.alert.ID, Change: change}
	}
	if t == nil || next.ID != t.alert.ID {
		if t != nil {
			t.old = true
			p.list(t)
		}
		next.ID = alert.NewID()
		next.AcceptedBy = p.batch.Server
		t = &touched{}
		p.current[at] = t
	}
	t.alert = next
	p.list(t)
	if change.Grew() {
		p.grow(t, item, change)
	}
	return intake.Accepted{ID: next.ID, Change: change}
}

func (p *plan) list(t *touched) {
	if !t.listed {
		t.listed = true
		p.touched = append(p.touched, t)
	}
}

// grow routes a new revision. A connector that an earlier observation of the
// batch was routed to stays, with what the newest one says of it.
func (p *plan) grow(t *touched, item intake.Observed, change alert.Change) {
	t.grew = true
	t.alert.Generation = p.batch.Generation
	if change != alert.Raised {
		t.changes = append(t.changes, change)
	}
	if item.Route == nil {
		return
	}
	for _, r := range item.Route(&t.alert) {
		t.route(r)
	}
}

func (t *touched) route(r intake.Routing) {
	for i := range t.routes {
		if t.routes[i].Connector == r.Connector {
			t.routes[i] = r
			return
		}
	}
	t.routes = append(t.routes, r)
}
