package browser

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// addAccounts makes the three accounts.
func (s *site) addAccounts(ctx context.Context) error {
	for _, a := range []account{admin, operator, viewer} {
		cmd := exec.CommandContext(ctx, binary, "user", "add", a.name, "--role", a.role, "--password-stdin")
		cmd.Env = append(os.Environ(), s.Servers[0].Env...)
		cmd.Stdin = bytes.NewBufferString(a.password + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("tieline user add %s: %w\n%s", a.name, err, out)
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
