package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"tieline/internal/access"
	"tieline/internal/store"
)

func (s *site) store() *store.DB {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), "sqlite:"+s.env["TIELINE_DATA_DIR"]+"/tieline.db", store.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestUsers(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	out := s.ok("user", "add", "Ann", "--role", "admin", "-o", "json")
	var ann struct{ Name, Role, Password string }
	if err := json.Unmarshal([]byte(out), &ann); err != nil || ann.Name != "ann" || ann.Role != "admin" || len(ann.Password) < access.MinPassword {
		t.Fatalf("added %+v: %v", ann, err)
	}
	service := access.New(s.store(), "", nil)
	if _, err := service.SignIn(t.Context(), "ann", ann.Password, access.Origin{}); err != nil {
		t.Errorf("the password that was made: %v", err)
	}
	if r := s.runWith("correct horse battery\n", "user", "add", "bob", "--password-file", "-"); r.code != 0 || strings.Contains(r.out+r.err, "horse") {
		t.Errorf("with a password of one's own: %+v", r)
	}
	if _, err := service.SignIn(t.Context(), "bob", "correct horse battery", access.Origin{}); err != nil {
		t.Errorf("the password that was given: %v", err)
	}
	s.ok("user", "set-role", "bob", "operator")
	s.ok("user", "set-password", "bob")
	if _, err := service.SignIn(t.Context(), "bob", "correct horse battery", access.Origin{}); err == nil {
		t.Error("the old password is still good")
	}
	s.ok("user", "sign-out", "bob")
	if list := s.ok("user", "list"); !strings.Contains(list, "operator") || strings.Contains(list, "argon2") {
		t.Errorf("the list is %s", list)
	}
	for _, form := range []string{"json", "yaml"} {
		if list := s.ok("user", "list", "-o", form); strings.Contains(list, "argon2") || strings.Contains(list, ann.Password) {
			t.Errorf("a secret is in the list: %s", list)
		}
	}
	for _, c := range []struct {
		args, in string
		code     int
	}{
		{"user remove ann", "", 7}, {"user set-role ann viewer", "", 7}, {"user remove eve", "", 3}, {"user add ann", "", 4},
		{"user add eve --role king", "", 2}, {"user add eve --password-file -", "short\n", 2}, {"user add eve --password-file -", "", 2},
		{"user add eve --password-file /none", "", 2}, {"user set-role bob king", "", 2},
	} {
		if r := s.runWith(c.in, strings.Fields(c.args)...); r.code != c.code {
			t.Errorf("%s: exit code %d, not %d: %s", c.args, r.code, c.code, r.err)
		}
	}
	s.ok("user", "remove", "bob")
}

func TestTokens(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	var made struct{ Name, Token string }
	if err := json.Unmarshal([]byte(s.ok("token", "create", "ci", "--role", "operator", "--days", "2", "-o", "json")), &made); err != nil || made.Token == "" {
		t.Fatalf("made %+v: %v", made, err)
	}
	p, err := access.New(s.store(), "", nil).Bearer(t.Context(), made.Token)
	if err != nil || p.Name != "token:ci" || p.Role != access.Operator {
		t.Errorf("the token is of %+v: %v", p, err)
	}
	if list := s.ok("token", "list"); !strings.Contains(list, "tester") || strings.Contains(list, made.Token) {
		t.Errorf("the list is %s", list)
	}
	for args, code := range map[string]int{
		"token create ci": 4, "token create x --days 0": 2, "token create x --days 367": 2, "token create x --role king": 2, "token revoke x": 3,
	} {
		if r := s.run(strings.Fields(args)...); r.code != code {
			t.Errorf("%s: exit code %d, not %d: %s", args, r.code, code, r.err)
		}
	}
	s.ok("token", "revoke", "ci")
	if _, err := access.New(s.store(), "", nil).Bearer(t.Context(), made.Token); err == nil {
		t.Error("a revoked token is good")
	}
}

// TestChangesAreAudited: whatever a verb changes stands in the audit with who,
// and what only reads does not.
func TestChangesAreAudited(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	s.ok("connector", "apply", "-f", s.document(validDocument))
	s.ok("connector", "list")
	s.ok("status")
	s.run("ha", "switchover", "desk")
	s.ok("user", "add", "ann", "--role", "admin")
	all, err := s.store().Entries(t.Context(), access.Query{})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d entries, not 4: %v", len(all), err)
	}
	for i, want := range []struct {
		action, target string
		outcome        access.Outcome
	}{{"user add", "ann", access.Done}, {"ha switchover", "desk", access.Failed}, {"connector apply", "", access.Done}, {"db migrate", "", access.Done}} {
		if e := all[i]; e.Action != want.action || e.Target != want.target || e.Outcome != want.outcome || e.Who != "tester" || e.Via != access.ViaCLI {
			t.Errorf("entry %+v, want %+v by tester", e, want)
		}
	}
	if all[0].Detail != "as admin" || all[1].Detail == "" || all[2].Detail != "version 1 of connector desk" || !strings.HasPrefix(all[3].Detail, "version 0 -> ") {
		t.Errorf("details %q, %q and %q", all[0].Detail, all[1].Detail, all[2].Detail)
	}
}

// TestNoVerbWithoutItsEntry: a verb's audit entry is there before it does
// anything, stays where the process ends in between, and tells what changed nothing.
func TestNoVerbWithoutItsEntry(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	db := s.store()
	c := &command{Streams: Streams{Env: s.lookup}}
	cmd := newUserRemove(c)
	cmd.SetContext(t.Context())
	newest := func() access.Entry {
		t.Helper()
		all, err := db.Entries(t.Context(), access.Query{Limit: 1})
		if err != nil || len(all) != 1 {
			t.Fatalf("%d entries: %v", len(all), err)
		}
		return all[0]
	}
	var during access.Entry
	err := c.audited(cmd, db, []string{"bob"}, func(*cobra.Command, *store.DB, []string) error {
		during = newest()
		return nil
	})
	if err != nil || during.Outcome != access.Begun || during.Action != "remove" || during.Target != "bob" || during.Who != "tester" {
		t.Errorf("while it is done: %+v: %v", during, err)
	}
	if e := newest(); e.Outcome != access.Done || e.ID != during.ID {
		t.Errorf("then: %+v", e)
	}
	closed := s.store()
	_ = closed.Close()
	err = c.audited(cmd, closed, nil, func(*cobra.Command, *store.DB, []string) error {
		t.Error("it is done although the audit cannot be written")
		return nil
	})
	if err == nil {
		t.Error("that is no error")
	}
	file := s.document(validDocument)
	s.ok("connector", "apply", "-f", file)
	s.ok("connector", "apply", "-f", file)
	if e := newest(); e.Action != "connector apply" || e.Outcome != access.Unchanged {
		t.Errorf("the same document again: %+v", e)
	}
	s.ok("user", "add", "ann", "--role", "admin")
	s.ok("user", "set-role", "ann", "admin")
	if e := newest(); e.Action != "user set-role" || e.Outcome != access.Unchanged {
		t.Errorf("the same role again: %+v", e)
	}
}
