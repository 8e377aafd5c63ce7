package browser

import (
	"context"
	"errors"
	"testing"

	"tieline/internal/access"
	"tieline/internal/store"
)

// account is a person who may sign in at every site.
type account struct {
	name, password string
	role           access.Role
}

var (
	admin    = account{"anna", "correct horse battery one", access.Admin}
	operator = account{"otto", "correct horse battery two", access.Operator}
	viewer   = account{"vera", "correct horse battery three", access.Viewer}
)

// addAccounts makes the three accounts.
func (s *site) addAccounts(ctx context.Context) (err error) {
	db, err := store.Open(ctx, s.url, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	accounts := access.New(db, "", nil)
	for _, a := range []account{admin, operator, viewer} {
		if _, err := accounts.AddAccount(ctx, a.name, a.password, a.role); err != nil {
			return err
		}
	}
	return nil
}

// signIn opens a window on the site's first server and signs a person in.
func (s *site) signIn(t *testing.T, who account) *tab {
	t.Helper()
	return s.signInAt(t, who, s.Servers[0].URL)
}

// signInAt does so at a server's address.
func (s *site) signInAt(t *testing.T, who account, base string) *tab {
	t.Helper()
	p := newTab(t, base)
	p.open("/sign-in")
	p.fill("Name", who.name)
	p.fill("Password", who.password)
	p.submit("Sign in")
	p.sees(who.name)
	return p
}
