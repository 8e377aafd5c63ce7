package access

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// Kind says where an account proves who it is.
type Kind string

// The kinds.
const (
	Local Kind = "local" // by its password here
	OIDC  Kind = "oidc"  // at the OpenID provider
)

// Account is somebody who may sign in. Times are by the database's clock.
type Account struct {
	Name       string // unique; lower case
	Kind       Kind
	Subject    string // of OIDC: the issuer and its name for the account
	Role       Role
	Password   secret.String // the hash, in PHC form; none for OIDC
	Generation int64         // grows with each change that ends the account's sessions
	CreatedAt  time.Time
	ChangedAt  time.Time
	SignedInAt time.Time // zero = never
}

// AccountChange is what of an account changes; zero fields stay.
type AccountChange struct {
	Role     Role
	Password secret.String // the new hash
	Base     int64         // the generation it must still have; 0 = any
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,99}$`)

// CheckName brings an account's or a token's name to the form it is stored in
// and reports what is wrong with it, as fault.Invalid at the field "name".
func CheckName(name string) (string, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if !nameForm.MatchString(name) {
		return "", fault.InvalidInput("the name cannot be used", []fault.Problem{{
			Path: "name", Message: `must be 1 to 100 letters without accents, digits and ". _ @ + -", beginning with a letter or digit`,
		}})
	}
	return name, nil
}

// Accounts lists the accounts by name.
func (s *Service) Accounts(ctx context.Context) ([]Account, error) { return s.store.Accounts(ctx) }

// Account returns one account; fault.NotFound when there is none.
func (s *Service) Account(ctx context.Context, name string) (Account, error) {
	return s.store.Account(ctx, strings.ToLower(name))
}

// AddAccount makes a local account. The error is fault.Invalid for a name, a
// password or a role that cannot be, and fault.Conflict for a name in use.
func (s *Service) AddAccount(ctx context.Context, name, password string, role Role) (Account, error) {
	a, err := s.newAccount(ctx, name, password, role)
	if err != nil {
		return Account{}, err
	}
	return s.store.AddAccount(ctx, a)
}

func (s *Service) newAccount(ctx context.Context, name, password string, role Role) (Account, error) {
	role, err := ParseRole(string(role))
	if err != nil {
		return Account{}, err
	}
	name, err = CheckName(name)
	if err != nil {
		return Account{}, err
	}
	if err := CheckPassword(name, password); err != nil {
		return Account{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	return Account{Name: name, Kind: Local, Role: role, Password: hash}, err
}

// Change asks for a change of an account; zero fields stay.
type Change struct {
	Role     Role
	Password string
	Base     int64 // the generation it was decided on; 0 = any
}

// ChangeAccount changes a local account's role or password and ends its
// sessions; the role it has already changes nothing. A new password also ends the
// wait after failed sign-ins. The error is fault.NotFound, fault.Invalid, fault.Conflict when the
// account is of another generation by now, and fault.Refused for an account of
// the OpenID provider and for the last administrator with a password, whom
// nobody could give the role back.
func (s *Service) ChangeAccount(ctx context.Context, name string, c Change) (Account, error) {
	a, err := s.Account(ctx, name)
	if err != nil {
		return Account{}, err
	}
	if a.Kind == OIDC {
		return Account{}, fault.New(fault.Refused, fmt.Sprintf("the role of %s comes from the OpenID provider, and the password is there", a.Name)).
			WithNext("Change it there; a role holds from the next sign-in.")
	}
	change := AccountChange{Base: c.Base}
	if c.Role != "" {
		if change.Role, err = ParseRole(string(c.Role)); err != nil {
			return Account{}, err
		}
		if change.Role == a.Role && c.Password == "" && (c.Base == 0 || c.Base == a.Generation) {
			NothingChanged(ctx)
			return a, nil
		}
		Remark(ctx, "role %s -> %s", a.Role, c.Role)
	}
	if c.Password != "" {
		if err := CheckPassword(a.Name, c.Password); err != nil {
			return Account{}, err
		}
		if change.Password, err = s.hasher.hash(ctx, c.Password); err != nil {
			return Account{}, err
		}
		Remark(ctx, "new password")
	}
	changed, err := s.store.ChangeAccount(ctx, a.Name, change)
	if err == nil && c.Password != "" {
		err = s.store.Forgive(ctx, []Strike{accountStrike(a.Name)})
	}
	return changed, err
}

// ChangeOwnPassword changes the password of somebody who knows the present one.
func (s *Service) ChangeOwnPassword(ctx context.Context, name, present, password string, from Origin) (Account, error) {
	if _, err := s.SignIn(ctx, name, present, from); err != nil {
		if fault.KindOf(err) == fault.Unauthorized {
			err = fault.InvalidInput("the password was not changed", []fault.Problem{{Path: "present", Message: "is not the present password"}})
		}
		return Account{}, err
	}
	if password == "" {
		return Account{}, CheckPassword(name, password)
	}
	return s.ChangeAccount(ctx, name, Change{Password: password})
}

// RemoveAccount removes an account, and ends its sessions and the API tokens it
// made. base is the
// generation it was decided on; 0 = any. The error is fault.NotFound, fault.Conflict
// when it is of another generation by now, or fault.Refused for the last administrator with a password.
func (s *Service) RemoveAccount(ctx context.Context, name string, base int64) error {
	return s.store.RemoveAccount(ctx, strings.ToLower(name), base)
}

// EndSessions signs an account out everywhere and returns how many sessions ended.
func (s *Service) EndSessions(ctx context.Context, name string) (int, error) {
	n, err := s.store.EndSessions(ctx, strings.ToLower(name))
	if err == nil && n == 0 {
		NothingChanged(ctx)
	}
	return n, err
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
