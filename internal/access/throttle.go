package access

import (
	"context"
	"fmt"
	"net/netip"
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

// Origin is where a sign-in comes from.
type Origin struct {
	Address string // IP address; "" = none, at the command line
	// Device names a browser in which somebody signed in to this very account
	// before, as package guard has proof of; "" = it is not known to.
	Device string
}

// strikesFor returns the counters of one sign-in. An account's longest wait is
// short: a stranger who guesses at it must not lock its owner out for long. The
// address that guesses waits longer. A browser that signed in to the account
// before has a counter of its own instead of both: strangers who never stop
// guessing, or share its address, keep its owner out no more than a moment.
func strikesFor(name string, from Origin) []Strike {
	if from.Device != "" {
		return []Strike{{Key: "device:" + from.Device, Free: 5, Most: 15 * time.Minute, Own: true}}
	}
	var all []Strike
	if nameForm.MatchString(name) {
		all = append(all, accountStrike(name))
	}
	if from.Address != "" {
		all = append(all, Strike{Key: "address:" + network(from.Address), Free: 10, Most: 15 * time.Minute})
	}
	return all
}

func accountStrike(name string) Strike {
	return Strike{Key: "account:" + name, Free: 5, Most: 30 * time.Second, Own: true}
}

// network is an address as it is counted: of IPv6 the /64, all of which one
// customer has.
func network(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil || !addr.Is6() || addr.Is4In6() {
		return address
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().String()
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
