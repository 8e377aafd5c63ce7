package access

import (
	"context"
	"fmt"
	"time"

	"tieline/internal/fault"
)

// Strike is one counter of failed sign-ins: of an account or of an address. It
// is kept in the database, so that several servers are no way around it.
type Strike struct {
	Key  string
	Free int           // failures that cost no waiting
	Most time.Duration // the longest wait between two tries
	Own  bool          // a success forgets it whole, not only its own try
}

// Strikes are forgotten after this time without another.
const StrikeMemory = time.Hour

// strikesFor returns the counters of one sign-in. An account's longest wait is
// short: a stranger who guesses at it must not lock its owner out for long. The
// address that guesses waits longer.
func strikesFor(name, address string) []Strike {
	var all []Strike
	if nameForm.MatchString(name) {
		all = append(all, Strike{Key: "account:" + name, Free: 5, Most: 30 * time.Second, Own: true})
	}
	if address != "" {
		all = append(all, Strike{Key: "address:" + address, Free: 10, Most: 15 * time.Minute})
	}
	return all
}

// Wait is how long after the n-th failure in a row the next try may come: 1 s
// after the free ones, then twice as long each time.
func (s Strike) Wait(failures int) time.Duration {
	over := failures - s.Free
	if over <= 0 {
		return 0
	}
	return min(time.Second<<min(over-1, 20), s.Most)
}

// strike counts a try before it is known to have failed: many at once must not
// all be free. A success takes it back.
func (s *Service) strike(ctx context.Context, strikes []Strike) error {
	wait, err := s.store.Strike(ctx, strikes)
	if err != nil || wait <= 0 {
		return err
	}
	f := fault.New(fault.TooMany, "too many sign-ins failed").
		WithNext(fmt.Sprintf("Try again in %s.", wait.Round(time.Second)+time.Second))
	f.After = wait
	return f
}
