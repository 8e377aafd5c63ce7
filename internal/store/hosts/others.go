package hosts

import (
	"context"
	"time"
)

// Answer is what one host answered.
type Answer[T any] struct {
	At  int
	Got T
	Err error
}

// Others asks every host but one, all at once, and returns what each answered, in
// their order. It takes no longer than limit, if ask ends with its context.
func Others[T any](ctx context.Context, count, but int, limit time.Duration, ask func(ctx context.Context, at int) (T, error)) []Answer[T] {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answers := make([]Answer[T], count)
	done := make(chan struct{}, count)
	for at := range answers {
		go func() {
			defer func() { done <- struct{}{} }()
			if at != but {
				answers[at].At = at
				answers[at].Got, answers[at].Err = ask(ctx, at)
			}
		}()
	}
	for range count {
		<-done
	}
	if but < 0 || but >= count {
		return answers
	}
	return append(answers[:but], answers[but+1:]...)
}
