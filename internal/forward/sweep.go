package forward

import (
	"context"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

type instant = ha.Instant

// Claims that belong to nobody are looked for without a suspicion too: a claim
// statement of an earlier term that was held up in the database may commit after
// the sweep. An idle connector stops looking, so that it costs nothing.
const (
	recoverEvery = 5 * time.Minute
	looksAfter   = 2 // the sweep, or the last claim of ours
)

// sweep is rule C4: one timer per term, from the answer of its take-over; when a
// full window has passed, claims of earlier terms are nobody's and one statement
// makes them uncertain; a settle time later, holds of earlier terms have ended
// too. The same statement recovers claims that got stuck in this term.
type sweep struct {
	*tenure
	expired bool
	swept   bool
	restAt  time.Duration // age of the term at which holds of earlier terms have ended
	strays  strays
	check   time.Time // when to look for strays; zero = not
	looks   int       // remaining without a suspicion
}

func newSweep(t *tenure) *sweep { return &sweep{tenure: t} }

func (s *sweep) patience() time.Duration {
	if gear := s.gear.Load(); gear != nil {
		return gear.patience(s.term)
	}
	return orElse(s.term.Settings.Window, 30*time.Second)
}

func (s *sweep) settle() time.Duration {
	if gear := s.gear.Load(); gear != nil {
		return gear.settle
	}
	return s.term.Settings.Settle
}

// run does what its time has come for. It reports whether links may have become
// claimable.
func (s *sweep) run(ctx context.Context) (fresh bool, err error) {
	age := s.term.Age()
	switch {
	case !s.expired && age >= s.patience():
		if err := s.expire(ctx, nil); err != nil {
			return false, err
		}
		s.expired = true
		s.restAt = s.term.Age() + s.settle()
		s.check, s.looks = time.Now().Add(s.patience()), looksAfter
		return true, nil
	case s.expired && !s.swept && age >= s.restAt:
		s.swept = true
		return true, nil
	case !s.check.IsZero() && !time.Now().Before(s.check):
		return s.recover(ctx)
	}
	return false, nil
}

func (s *sweep) expire(ctx context.Context, stuck []alert.ClaimID) error {
	stmt, cancel := statement(ctx)
	defer cancel()
	n, err := s.cfg.Store.Expire(stmt, s.term, stuck, s.hold(s.settle()))
	if err != nil {
		return err
	}
	if n > 0 {
		s.log.Info("claims of nobody were made uncertain", "connector", s.cfg.Connector, "epoch", s.term.Epoch, "count", n)
	}
	return nil
}

// suspect is called when a claim's answer was lost for good.
func (s *sweep) suspect() {
	if !s.expired {
		return // the sweep begins looking
	}
	if soon := time.Now().Add(s.patience()); s.check.IsZero() || soon.Before(s.check) {
		s.check = soon
	}
}

// claimed is called after each claim of ours.
func (s *sweep) claimed() {
	s.looks = looksAfter
	if s.expired && s.check.IsZero() {
		s.check = time.Now().Add(recoverEvery)
	}
}

// recover expires claims that were nobody's at two looks a full window apart.
func (s *sweep) recover(ctx context.Context) (fresh bool, err error) {
	stmt, cancel := statement(ctx)
	open, err := s.cfg.Store.OpenClaims(stmt, s.cfg.Connector)
	cancel()
	if err != nil {
		return false, err
	}
	now, patience := s.term.Clock().Now(), s.patience()
	stuck := s.strays.find(open, s.held, now, func(since instant) bool { return now.Since(since) >= patience })
	if len(stuck) > 0 {
		if err := s.expire(ctx, stuck); err != nil {
			return false, err
		}
	}
	s.looks--
	switch {
	case len(s.strays.seen) > len(stuck):
		s.check = time.Now().Add(patience)
	case s.looks > 0:
		s.check = time.Now().Add(recoverEvery)
	default:
		s.check = time.Time{}
	}
	return len(stuck) > 0, nil
}

// next is when run has something to do; zero = not known to.
func (s *sweep) next() time.Time {
	switch {
	case !s.expired:
		return time.Now().Add(s.patience() - s.term.Age())
	case !s.swept:
		return time.Now().Add(s.restAt - s.term.Age())
	default:
		return s.check
	}
}
