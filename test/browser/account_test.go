package browser

import (
	"context"
	"errors"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

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

// signIn opens a window on the site's first server for a person who is signed in.
func (s *site) signIn(t *testing.T, who account) *tab {
	t.Helper()
	return s.signInAt(t, who, s.Servers[0].URL)
}

// signInAt does so at a server's address. A person signs in once at a site: their
// further windows have the same session, and show nothing until one is opened.
func (s *site) signInAt(t *testing.T, who account, base string) *tab {
	t.Helper()
	s.signing.Lock()
	defer s.signing.Unlock()
	if session, ok := s.sessions[who.name]; ok {
		p := newTab(t, base)
		p.bring(session)
		return p
	}
	p := s.signInAnew(t, who, base)
	if s.sessions == nil {
		s.sessions = map[string][]*network.CookieParam{}
	}
	s.sessions[who.name] = p.cookies()
	return p
}

// signInAnew signs a person in by the form, for a session of its own.
func (s *site) signInAnew(t *testing.T, who account, base string) *tab {
	t.Helper()
	p := newTab(t, base)
	p.open("/sign-in")
	p.fill("Name", who.name)
	p.fill("Password", who.password)
	p.submit("Sign in")
	p.sees(who.name)
	return p
}

// cookies are those of the page.
func (p *tab) cookies() []*network.CookieParam {
	p.t.Helper()
	var all []*network.CookieParam
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		got, err := cdp.Call(ctx, to, network.GetCookies, network.GetCookiesParams{})
		for _, c := range got.Cookies {
			all = append(all, &network.CookieParam{
				Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path, HTTPOnly: c.HTTPOnly, SameSite: c.SameSite,
			})
		}
		return err
	}))
	return all
}

// bring gives the window another one's cookies.
func (p *tab) bring(cookies []*network.CookieParam) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, network.SetCookies, network.SetCookiesParams{Cookies: cookies})
		return err
	}))
}
