package retention

import (
	"context"
	"errors"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

const (
	page         = 500 // alerts or news looked at by one statement
	batch        = 100 // alerts removed by one transaction
	backlogLimit = 1000
	backlogPause = 5 * time.Minute
	statement    = 10 * time.Second
	// restFactor is how many times as long as a transaction the pause after it is:
	// pruning takes at most that part of the time.
	restFactor = 4
	leastPause = 20 * time.Millisecond
)

// errBacklog: there is forwarding to be done first.
var errBacklog = errors.New("the connector has a backlog")

// Once removes all that is old now. What it removed before an error stays removed.
func (k *Keeper) Once(ctx context.Context, t ha.Term) (Removed, error) {
	var r Removed
	if err := k.audit(ctx, &r); err != nil {
		return r, err
	}
	policy, _ := k.cfg.Policy()
	if policy == nil || policy.Keep() <= 0 {
		return r, nil
	}
	if err := k.alerts(ctx, t, policy, &r); err != nil {
		return r, err
	}
	if err := k.news(ctx, t, policy.Keep(), &r); err != nil {
		return r, err
	}
	err := k.gently(ctx, func(ctx context.Context) (err error) {
		r.Events, err = k.cfg.Store.ForgetEvents(ctx, t, policy.Keep())
		return err
	})
	return r, err
}

func (k *Keeper) alerts(ctx context.Context, t ha.Term, policy Policy, r *Removed) error {
	var at Place
	for done := false; !done; {
		var old []Old
		awaited := map[alert.ID]bool{}
		err := k.gently(ctx, func(ctx context.Context) (err error) {
			if busy, err := k.cfg.Store.Backlogged(ctx, k.cfg.Connector, backlogLimit); err != nil || busy {
				return errors.Join(err, ifTrue(busy, errBacklog))
			}
			old, at, done, err = k.cfg.Store.OldAlerts(ctx, k.cfg.Connector, policy.Keep(), at, page)
			if err != nil || len(old) == 0 {
				return err
			}
			// After the page: an alert that is not the latest has its successor by now.
			awaited, err = k.cfg.Store.Awaited(ctx, k.cfg.Connector)
			return err
		})
		if err != nil {
			return err
		}
		if err := k.remove(ctx, t, policy, decide(old, awaited, policy), r); err != nil {
			return err
		}
	}
	return nil
}

func ifTrue(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// verdicts are what to do with a page of old alerts.
type verdicts struct{ forget, note []Old }

// decide says what to do with each of them; what is in neither list stays as it is.
func decide(old []Old, awaited map[alert.ID]bool, policy Policy) verdicts {
	var v verdicts
	for _, o := range old {
		switch {
		case o.kept(policy) || awaited[o.ID]:
		case o.Latest && o.Unrepeated < 0:
			v.note = append(v.note, o)
		case o.Latest && o.Unrepeated < Quiet:
		default:
			v.forget = append(v.forget, o)
		}
	}
	return v
}

// kept reports whether the connector still needs its links to the alert, or has
// none where others do.
func (o Old) kept(policy Policy) bool {
	if o.Recent || len(o.Links) == 0 && o.Others {
		return true
	}
	for _, l := range o.Links {
		if !l.Finished() || o.Latest && mayGoOn(l, o.ClosedFor, policy) {
			return true
		}
	}
	return false
}

// mayGoOn reports whether an alert that fired again would go on with the link's
// ticket, as forward.RefireFor decides.
func mayGoOn(l alert.Link, ago time.Duration, policy Policy) bool {
	if l.Side != alert.Remote || l.Ticket == "" || l.Skipped != "" {
		return false
	}
	state := l.Heard
	if state == "" {
		state = l.Told
	}
	return policy.UsesEarlier(state, ago)
}

func (k *Keeper) remove(ctx context.Context, t ha.Term, policy Policy, v verdicts, r *Removed) error {
	if len(v.note) > 0 {
		err := k.gently(ctx, func(ctx context.Context) error { return k.cfg.Store.NoteQuiet(ctx, t, v.note) })
		if err != nil {
			return err
		}
	}
	for len(v.forget) > 0 {
		some := v.forget[:min(batch, len(v.forget))]
		v.forget = v.forget[len(some):]
		err := k.gently(ctx, func(ctx context.Context) error {
			n, err := k.cfg.Store.Forget(ctx, t, policy.Keep(), some)
			r.Alerts += n
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// audit removes old entries of the audit, whatever the connector's document says.
func (k *Keeper) audit(ctx context.Context, r *Removed) error {
	for n := page; n == page; {
		err := k.gently(ctx, func(ctx context.Context) (err error) {
			n, err = k.cfg.Store.ForgetEntries(ctx, Audit, page)
			r.Entries += n
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) news(ctx context.Context, t ha.Term, keep time.Duration, r *Removed) error {
	for after, more := "", true; more; more = after != "" {
		err := k.gently(ctx, func(ctx context.Context) error {
			next, n, err := k.cfg.Store.ForgetNews(ctx, t, keep, after, page)
			after = next
			r.News += n
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// gently does one piece of work and leaves the database alone for several times
// as long.
func (k *Keeper) gently(ctx context.Context, work func(context.Context) error) error {
	began := time.Now()
	one, cancel := context.WithTimeout(ctx, statement)
	err := work(one)
	cancel()
	if err != nil {
		return err
	}
	pause := time.NewTimer(max(restFactor*time.Since(began), leastPause))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-pause.C:
		return nil
	}
}
