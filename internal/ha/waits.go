package ha

import (
	"context"
	"time"
)

// wait is a goroutine that waits for a presence.
type wait struct{ cancel context.CancelFunc }

// awaitRetry is the pause after a wait's own connection failed.
const awaitRetry = 500 * time.Millisecond

// await makes the waits under way those for names.
func (r *Runner) await(base context.Context, names []string) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
		if r.waits[name] == nil {
			ctx, cancel := context.WithCancel(base)
			w := &wait{cancel: cancel}
			r.waits[name] = w
			r.all.Go(func() { r.waitFor(ctx, w, name) })
		}
	}
	for name, w := range r.waits {
		if !wanted[name] {
			w.cancel()
			delete(r.waits, name)
		}
	}
}

// waitFor waits until nobody holds the name. What it tells counts only while
// the loop still wants this very wait: a wait of an earlier session may see
// names freed by nothing but a restart of the database.
func (r *Runner) waitFor(ctx context.Context, w *wait, name string) {
	defer w.cancel()
	tell := func(e event) {
		r.tell(func(now Instant) {
			if r.waits[name] == w {
				e(now)
			}
		})
	}
	for {
		err := r.cfg.Coordinator.Await(ctx, name, func() {
			tell(func(Instant) { r.know.SeenHeld(name) })
		})
		if err == nil {
			tell(func(now Instant) {
				delete(r.waits, name)
				r.know.Granted(now, name)
			})
			return
		}
		if ctx.Err() != nil {
			return
		}
		tell(func(Instant) { r.know.WaitBroke() })
		select {
		case <-ctx.Done():
			return
		case <-time.After(awaitRetry):
		}
	}
}
