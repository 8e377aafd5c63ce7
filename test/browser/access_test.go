package browser

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestSignIn: refused, let in by the keyboard alone, and still let in at another
// server after the first was killed.
func TestSignIn(t *testing.T) {
	t.Parallel()
	onEach(t, siteOptions{}, func(t *testing.T, s *site) {
		p := newTab(t, s.Servers[0].URL)
		p.open("/history")
		p.sees("Sign in")
		p.fill("Name", operator.name)
		p.fill("Password", "not the password")
		p.submit("Sign in")
		p.sees("Not signed in", "The name or the password is wrong")
		p.accessible()
		p.fill("Password", operator.password)
		p.leave(func() { p.keys(kb.Enter) })
		if p.path() != "/history" {
			t.Errorf("the sign-in leads to %s, not to the page that was asked for", p.path())
		}
		s.Servers[0].Kill()
		p.moveTo(s.Servers[1].URL)
		p.open("/servers")
		p.sees(operator.name)
		p.press(operator.name)
		p.submit("Sign out")
		p.sees("You are signed out")
		p.open("/servers")
		p.sees("Password")
	})
}

// TestSettingsRefused: the settings are the administrators'. Others are not
// offered them, and are refused with the role that it takes.
func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	onGallery(t, func(t *testing.T, g *gallery) {
		for _, who := range []account{viewer, operator} {
			p := g.signInAnew(t, who, g.Servers[0].URL)
			p.misses("API tokens", "Audit")
			for _, path := range []string{"/settings/accounts", "/settings/tokens", "/settings/audit"} {
				if status := p.open(path); status != http.StatusForbidden {
					t.Errorf("%s as %s: %d", path, who.role, status)
				}
				p.sees("Not allowed", "needs the role admin", who.name)
			}
		}
	})
}

// TestAccountsPage: add, change, remove, and what becomes of the one concerned.
func TestAccountsPage(t *testing.T) {
	t.Parallel()
	onEach(t, siteOptions{servers: []string{"ams1"}}, func(t *testing.T, s *site) {
		p := s.signInAnew(t, admin, s.Servers[0].URL)
		p.press("Accounts")
		p.sees("3 accounts", viewer.name)
		p.fill("Name", "Nora")
		p.tick("operator")
		p.fill("New password", "a password for nora")
		p.fill("New password again", "another one for her")
		p.submit("Add the account")
		p.sees("Must be the same as above")
		p.accessible()
		p.fill("New password", "a password for the new one")
		p.fill("New password again", "a password for the new one")
		p.submit("Add the account")
		p.sees("Added nora as operator", "4 accounts")
		nora := s.signInAnew(t, account{name: "nora", password: "a password for the new one"}, s.Servers[0].URL)
		nora.sees("nora")

		p.submit("Change nora")
		p.tick("viewer")
		p.submit("Change the role")
		p.sees("Changed the role of nora")
		nora.open("/servers")
		nora.sees("Password") // her session had the old role

		p.submit("Change " + admin.name)
		p.tick("viewer")
		p.submit("Change the role")
		p.sees("is the last administrator")

		p.open("/settings/accounts/nora")
		p.press("Remove")
		p.sees("Remove the account nora?", "signed out everywhere at once")
		if focused := p.focused(); !strings.Contains(focused, "Keep it") {
			t.Errorf("the safe choice does not have the focus, but %s", focused)
		}
		p.keys(kb.Escape)
		p.press("Remove")
		p.submit("Remove nora")
		p.sees("Removed the account nora", "3 accounts")
	})
}

// TestTokensPage: a token is shown once, works, and is refused once revoked.
func TestTokensPage(t *testing.T) {
	t.Parallel()
	onEach(t, siteOptions{servers: []string{"ams1"}}, func(t *testing.T, s *site) {
		p := s.signInAnew(t, admin, s.Servers[0].URL)
		p.press("API tokens")
		p.sees("There is no API token yet")
		p.fill("Name", "grafana")
		p.fill("Good for", "30")
		p.submit("Make the API token")
		p.sees("copy it now", "grafana")
		p.accessible()
		p.phone()
		p.wide()
		p.size(1280, 900, false)
		token := regexp.MustCompile(`tieline_[\w-]{43}`).FindString(p.shows())
		ask := func() int {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Servers[0].URL+"/api/v1/me", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		if got := ask(); token == "" || got != http.StatusOK {
			t.Fatalf("the token %.12q… is answered %d", token, got)
		}
		p.open("/settings/tokens")
		p.sees("grafana")
		p.misses(token)
		p.press("Revoke grafana")
		p.sees("Revoke the API token grafana?")
		p.submit("Revoke grafana")
		p.sees("Revoked the API token grafana")
		if got := ask(); got != http.StatusUnauthorized {
			t.Errorf("the revoked token is answered %d", got)
		}
		p.press("Audit")
		p.sees("create API token", "revoke API token", "sign in", admin.name)
		p.choose("Outcome", "refused")
		p.submit("Find")
		p.sees("not known here, was revoked, has expired, or ended with the account")
		p.misses("create API token")
	})
}

// TestOwnPassword: somebody changes their own, and goes on.
func TestOwnPassword(t *testing.T) {
	t.Parallel()
	onEach(t, siteOptions{servers: []string{"ams1"}}, func(t *testing.T, s *site) {
		p, other := s.signInAnew(t, viewer, s.Servers[0].URL), s.signInAnew(t, viewer, s.Servers[0].URL)
		p.open("/settings/password")
		p.fill("Present password", "wrong")
		p.fill("New password", "something long and new")
		p.fill("New password again", "something long and new")
		p.submit("Change the password")
		p.sees("Is not the present password")
		p.fill("Present password", viewer.password)
		p.fill("New password", "something long and new")
		p.fill("New password again", "something long and new")
		p.submit("Change the password")
		p.sees("Changed your password", "Signed in as "+viewer.name)
		other.open("/servers")
		other.sees("Password") // her other sessions ended
		s.signInAnew(t, account{name: viewer.name, password: "something long and new"}, s.Servers[0].URL)
	})
}
