package app

import (
	"context"
	"slices"

	"tieline/internal/ha"
	"tieline/internal/retention"
)

// forgetBeside removes what the connector need not keep any longer while the
// term lasts, until stop is called. Stop does not wait: a planned hand-over has
// no time for it, and what is under way is fenced.
func (a *App) forgetBeside(ctx context.Context, t ha.Term, u *unit) (stop context.CancelFunc) {
	ctx, stop = context.WithCancel(ctx)
	k := retention.New(retention.Config{
		Connector: u.name, Store: a.db, Log: a.log, First: a.forgetAfter,
		Policy: func() (retention.Policy, <-chan struct{}) { return a.policy(u) },
	})
	a.background.Go(func() { k.Run(ctx, t) })
	return stop
}

// policy is the connector's current document, nil where it cannot be run here.
func (a *App) policy(u *unit) (retention.Policy, <-chan struct{}) {
	_, changed := u.slot.Setup()
	all := a.known()
	i := slices.IndexFunc(all, func(d document) bool { return d.name == u.name && d.compiled != nil })
	if i < 0 {
		return nil, changed
	}
	return all[i].compiled, changed
}
