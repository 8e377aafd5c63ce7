package access_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/secret"
	"tieline/internal/store"
)

const good = "correct horse battery"

func newService(t *testing.T) (*access.Service, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tieline.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return access.New(db, "one", nil), db
}

func TestMay(t *testing.T) {
	all := []access.Permission{access.Public, access.View, access.Operate, access.Administer}
	for role, may := range map[access.Role]int{"": 1, "king": 1, access.Viewer: 2, access.Operator: 3, access.Admin: 4} {
		for i, p := range all {
			if got := (access.Principal{Role: role}).May(p); got != (i < may) {
				t.Errorf("%q may %s: %t", role, p, got)
			}
		}
	}
	for _, p := range all {
		if !(access.Principal{Role: p.Least()}).May(p) {
			t.Errorf("the least role of %s, %q, may not", p, p.Least())
		}
	}
}

func TestSignIn(t *testing.T) {
	s, db := newService(t)
	made, err := s.AddAccount(t.Context(), " Ann ", good, access.Admin)
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != "ann" || !strings.HasPrefix(made.Password.Reveal(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("made %q with %q", made.Name, made.Password.Reveal())
	}
	a, err := s.SignIn(t.Context(), "ANN", good, access.Origin{Address: "192.0.2.1"})
	if err != nil || a.Name != "ann" || a.Role != access.Admin {
		t.Fatalf("signed in %+v: %v", a, err)
	}
	if again, _ := db.Account(t.Context(), "ann"); again.SignedInAt.IsZero() || again.Password != made.Password {
		t.Errorf("after the sign-in: %+v", again)
	}
	var texts []string
	if _, err := db.AddAccount(t.Context(), access.Account{Name: "ida", Kind: access.OIDC, Subject: "x", Role: access.Admin}); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"ann", "wrong"}, {"ann", ""}, {"eve", good}, {"", ""}, {"ida", ""}, {"ida", good}, {"no such name!", good}} {
		_, err := s.SignIn(t.Context(), c[0], c[1], access.Origin{Address: "192.0.2.1"})
		if fault.KindOf(err) != fault.Unauthorized {
			t.Errorf("%q with %q: %v", c[0], c[1], err)
		}
		texts = append(texts, fmt.Sprint(err))
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("refusals differ: %q and %q", text, texts[0])
		}
	}
}

// TestUpgrade: a hash of another cost is made anew at the next sign-in, and the
// account's sessions go on.
func TestUpgrade(t *testing.T) {
	s, db := newService(t)
	// argon2id of "correct horse battery" with m=8, t=1, as an older program may have stored it.
	cheap := secret.New(access.CheapHash(good))
	made, err := db.AddAccount(t.Context(), access.Account{Name: "ann", Kind: access.Local, Role: access.Viewer, Password: cheap})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignIn(t.Context(), "ann", "wrong", access.Origin{Address: ""}); err == nil {
		t.Fatal("a wrong password fits")
	}
	if a, _ := db.Account(t.Context(), "ann"); a.Password != cheap {
		t.Error("a refused sign-in changed the hash")
	}
	for range 2 {
		if _, err := s.SignIn(t.Context(), "ann", good, access.Origin{Address: ""}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := db.Account(t.Context(), "ann")
	if err != nil || !strings.Contains(a.Password.Reveal(), "m=19456,t=2,p=1") || a.Generation != made.Generation {
		t.Errorf("after two sign-ins: %q, generation %d -> %d: %v", a.Password.Reveal(), made.Generation, a.Generation, err)
	}
}

func TestThrottle(t *testing.T) {
	s, _ := newService(t)
	if _, err := s.AddAccount(t.Context(), "ann", good, access.Admin); err != nil {
		t.Fatal(err)
	}
	var err error
	tries := 0
	for ; tries < 30; tries++ {
		if _, err = s.SignIn(t.Context(), "ann", "wrong", access.Origin{Address: "192.0.2.1"}); fault.KindOf(err) == fault.TooMany {
			break
		}
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.TooMany || f.After <= 0 || tries < 6 {
		t.Fatalf("after %d tries: %v", tries, err)
	}
	if _, err := s.SignIn(t.Context(), "eve", "wrong", access.Origin{Address: "192.0.2.2"}); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("another account from elsewhere: %v", err)
	}
}

// TestGuessingLocksNobodyOut: while somebody guesses without end, from anywhere,
// the account's owner signs in by a browser that did so before, from the guesser's
// address too; and a new password ends the wait for everybody.
func TestGuessingLocksNobodyOut(t *testing.T) {
	s, _ := newService(t)
	if _, err := s.AddAccount(t.Context(), "ann", good, access.Admin); err != nil {
		t.Fatal(err)
	}
	guess := func(address string) error {
		_, err := s.SignIn(t.Context(), "ann", "wrong", access.Origin{Address: address})
		return err
	}
	for i := 0; fault.KindOf(guess(fmt.Sprintf("192.0.2.%d", i%40))) != fault.TooMany; i++ {
		if i > 30 {
			t.Fatal("guesses are never made to wait")
		}
	}
	owner := access.Origin{Address: "192.0.2.1", Device: "ANN'S OWN"}
	if _, err := s.SignIn(t.Context(), "ann", good, owner); err != nil {
		t.Errorf("the owner, by a known browser: %v", err)
	}
	for i := 0; ; i++ { // a stolen one is no way to guess
		_, err := s.SignIn(t.Context(), "ann", "wrong", owner)
		if fault.KindOf(err) == fault.TooMany {
			break
		}
		if i > 20 {
			t.Fatal("a known browser guesses without end")
		}
	}
	if _, err := s.ChangeAccount(t.Context(), "ann", access.Change{Password: good + " two"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignIn(t.Context(), "ann", good+" two", access.Origin{Address: "198.51.100.1"}); err != nil {
		t.Errorf("after a new password: %v", err)
	}
}

// TestOneNetwork: the addresses that one customer has count as one.
func TestOneNetwork(t *testing.T) {
	s, _ := newService(t)
	var err error
	tries := 0
	for ; tries < 40 && fault.KindOf(err) != fault.TooMany; tries++ {
		_, err = s.SignIn(t.Context(), fmt.Sprintf("name%d", tries), "wrong", access.Origin{Address: fmt.Sprintf("2001:db8:1:2::%x", tries)})
	}
	if tries == 40 {
		t.Error("an address of the same /64 each is a way around the counter")
	}
	if _, err := s.SignIn(t.Context(), "eve", "wrong", access.Origin{Address: "2001:db8:1:3::1"}); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("the next /64: %v", err)
	}
}

func TestWait(t *testing.T) {
	s := access.Strike{Free: 5, Most: 30 * time.Second}
	for failures, want := range map[int]time.Duration{0: 0, 5: 0, 6: time.Second, 7: 2 * time.Second, 10: 16 * time.Second, 11: 30 * time.Second, 1000: 30 * time.Second} {
		if got := s.Wait(failures); got != want {
			t.Errorf("after %d failures the wait is %s, not %s", failures, got, want)
		}
	}
}

func TestNewAccounts(t *testing.T) {
	s, _ := newService(t)
	for _, c := range []struct{ name, password, role, path string }{
		{"", good, "viewer", "name"}, {"-a", good, "viewer", "name"}, {"a b", good, "viewer", "name"}, {"token:ci", good, "viewer", "name"},
		{strings.Repeat("a", 101), good, "viewer", "name"},
		{"bob", "short", "viewer", "password"}, {"bob", strings.Repeat("a", 20), "viewer", "password"}, {"robert", "I am Robert, hello", "viewer", "password"},
		{"bob", strings.Repeat("long ", 300), "viewer", "password"}, {"bob", "\xff\xfe not utf-8 text", "viewer", "password"},
		{"bob", good, "king", "role"}, {"bob", good, "", "role"},
	} {
		_, err := s.AddAccount(t.Context(), c.name, c.password, access.Role(c.role))
		if p := fault.ProblemsOf(err); len(p) != 1 || p[0].Path != c.path || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%.20q %.20q %q: %v", c.name, c.password, c.role, err)
		}
		if err != nil && len(c.password) > 5 && strings.Contains(err.Error(), c.password) {
			t.Errorf("the password is in the error: %v", err)
		}
	}
	if all, err := s.Accounts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d accounts were made: %v", len(all), err)
	}
}

func TestChanges(t *testing.T) {
	s, db := newService(t)
	if _, err := s.AddAccount(t.Context(), "ann", good, access.Admin); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AddAccount(t.Context(), access.Account{Name: "ida", Kind: access.OIDC, Subject: "x", Role: access.Viewer}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		who    string
		change access.Change
		want   fault.Kind
	}{
		"nobody":                  {"eve", access.Change{Role: access.Viewer}, fault.NotFound},
		"no role":                 {"ann", access.Change{Role: "king"}, fault.Invalid},
		"a bad password":          {"ann", access.Change{Password: "short"}, fault.Invalid},
		"the last administrator":  {"ann", access.Change{Role: access.Viewer}, fault.Refused},
		"an old generation":       {"ann", access.Change{Password: good + "!", Base: 1}, fault.Conflict},
		"a role of the provider":  {"ida", access.Change{Role: access.Admin}, fault.Refused},
		"a password for provider": {"ida", access.Change{Password: good}, fault.Refused},
	} {
		if _, err := s.ChangeAccount(t.Context(), c.who, c.change); fault.KindOf(err) != c.want || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.ChangeOwnPassword(t.Context(), "ann", "wrong", good+" two", access.Origin{Address: ""}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("with a wrong present password: %v", err)
	}
	if _, err := s.ChangeOwnPassword(t.Context(), "ann", good, "", access.Origin{Address: ""}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("to no password: %v", err)
	}
	if _, err := s.ChangeOwnPassword(t.Context(), "ann", good, good+" two", access.Origin{Address: ""}); err != nil {
		t.Errorf("change: %v", err)
	}
	if _, err := s.SignIn(t.Context(), "ann", good+" two", access.Origin{Address: ""}); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestTokenTexts(t *testing.T) {
	s, db := newService(t)
	if _, err := s.AddAccount(t.Context(), "ann", good, access.Admin); err != nil {
		t.Fatal(err)
	}
	made, text, err := s.CreateToken(t.Context(), access.NewToken{Name: "CI", Role: access.Operator, Valid: time.Hour, Who: "ann"})
	if err != nil || made.Name != "ci" || len(text.Reveal()) < 40 || strings.Contains(made.Hash, text.Reveal()) {
		t.Fatalf("made %+v: %v", made, err)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", text, text, text), text.Reveal()) {
		t.Error("the token prints")
	}
	p, err := s.Bearer(t.Context(), text.Reveal())
	if err != nil || p != (access.Principal{Name: "token:ci", Role: access.Operator, Via: access.ViaToken, Account: "ann"}) || p.Maker() != "ann" {
		t.Errorf("it is of %+v: %v", p, err)
	}
	for _, wrong := range []string{"", "x", text.Reveal() + "x", text.Reveal()[8:], made.Hash, "tieline_" + strings.Repeat("x", 300)} {
		if _, err := s.Bearer(t.Context(), wrong); fault.KindOf(err) != fault.Unauthorized || strings.Contains(err.Error(), "tieline_") {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
	if by, err := s.TokensBy(t.Context(), "ann"); err != nil || len(by) != 1 || by[0] != "ci" {
		t.Errorf("ann made %v: %v", by, err)
	}
	if err := s.RevokeToken(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bearer(t.Context(), text.Reveal()); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("a revoked one: %v", err)
	}
	for _, n := range []access.NewToken{
		{Name: "", Role: access.Viewer, Valid: time.Hour}, {Name: "a", Role: "king", Valid: time.Hour},
		{Name: "a", Role: access.Viewer, Valid: time.Second}, {Name: "a", Role: access.Viewer, Valid: 400 * 24 * time.Hour},
	} {
		if _, _, err := s.CreateToken(t.Context(), n); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", n, err)
		}
	}
	if all, _ := db.Tokens(t.Context()); len(all) != 0 {
		t.Errorf("%d tokens are left", len(all))
	}
}

// TestTokensEndWithTheirMaker: a token does no more than its maker may, and ends
// with the maker's account; one of the command line has none.
func TestTokensEndWithTheirMaker(t *testing.T) {
	s, _ := newService(t)
	for _, name := range []string{"ann", "root"} {
		if _, err := s.AddAccount(t.Context(), name, good, access.Admin); err != nil {
			t.Fatal(err)
		}
	}
	texts := map[string]string{}
	for who, role := range map[string]access.Role{"ann": access.Admin, access.CLIMaker + "ann": access.Operator} {
		_, text, err := s.CreateToken(t.Context(), access.NewToken{Name: strings.ReplaceAll(who, ":", "-"), Role: role, Valid: time.Hour, Who: who})
		if err != nil {
			t.Fatal(err)
		}
		texts[who] = text.Reveal()
	}
	role := func(who string) access.Role {
		p, err := s.Bearer(t.Context(), texts[who])
		if err != nil && fault.KindOf(err) != fault.Unauthorized {
			t.Fatal(err)
		}
		return p.Role
	}
	check := func(when string, ann, cli access.Role) {
		t.Helper()
		if a, c := role("ann"), role(access.CLIMaker+"ann"); a != ann || c != cli {
			t.Errorf("%s ann's token is %q and the command line's %q, not %q and %q", when, a, c, ann, cli)
		}
	}
	check("at first", access.Admin, access.Operator)
	if _, err := s.ChangeAccount(t.Context(), "ann", access.Change{Role: access.Viewer}); err != nil {
		t.Fatal(err)
	}
	check("with ann a viewer", access.Viewer, access.Operator)
	if all, err := s.Tokens(t.Context()); err != nil || len(all) != 2 || all[0].Role != access.Admin || all[0].Effective() != access.Viewer {
		t.Errorf("the list has %+v: %v", all, err)
	}
	if err := s.RemoveAccount(t.Context(), "ann", 0); err != nil {
		t.Fatal(err)
	}
	check("without ann", "", access.Operator)
	if _, err := s.AddAccount(t.Context(), "ann", good, access.Admin); err != nil {
		t.Fatal(err)
	}
	check("with another ann", "", access.Operator)
	// One that is made in the very moment of the removal.
	_, late, err := s.CreateToken(t.Context(), access.NewToken{Name: "late", Role: access.Viewer, Valid: time.Hour, Who: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bearer(t.Context(), late.Reveal()); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("a token of nobody's: %v", err)
	}
}

func TestSetUp(t *testing.T) {
	s, _ := newService(t)
	first, needed, err := s.SetUpLink(t.Context())
	if err != nil || !needed {
		t.Fatal(needed, err)
	}
	second, _, err := s.SetUpLink(t.Context()) // of another server's start
	if err != nil || first == second {
		t.Fatal("two starts print one link", err)
	}
	if err := s.CheckSetUp(t.Context(), "made-up"); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a link nobody printed: %v", err)
	}
	if _, err := s.SetUp(t.Context(), first.Reveal(), "ann", "short"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a short password: %v", err)
	}
	a, err := s.SetUp(t.Context(), first.Reveal(), "ann", good)
	if err != nil || a.Role != access.Admin || a.Kind != access.Local {
		t.Fatalf("set up %+v: %v", a, err)
	}
	for _, link := range []secret.String{first, second} {
		if _, err := s.SetUp(t.Context(), link.Reveal(), "eve", good); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a link after the set-up: %v", err)
		}
	}
	if _, needed, err := s.SetUpLink(t.Context()); needed || err != nil {
		t.Errorf("a link is needed after the set-up: %v", err)
	}
}

func TestOIDCAccounts(t *testing.T) {
	s, db := newService(t)
	id := access.Identity{Subject: "idp#1", Name: "Ida@Example.org", Role: access.Viewer}
	a, err := s.SignInOIDC(t.Context(), id)
	if err != nil || a.Name != "ida@example.org" || a.Kind != access.OIDC || a.Role != access.Viewer || !a.Password.IsZero() {
		t.Fatalf("made %+v: %v", a, err)
	}
	if again, err := s.SignInOIDC(t.Context(), id); err != nil || again.Generation != a.Generation {
		t.Errorf("the next sign-in changed %+v: %v", again, err)
	}
	id.Role = access.Operator
	if again, err := s.SignInOIDC(t.Context(), id); err != nil || again.Role != access.Operator || again.Generation <= a.Generation {
		t.Errorf("with another role: %+v: %v", again, err)
	}
	if _, err := s.AddAccount(t.Context(), "ann", good, access.Admin); err != nil {
		t.Fatal(err)
	}
	for _, other := range []access.Identity{
		{Subject: "idp#2", Name: "ida@example.org", Role: access.Admin}, {Subject: "idp#1", Name: "ann", Role: access.Admin}, {Subject: "idp#3", Name: "no name!", Role: access.Admin},
		{Subject: "idp#\x00", Name: "eve", Role: access.Admin}, {Subject: "idp#" + strings.Repeat("x", 600), Name: "eve", Role: access.Admin},
	} {
		if _, err := s.SignInOIDC(t.Context(), other); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%+v: %v", other, err)
		}
	}
	if all, _ := db.Accounts(t.Context()); len(all) != 2 {
		t.Errorf("%d accounts", len(all))
	}
}

func TestAudit(t *testing.T) {
	s, _ := newService(t)
	ctx, remarks := access.WithRemarks(t.Context())
	access.Remark(ctx, "role %s", access.Viewer)
	access.Remark(ctx, "and more")
	access.Remark(t.Context(), "lost") // no request: nowhere to go
	long := strings.Repeat("ü", 1000) + "\x00\xff"
	if err := s.Record(ctx, access.Entry{Who: "ann", Action: long, Detail: remarks.String(), Outcome: access.Done}); err != nil {
		t.Fatal(err)
	}
	all, err := s.Audit(ctx, access.Query{Outcome: access.Done})
	if err != nil || len(all) != 1 || all[0].Detail != "role viewer; and more" || all[0].Server != "one" || len(all[0].Action) > 510 {
		t.Errorf("entries %+v: %v", all, err)
	}
	begun, err := s.Begin(ctx, access.Entry{Who: "", Action: "sign in", Target: "/sign-in"})
	if err != nil {
		t.Fatal(err)
	}
	all, err = s.Audit(ctx, access.Query{Outcome: access.Begun})
	if err != nil || len(all) != 1 || all[0].ID != begun.ID || all[0].Action != "sign in" || all[0].Detail != "" || all[0].Server != "one" {
		t.Errorf("while it is done: %+v: %v", all, err)
	}
	begun.Who, begun.Role, begun.Outcome, begun.Detail = "ann", access.Admin, access.Done, long
	if err := s.End(ctx, begun); err != nil {
		t.Fatal(err)
	}
	all, err = s.Audit(ctx, access.Query{Text: "sign in"})
	if err != nil || len(all) != 1 || all[0].Who != "ann" || all[0].Outcome != access.Done || !strings.HasPrefix(all[0].Detail, "üü") {
		t.Errorf("when it was done: %+v: %v", all, err)
	}
	if _, err := s.Audit(ctx, access.Query{Outcome: "maybe"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an outcome there is not: %v", err)
	}
}
