package access

import (
	"context"
	"time"
)

// Session is a browser that signed in, as it is stored.
type Session struct {
	Hash       string // of its id, which the browser alone has
	Account    string
	Generation int64 // of the account when it signed in: another one now has ended the session
	Data       []byte
	Lifetime   time.Duration // from now; what a stored session has is never made longer
	Address    string        // where it signed in from
}

// How long a session lives.
const (
	SessionLifetime = 12 * time.Hour // whatever happens
	SessionIdle     = 2 * time.Hour  // without a request
)

// SaveSession stores a session.
func (s *Service) SaveSession(ctx context.Context, n Session) error {
	return s.store.SaveSession(ctx, n)
}

// Session returns the data of a live session and marks it as used; found is
// false for one that is unknown, has ended or expired.
func (s *Service) Session(ctx context.Context, hash string) (data []byte, found bool, err error) {
	return s.store.Session(ctx, hash, SessionIdle)
}

// LiveSessions returns which of the sessions go on: neither ended nor expired.
// They are not marked as used.
func (s *Service) LiveSessions(ctx context.Context, hashes []string) (map[string]bool, error) {
	return s.store.LiveSessions(ctx, hashes, SessionIdle)
}

// EndSession ends one session; there may be none.
func (s *Service) EndSession(ctx context.Context, hash string) error {
	return s.store.EndSession(ctx, hash)
}
