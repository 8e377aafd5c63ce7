package access

import (
	"context"
	"strings"

	"tieline/internal/fault"
)

var errSignIn = fault.New(fault.Unauthorized, "the name or the password is wrong")

// SignIn returns the account whose password was given. An unknown name, one
// without a password and a wrong password take the same time and give the same
// fault.Unauthorized; who tries too often is told fault.TooMany without a look at
// the password.
func (s *Service) SignIn(ctx context.Context, name, password string, from Origin) (Account, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	strikes := strikesFor(name, from)
	if err := s.strike(ctx, strikes); err != nil {
		return Account{}, err
	}
	a, err := s.store.Account(ctx, name)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return Account{}, err
	}
	if err == nil {
		// Not the name as typed: a password is typed there now and then.
		Remark(ctx, "as %s", a.Name)
	}
	ok, stale, err := s.hasher.verify(ctx, password, a.Password)
	if err != nil {
		return Account{}, err
	}
	if !ok || len(password) > maxPassword {
		return Account{}, errSignIn
	}
	if err := s.store.Forgive(ctx, strikes); err != nil {
		return Account{}, err
	}
	if stale {
		s.upgrade(ctx, a, password)
	}
	return a, s.store.SignedIn(ctx, a.Name)
}

// upgrade makes a password's hash anew at today's cost. That it fails is no
// reason to refuse the sign-in: the next one tries again.
func (s *Service) upgrade(ctx context.Context, a Account, password string) {
	hash, err := s.hasher.hash(ctx, password)
	if err == nil {
		err = s.store.UpgradePassword(ctx, a.Name, a.Password, hash)
	}
	if err != nil {
		s.log.WarnContext(ctx, "the hash of a password was not made anew", "user", a.Name, "err", err)
	}
}

// Identity is who the OpenID provider says somebody is.
type Identity struct {
	Subject string // issuer and subject: never given to another
	Name    string // what people call the account
	Role    Role
}

// SignInOIDC returns the account of an identity, made at its first sign-in. Its
// role is the one the provider gives, and a change of it ends the sessions that
// had the old one. The error is fault.Forbidden when the name belongs to another
// account: nobody takes over an account by choosing a name at the provider.
func (s *Service) SignInOIDC(ctx context.Context, id Identity) (Account, error) {
	name, err := CheckName(id.Name)
	if err != nil {
		return Account{}, fault.New(fault.Forbidden, "the name the OpenID provider gave cannot be used here").
			WithNext("An administrator can choose another claim for it (oidc.name_claim).")
	}
	if bound(id.Subject) != id.Subject {
		return Account{}, fault.New(fault.Forbidden, "the subject the OpenID provider gave is too long or no text").
			WithNext("Whoever runs the provider can tell why.")
	}
	a, err := s.store.Account(ctx, name)
	switch {
	case fault.KindOf(err) == fault.NotFound && err != nil:
		a, err = s.store.AddAccount(ctx, Account{Name: name, Kind: OIDC, Subject: id.Subject, Role: id.Role})
	case err != nil:
	case a.Kind != OIDC || a.Subject != id.Subject:
		err = fault.New(fault.Forbidden, "the name "+name+" belongs to another account here").
			WithNext("An administrator can remove that account, or choose another claim for names (oidc.name_claim).")
	case a.Role != id.Role:
		a, err = s.store.ChangeAccount(ctx, name, AccountChange{Role: id.Role})
	}
	if err != nil {
		return Account{}, err
	}
	return a, s.store.SignedIn(ctx, a.Name)
}
