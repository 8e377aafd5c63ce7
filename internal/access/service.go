package access

import (
	"context"
	"log/slog"
	"time"

	"tieline/internal/secret"
)

// Accounts is what accounts need of storage.
type Accounts interface {
	// Accounts lists all by name.
	Accounts(ctx context.Context) ([]Account, error)
	// Account returns one; fault.NotFound when there is none.
	Account(ctx context.Context, name string) (Account, error)
	// AddAccount stores a new one; fault.Conflict for a name in use.
	AddAccount(ctx context.Context, a Account) (Account, error)
	// ChangeAccount changes one, raises its generation and ends its sessions;
	// fault.Conflict when it is not of the change's base, fault.Refused when no
	// administrator with a password would be left.
	ChangeAccount(ctx context.Context, name string, c AccountChange) (Account, error)
	// RemoveAccount removes one with its sessions and the API tokens it made;
	// fault.Refused likewise.
	RemoveAccount(ctx context.Context, name string, base int64) error
	// UpgradePassword replaces a hash by another of the same password, if it is
	// still the one; the sessions go on.
	UpgradePassword(ctx context.Context, name string, old, hash secret.String) error
	// SignedIn notes when an account signed in last.
	SignedIn(ctx context.Context, name string) error
}

// Sessions is what sessions need of storage.
type Sessions interface {
	SaveSession(ctx context.Context, s Session) error
	// Session returns the data of a live session that was used within idle.
	Session(ctx context.Context, hash string, idle time.Duration) (data []byte, found bool, err error)
	// LiveSessions returns which of the sessions are live, used within idle.
	LiveSessions(ctx context.Context, hashes []string, idle time.Duration) (map[string]bool, error)
	EndSession(ctx context.Context, hash string) error
	// EndSessions ends all of an account and returns how many.
	EndSessions(ctx context.Context, account string) (int, error)
}

// Tokens is what API tokens need of storage.
type Tokens interface {
	Tokens(ctx context.Context) ([]Token, error)
	// AddToken stores a new one; fault.Conflict for a name in use.
	AddToken(ctx context.Context, t Token, valid time.Duration) (Token, error)
	// UseToken returns the token of a hash that has not expired and whose maker is
	// there, and notes, to the minute, that it was used.
	UseToken(ctx context.Context, hash string) (t Token, found bool, err error)
	// RevokeToken removes one; fault.NotFound when there is none.
	RevokeToken(ctx context.Context, name string) error
}

// SetUps is what the first-run set-up needs of storage.
type SetUps interface {
	// HasAdmin reports whether there is an administrator with a password.
	HasAdmin(ctx context.Context) (bool, error)
	AddSetUp(ctx context.Context, hash string, valid time.Duration) error
	// SetUpGood reports whether a set-up token is good now.
	SetUpGood(ctx context.Context, hash string) (bool, error)
	// SetUp stores the first administrator and removes all set-up tokens, if the
	// one given is good.
	SetUp(ctx context.Context, hash string, a Account) (made Account, good bool, err error)
}

// Throttle is what counting failed sign-ins needs of storage.
type Throttle interface {
	// Strike counts a try against each counter and returns 0, or counts nothing
	// and returns how long to wait.
	Strike(ctx context.Context, strikes []Strike) (wait time.Duration, err error)
	// Forgive takes back what Strike counted, and forgets counters that are Own.
	Forgive(ctx context.Context, strikes []Strike) error
}

// Audit is what the audit needs of storage.
type Audit interface {
	AddEntry(ctx context.Context, e Entry) error
	// BeginEntry adds an entry of what is about to be done and returns its ID.
	BeginEntry(ctx context.Context, e Entry) (id int64, err error)
	// EndEntry stores who it was, the detail and the outcome of an entry that was
	// begun; one without an outcome is taken back.
	EndEntry(ctx context.Context, e Entry) error
	Entries(ctx context.Context, q Query) ([]Entry, error)
}

// Store is all of it; *store.DB is one.
type Store interface {
	Accounts
	Sessions
	Tokens
	SetUps
	Throttle
	Audit
}

// Service is what console, API and command line ask. All methods may be called
// concurrently.
type Service struct {
	store  Store
	server string
	log    *slog.Logger
	hasher *hasher
}

// New returns a service. The server's name stands in the audit; "" for a
// process that is none.
func New(store Store, server string, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: store, server: server, log: log, hasher: newHasher()}
}
