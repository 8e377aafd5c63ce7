package access

import (
	"context"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// SetUpTime is how long a set-up link is good for.
const SetUpTime = 24 * time.Hour

// SetUpLink makes a set-up token while there is no administrator; needed is
// false once there is one. Each call makes another, and each is good for one
// set-up on any server of the group.
func (s *Service) SetUpLink(ctx context.Context) (token secret.String, needed bool, err error) {
	exists, err := s.store.HasAdmin(ctx)
	if err != nil || exists {
		return secret.String{}, false, err
	}
	token = newSecret("")
	return token, true, s.store.AddSetUp(ctx, hashOf(token.Reveal()), SetUpTime)
}

// NeedsSetUp reports whether there is no administrator with a password yet.
func (s *Service) NeedsSetUp(ctx context.Context) (bool, error) {
	exists, err := s.store.HasAdmin(ctx)
	return err == nil && !exists, err
}

var errSetUp = fault.New(fault.Forbidden, "this set-up link is not good: it was used, is older than 24 hours, or there is an administrator already").
	WithNext("Start a server again for another link while there is no administrator.")

// CheckSetUp reports whether a set-up token is good now, as fault.Forbidden when not.
func (s *Service) CheckSetUp(ctx context.Context, token string) error {
	good, err := s.store.SetUpGood(ctx, hashOf(token))
	if err == nil && !good {
		return errSetUp
	}
	return err
}

// SetUp makes the first administrator with a set-up token, and ends all set-up
// tokens. The error is fault.Forbidden for a token that is not good (any more).
func (s *Service) SetUp(ctx context.Context, token, name, password string) (Account, error) {
	// The token first: strangers must not have passwords hashed.
	if err := s.CheckSetUp(ctx, token); err != nil {
		return Account{}, err
	}
	a, err := s.newAccount(ctx, name, password, Admin)
	if err != nil {
		return Account{}, err
	}
	made, good, err := s.store.SetUp(ctx, hashOf(token), a)
	switch {
	case err != nil:
		return Account{}, err
	case !good:
		return Account{}, errSetUp
	}
	return made, s.store.SignedIn(ctx, made.Name) // who set it up is signed in
}
