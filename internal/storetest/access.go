package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/secret"
	"tieline/internal/store"
)

var accessing = map[string]func(*testing.T, Fresh){
	"access/accounts":                        accountLife,
	"access/an administrator remains":        accountLastAdmin,
	"access/administrators who demote apart": accountLastAdminRace,
	"access/change on a base":                accountBase,
	"access/upgrade of a password":           accountUpgrade,
	"access/sessions":                        sessionLife,
	"access/sessions end with their account": sessionEnds,
	"access/tokens":                          tokenLife,
	"access/first set-up":                    setUpOnce,
	"access/set-up raced":                    setUpRace,
	"access/strikes":                         strikes,
	"access/strikes raced":                   strikesRace,
	"access/tokens end with their maker":     tokenEnds,
}

func local(name string, role access.Role) access.Account {
	return access.Account{Name: name, Kind: access.Local, Role: role, Password: secret.New("hash of " + name)}
}

func emptyStore(t *testing.T, fresh Fresh) (*store.DB, string) {
	t.Helper()
	url := fresh(t)
	return openStore(t, url), url
}

func accountLife(t *testing.T, fresh Fresh) {
	db, _ := emptyStore(t, fresh)
	made := must(db.AddAccount(t.Context(), local("bob", access.Viewer)))(t)
	if made.Name != "bob" || made.Kind != access.Local || made.Role != access.Viewer || made.Generation == 0 || made.CreatedAt.IsZero() ||
		!made.SignedInAt.IsZero() || made.Password.Reveal() != "hash of bob" {
		t.Errorf("made %+v", made)
	}
	if _, err := db.AddAccount(t.Context(), local("bob", access.Admin)); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second bob: %v", err)
	}
	must(db.AddAccount(t.Context(), access.Account{Name: "ann", Kind: access.OIDC, Subject: "idp#1", Role: access.Admin}))(t)
	if err := db.SignedIn(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	changed := must(db.ChangeAccount(t.Context(), "bob", access.AccountChange{Role: access.Operator}))(t)
	if changed.Role != access.Operator || changed.Password.Reveal() != "hash of bob" || changed.Generation <= made.Generation {
		t.Errorf("changed %+v", changed)
	}
	changed = must(db.ChangeAccount(t.Context(), "bob", access.AccountChange{Password: secret.New("other")}))(t)
	if changed.Role != access.Operator || changed.Password.Reveal() != "other" {
		t.Errorf("changed %+v", changed)
	}
	all := must(db.Accounts(t.Context()))(t)
	if len(all) != 2 || all[0].Name != "ann" || all[0].Subject != "idp#1" || all[1] != changed || changed.SignedInAt.IsZero() {
		t.Errorf("accounts %+v", all)
	}
	if err := db.RemoveAccount(t.Context(), "bob", 0); err != nil {
		t.Fatal(err)
	}
	again := must(db.AddAccount(t.Context(), local("bob", access.Viewer)))(t)
	if again.Generation <= changed.Generation {
		t.Errorf("a new bob has generation %d, the old one had %d", again.Generation, changed.Generation)
	}
	for what, err := range map[string]error{
		"read": second(db.Account(t.Context(), "eve")), "remove": db.RemoveAccount(t.Context(), "eve", 0),
		"change": second(db.ChangeAccount(t.Context(), "eve", access.AccountChange{Role: access.Admin})),
	} {
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s an account there is not: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func accountLastAdmin(t *testing.T, fresh Fresh) {
	db, _ := emptyStore(t, fresh)
	must(db.AddAccount(t.Context(), local("ann", access.Admin)))(t)
	must(db.AddAccount(t.Context(), access.Account{Name: "ida", Kind: access.OIDC, Subject: "idp#1", Role: access.Admin}))(t)
	if err := db.RemoveAccount(t.Context(), "ann", 0); fault.KindOf(err) != fault.Refused {
		t.Errorf("the last administrator with a password is removed: %v", err)
	}
	if _, err := db.ChangeAccount(t.Context(), "ann", access.AccountChange{Role: access.Viewer}); fault.KindOf(err) != fault.Refused {
		t.Errorf("the last administrator with a password is demoted: %v", err)
	}
	must(db.ChangeAccount(t.Context(), "ann", access.AccountChange{Role: access.Admin, Password: secret.New("new")}))(t)
	must(db.ChangeAccount(t.Context(), "ida", access.AccountChange{Role: access.Viewer}))(t)
	must(db.AddAccount(t.Context(), local("bob", access.Admin)))(t)
	must(db.ChangeAccount(t.Context(), "ann", access.AccountChange{Role: access.Viewer}))(t)
	if err := db.RemoveAccount(t.Context(), "ann", 0); err != nil {
		t.Errorf("one who is no administrator any more: %v", err)
	}
}

// accountLastAdminRace: of n administrators whom n processes demote at once, one remains.
func accountLastAdminRace(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	const n = 4
	for i := range n {
		must(db.AddAccount(t.Context(), local(fmt.Sprintf("admin-%d", i), access.Admin)))(t)
	}
	var wg sync.WaitGroup
	for i := range n {
		own := openStore(t, url)
		wg.Go(func() {
			_, err := own.ChangeAccount(t.Context(), fmt.Sprintf("admin-%d", i), access.AccountChange{Role: access.Viewer})
			if err != nil && fault.KindOf(err) != fault.Refused {
				t.Errorf("demote: %v", err)
			}
		})
	}
	wg.Wait()
	left := slices.DeleteFunc(must(db.Accounts(t.Context()))(t), func(a access.Account) bool { return a.Role != access.Admin })
	if len(left) != 1 {
		t.Errorf("%d administrators are left", len(left))
	}
}

func accountBase(t *testing.T, fresh Fresh) {
	db, _ := emptyStore(t, fresh)
	made := must(db.AddAccount(t.Context(), local("bob", access.Viewer)))(t)
	changed := must(db.ChangeAccount(t.Context(), "bob", access.AccountChange{Role: access.Operator, Base: made.Generation}))(t)
	if _, err := db.ChangeAccount(t.Context(), "bob", access.AccountChange{Role: access.Viewer, Base: made.Generation}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a change on an old generation: %v", err)
	}
	if err := db.RemoveAccount(t.Context(), "bob", made.Generation); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a removal on an old generation: %v", err)
	}
	if a := must(db.Account(t.Context(), "bob"))(t); a != changed {
		t.Errorf("the refused change left %+v", a)
	}
}

func accountUpgrade(t *testing.T, fresh Fresh) {
	db, _ := emptyStore(t, fresh)
	made := must(db.AddAccount(t.Context(), local("bob", access.Viewer)))(t)
	for _, old := range []string{"not it", "hash of bob", "hash of bob"} {
		if err := db.UpgradePassword(t.Context(), "bob", secret.New(old), secret.New("stronger "+old)); err != nil {
			t.Fatal(err)
		}
	}
	a := must(db.Account(t.Context(), "bob"))(t)
	if a.Password.Reveal() != "stronger hash of bob" || a.Generation != made.Generation {
		t.Errorf("upgraded to %q, generation %d -> %d", a.Password.Reveal(), made.Generation, a.Generation)
	}
}

func sessionOf(a access.Account, hash string) access.Session {
	return access.Session{Hash: hash, Account: a.Name, Generation: a.Generation, Data: []byte(`{"a":"1"}`), Lifetime: time.Hour, Address: "192.0.2.1"}
}

func sessionLife(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	raw := rawOpen(t, url)
	exec := func(text string) {
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	bob := must(db.AddAccount(t.Context(), local("bob", access.Viewer)))(t)
	alive := func(hash string) bool {
		t.Helper()
		live, err := db.LiveSessions(t.Context(), []string{"stranger", hash}, access.SessionIdle)
		if err != nil || live["stranger"] {
			t.Fatalf("of sessions looked at together, %v go on: %v", live, err)
		}
		_, found, err := db.Session(t.Context(), hash, access.SessionIdle)
		if err != nil {
			t.Fatal(err)
		}
		if live[hash] != found {
			t.Errorf("session %s is found = %t, and goes on = %t", hash, found, live[hash])
		}
		return found
	}
	save := func(s access.Session) {
		t.Helper()
		if err := db.SaveSession(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	s := sessionOf(bob, "one")
	save(s)
	if data, found, err := openStore(t, url).Session(t.Context(), "one", access.SessionIdle); err != nil || !found || string(data) != `{"a":"1"}` {
		t.Errorf("another server finds %q, %t: %v", data, found, err)
	}
	if alive("none") {
		t.Error("a session there is not is found")
	}
	// Saving it again changes the data, and prolongs nothing.
	exec("UPDATE session SET expires_at = expires_at - 1800000000")
	s.Data = []byte(`{"a":"2"}`)
	save(s)
	var left int64
	if err := raw.QueryRowContext(t.Context(), "SELECT expires_at - created_at FROM session WHERE hash = 'one'").Scan(&left); err != nil || left > 1800000000 {
		t.Errorf("a saved session lives %d µs: %v", left, err)
	}
	if data, _, _ := db.Session(t.Context(), "one", access.SessionIdle); string(data) != `{"a":"2"}` {
		t.Errorf("its data is %q", data)
	}
	exec("UPDATE session SET seen_at = seen_at - 7000000000")
	if !alive("one") {
		t.Error("a session that was used within its idle time is gone")
	}
	exec("UPDATE session SET seen_at = seen_at - 300000000") // 5 minutes: it was stamped anew just now
	if !alive("one") {
		t.Error("its use was not noted")
	}
	exec("UPDATE session SET seen_at = seen_at - 7300000000")
	if alive("one") {
		t.Error("a session that was not used for long is alive")
	}
	save(sessionOf(bob, "two"))
	exec("UPDATE session SET expires_at = expires_at - 3700000000 WHERE hash = 'two'")
	if alive("two") {
		t.Error("an expired session is alive")
	}
	save(sessionOf(bob, "three"))
	var n int
	if err := raw.QueryRowContext(t.Context(), "SELECT count(*) FROM session").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d sessions are stored, not the living one alone: %v", n, err)
	}
}

func sessionEnds(t *testing.T, fresh Fresh) {
	db, _ := emptyStore(t, fresh)
	alive := func(hash string) bool {
		live, wrong := db.LiveSessions(t.Context(), []string{hash}, access.SessionIdle)
		_, found, err := db.Session(t.Context(), hash, access.SessionIdle)
		if wrong != nil || live[hash] != found {
			t.Errorf("session %s is found = %t, and goes on = %t: %v", hash, found, live[hash], wrong)
		}
		return err == nil && found
	}
	for _, c := range []struct {
		name string
		end  func(name string) error
	}{
		{"role", func(name string) error {
			return second(db.ChangeAccount(t.Context(), name, access.AccountChange{Role: access.Operator}))
		}},
		{"password", func(name string) error {
			return second(db.ChangeAccount(t.Context(), name, access.AccountChange{Password: secret.New("new")}))
		}},
		{"removed", func(name string) error { return db.RemoveAccount(t.Context(), name, 0) }},
		{"signed-out", func(name string) error { return second(db.EndSessions(t.Context(), name)) }},
		{"one", func(name string) error { return db.EndSession(t.Context(), "session of "+name) }},
	} {
		a := must(db.AddAccount(t.Context(), local(c.name, access.Viewer)))(t)
		hash := "session of " + c.name
		if err := db.SaveSession(t.Context(), sessionOf(a, hash)); err != nil {
			t.Fatal(err)
		}
		if !alive(hash) {
			t.Fatalf("%s: the session is not there", c.name)
		}
		if err := c.end(c.name); err != nil {
			t.Fatal(err)
		}
		if alive(hash) {
			t.Errorf("%s: the session goes on", c.name)
		}
		// A sign-in that had checked the password before comes too late.
		if err := db.SaveSession(t.Context(), sessionOf(a, hash+" late")); err != nil {
			t.Fatal(err)
		}
		if changed := c.name == "role" || c.name == "password" || c.name == "removed"; changed == alive(hash+" late") {
			t.Errorf("%s: a session of the account as it was is alive = %t", c.name, alive(hash+" late"))
		}
	}
}

func tokenLife(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	raw := rawOpen(t, url)
	must(db.AddAccount(t.Context(), local("root", access.Admin)))(t)
	must(db.AddAccount(t.Context(), local("ann", access.Admin)))(t)
	made := must(db.AddToken(t.Context(), access.Token{Name: "ci", Role: access.Operator, Hash: "h1", CreatedBy: "ann"}, time.Hour))(t)
	if made.ExpiresAt.Sub(made.CreatedAt) != time.Hour || !made.UsedAt.IsZero() || made.CreatedBy != "ann" {
		t.Errorf("made %+v", made)
	}
	if _, err := db.AddToken(t.Context(), access.Token{Name: "ci", Role: access.Viewer, Hash: "h2"}, time.Hour); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second one of the name: %v", err)
	}
	used, found, err := db.UseToken(t.Context(), "h1")
	if err != nil || !found || used.Name != "ci" || used.Role != access.Operator {
		t.Errorf("used %+v, %t: %v", used, found, err)
	}
	if all := must(db.Tokens(t.Context()))(t); len(all) != 1 || all[0].UsedAt.IsZero() || all[0].Hash != "h1" {
		t.Errorf("tokens %+v", all)
	}
	if _, found, err := db.UseToken(t.Context(), "h2"); found || err != nil {
		t.Errorf("an unknown one is found: %v", err)
	}
	if _, err := raw.ExecContext(t.Context(), "UPDATE api_token SET expires_at = created_at"); err != nil {
		t.Fatal(err)
	}
	if _, found, err := db.UseToken(t.Context(), "h1"); found || err != nil {
		t.Errorf("an expired one is good: %v", err)
	}
	if err := db.RevokeToken(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	if err := db.RevokeToken(t.Context(), "ci"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("revoked twice: %v", err)
	}
}

func tokenEnds(t *testing.T, fresh Fresh) {
	db, _ := emptyStore(t, fresh)
	must(db.AddAccount(t.Context(), local("root", access.Admin)))(t)
	must(db.AddAccount(t.Context(), local("ann", access.Admin)))(t)
	for hash, who := range map[string]string{"h1": "ann", "h2": access.CLIMaker + "ann", "h3": "nobody"} {
		must(db.AddToken(t.Context(), access.Token{Name: hash, Role: access.Operator, Hash: hash, CreatedBy: who}, time.Hour))(t)
	}
	check := func(when string, want map[string]access.Role) {
		t.Helper()
		for _, hash := range []string{"h1", "h2", "h3"} {
			token, found, err := db.UseToken(t.Context(), hash)
			if role, good := want[hash]; err != nil || found != good || token.Effective() != role {
				t.Errorf("%s %s is good as %q, %t: %v", when, hash, token.Effective(), found, err)
			}
		}
	}
	check("at first", map[string]access.Role{"h1": access.Operator, "h2": access.Operator})
	must(db.ChangeAccount(t.Context(), "ann", access.AccountChange{Role: access.Viewer}))(t)
	check("with ann a viewer", map[string]access.Role{"h1": access.Viewer, "h2": access.Operator})
	if err := db.RemoveAccount(t.Context(), "ann", 0); err != nil {
		t.Fatal(err)
	}
	must(db.AddAccount(t.Context(), local("ann", access.Admin)))(t)
	check("with another ann", map[string]access.Role{"h2": access.Operator})
	if all := must(db.Tokens(t.Context()))(t); len(all) != 2 || all[0].Name != "h2" || all[1].Name != "h3" {
		t.Errorf("tokens %+v", all)
	}
}

func setUpOnce(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	raw := rawOpen(t, url)
	good := func(hash string) bool { t.Helper(); return must(db.SetUpGood(t.Context(), hash))(t) }
	for _, hash := range []string{"first", "second", "old"} {
		if err := db.AddSetUp(t.Context(), hash, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw.ExecContext(t.Context(), "UPDATE set_up SET expires_at = expires_at - 3700000000 WHERE hash = 'old'"); err != nil {
		t.Fatal(err)
	}
	if !good("first") || !good("second") || good("old") || good("none") {
		t.Error("the wrong links are good")
	}
	if _, ok, err := db.SetUp(t.Context(), "old", local("eve", access.Admin)); ok || err != nil {
		t.Errorf("set up by a link that expired: %v", err)
	}
	if must(db.HasAdmin(t.Context()))(t) {
		t.Error("there is an administrator before there is one")
	}
	made, ok, err := db.SetUp(t.Context(), "first", local("ann", access.Admin))
	if !ok || err != nil || made.Name != "ann" || !must(db.HasAdmin(t.Context()))(t) {
		t.Errorf("set up %+v, %t: %v", made, ok, err)
	}
	if good("first") || good("second") {
		t.Error("links are good after the set-up")
	}
	if err := db.AddSetUp(t.Context(), "third", time.Hour); err != nil || good("third") {
		t.Errorf("a link is good while there is an administrator: %v", err)
	}
}

func setUpRace(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	const n = 4
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range n {
		hash := fmt.Sprintf("link-%d", i)
		if err := db.AddSetUp(t.Context(), hash, time.Hour); err != nil {
			t.Fatal(err)
		}
		own := openStore(t, url)
		wg.Go(func() {
			_, good, err := own.SetUp(t.Context(), hash, local(fmt.Sprintf("admin-%d", i), access.Admin))
			if err != nil {
				t.Errorf("set up: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if good {
				done++
			}
		})
	}
	wg.Wait()
	if all := must(db.Accounts(t.Context()))(t); done > 1 || len(all) != done || done == 0 {
		t.Errorf("%d set-ups made %d accounts", done, len(all))
	}
}

func strikes(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	raw := rawOpen(t, url)
	account := access.Strike{Key: "account:bob", Free: 2, Most: time.Hour, Own: true}
	address := access.Strike{Key: "address:192.0.2.1", Free: 3, Most: time.Hour}
	strike := func(s ...access.Strike) time.Duration { t.Helper(); return must(db.Strike(t.Context(), s))(t) }
	failures := func(key string) (n int) {
		t.Helper()
		if err := raw.QueryRowContext(t.Context(), "SELECT coalesce(sum(failures), 0) FROM strike WHERE name = $1", key).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range 3 {
		if wait := strike(account, address); wait != 0 {
			t.Fatalf("try %d has to wait %s", i+1, wait)
		}
	}
	if wait := strike(account, address); wait <= 0 || wait > time.Second {
		t.Errorf("after one failure too many the wait is %s", wait)
	}
	if failures(account.Key) != 3 || failures(address.Key) != 3 {
		t.Errorf("%d and %d failures: a try that had to wait was counted", failures(account.Key), failures(address.Key))
	}
	if wait := strike(address); wait != 0 {
		t.Errorf("the address alone has to wait %s", wait)
	}
	if err := db.Forgive(t.Context(), []access.Strike{account, address}); err != nil {
		t.Fatal(err)
	}
	if failures(account.Key) != 0 || failures(address.Key) != 3 {
		t.Errorf("after a success %d and %d failures", failures(account.Key), failures(address.Key))
	}
	if _, err := raw.ExecContext(t.Context(), "UPDATE strike SET failures = 50, last_at = last_at - 3700000000, until_at = until_at + 3600000000"); err != nil {
		t.Fatal(err)
	}
	if wait := strike(address); wait != 0 || failures(address.Key) != 1 {
		t.Errorf("failures of long ago count: wait %s, %d failures", wait, failures(address.Key))
	}
}

// strikesRace: tries that come at once are each counted.
func strikesRace(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	s := []access.Strike{{Key: "account:bob", Free: 5, Most: time.Hour, Own: true}, {Key: "address:192.0.2.1", Free: 50, Most: time.Hour}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	free := 0
	for range 3 {
		own := openStore(t, url)
		wg.Go(func() {
			for range 4 {
				wait, err := own.Strike(t.Context(), s)
				if err != nil {
					t.Errorf("strike: %v", err)
				}
				mu.Lock()
				if wait == 0 {
					free++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// Each wait begins after the sixth; on a slow machine one of a second may end meanwhile.
	raw := rawOpen(t, url)
	var n int
	if err := raw.QueryRowContext(t.Context(), "SELECT failures FROM strike WHERE name = 'account:bob'").Scan(&n); err != nil || n != free {
		t.Errorf("%d tries were let through and %d counted: %v", free, n, err)
	}
	if wait := must(db.Strike(t.Context(), s))(t); free < 6 || (free == 6 && wait > time.Second) {
		t.Errorf("%d of 12 tries at once were let through, then the wait is %s", free, wait)
	}
}
