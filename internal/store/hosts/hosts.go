// Package hosts finds, of the hosts that a database may be on, one that takes a
// connection: without waiting for those that say nothing.
package hosts

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// HeadStart is how long a host is asked alone. One that says nothing until then,
// as one that is lost does, keeps nobody waiting: the next is asked beside it.
const HeadStart = 250 * time.Millisecond

// made is what came of asking one host.
type made[T any] struct {
	at   int
	conn T
	err  error
}

// First asks count hosts, 0 and up, beginning with the one that last names, and
// returns what the first gives that gives anything; last names that one then. What
// others give after it is discarded. Its error is every host's. It returns when ctx
// ends if connect does.
func First[T any](
	ctx context.Context, count int, last *atomic.Int32,
	connect func(ctx context.Context, at int) (T, error), discard func(T),
) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := int(last.Load())
	answers := make(chan made[T], count)
	next := time.NewTimer(0)
	defer next.Stop()
	var failed []error
	for asked := 0; ; {
		select {
		case <-next.C:
			if asked == count {
				continue
			}
			at := (begin + asked) % count
			asked++
			go func() {
				conn, err := connect(ctx, at)
				answers <- made[T]{at, conn, err}
			}()
			next.Reset(HeadStart)
		case a := <-answers:
			if a.err == nil {
				last.Store(int32(a.at)) //nolint:gosec // a URL's hosts are few
				go discardAll(answers, asked-len(failed)-1, discard)
				return a.conn, nil
			}
			if failed = append(failed, a.err); len(failed) == count {
				var none T
				return none, errors.Join(failed...)
			}
			next.Reset(0)
		}
	}
}

// discardAll gets rid of what is answered too late to be used.
func discardAll[T any](answers <-chan made[T], outstanding int, discard func(T)) {
	for range outstanding {
		if a := <-answers; a.err == nil {
			discard(a.conn)
		}
	}
}
