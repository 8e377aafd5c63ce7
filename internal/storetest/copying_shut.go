package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/secret"
	"tieline/internal/store"
)

// shut are the tests that nobody goes on in a database whose group was moved.
var shut = map[string]func(*testing.T, Fresh){
	"copy/nothing is confirmed by the old one any more":  shutOut,
	"copy/a server that comes back is no server there":   shutBack,
	"copy/what nobody asked about is copied in the end":  shutLate,
	"copy/one that goes on being changed is refused":     shutNever,
	"copy/an alert that is under way at the mark":        shutUnderWay,
	"copy/two at once from one database make one of one": shutTwice,
}

// changes are what people, commands and servers without a term do to a group.
func (f *fixture) changes(link alert.LinkID) map[string]func(context.Context) error {
	db := f.db
	return map[string]func(context.Context) error{
		"a document":  func(ctx context.Context) error { _, err := db.SaveDocument(ctx, document(tickets)); return err },
		"a connector": func(ctx context.Context) error { _, err := db.SaveDocument(ctx, document("new")); return err },
		"a draft": func(ctx context.Context) error {
			_, err := db.SaveDraft(ctx, store.Draft{Connector: files, Text: "name: files\n", Author: "ann"})
			return err
		},
		"a retry": func(ctx context.Context) error {
			_, err := db.Retry(ctx, store.RetryRequest{Alerts: []alert.ID{link.Alert}, Who: "ann"})
			return err
		},
		"an edit": func(ctx context.Context) error {
			_, _, err := db.EditAlert(ctx, store.AlertEdit{Alert: link.Alert, Who: "ann"})
			return err
		},
		"an account": func(ctx context.Context) error {
			_, err := db.AddAccount(ctx, access.Account{Name: "eve", Kind: access.Local, Role: access.Viewer})
			return err
		},
		"a role": func(ctx context.Context) error {
			_, err := db.ChangeAccount(ctx, "ann", access.AccountChange{Role: access.Operator})
			return err
		},
		"a removed account": func(ctx context.Context) error { return db.RemoveAccount(ctx, "ann", 0) },
		"a token": func(ctx context.Context) error {
			_, err := db.AddToken(ctx, access.Token{Name: "ci", Hash: "t", Role: access.Viewer}, time.Hour)
			return err
		},
		"a sign-in": func(ctx context.Context) error {
			return db.SaveSession(ctx, access.Session{Hash: "s", Account: "ann", Lifetime: time.Hour})
		},
		"a try to sign in": func(ctx context.Context) error {
			_, err := db.Strike(ctx, []access.Strike{{Key: "ann", Free: 3, Most: time.Minute}})
			return err
		},
		"a set-up": func(ctx context.Context) error {
			_, _, err := db.SetUp(ctx, "h", access.Account{Name: "adam"})
			return err
		},
		"the audit":    func(ctx context.Context) error { return db.AddEntry(ctx, access.Entry{Who: "ann", Action: "x"}) },
		"an order":     func(ctx context.Context) error { return db.Move(ctx, tickets, "alpha", 1, "ann") },
		"a switchover": func(ctx context.Context) error { return db.Wish(ctx, tickets, "alpha", "ann") },
		"a removal":    func(ctx context.Context) error { return db.RemoveServer(ctx, "alpha", "ann") },
		"new routes": func(ctx context.Context) error {
			return db.Reroute(ctx, "alpha", 9, []store.Rerouted{{Alert: link.Alert, Route: to(files)}})
		},
		"a server": func(ctx context.Context) error {
			return db.Join(ctx, store.Join{Server: "beta", Boot: "b", Group: "plant"})
		},
		"its connectors": func(ctx context.Context) error { return db.JoinConnectors(ctx, "alpha", "alpha-boot", nil) },
	}
}

// few is a group with a server that left, and a few alerts.
func few(t *testing.T, fresh Fresh) *fixture {
	f := setup(t, fresh)
	if err := f.db.Join(t.Context(), store.Join{Server: "alpha", Boot: "alpha-boot", Group: "plant", HighAvailability: true, Promised: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := f.db.Leave(t.Context(), "alpha", "alpha-boot"); err != nil {
		t.Fatal(err)
	}
	id := f.raise(3, tickets)[0]
	f.exec("INSERT INTO note (alert_id, connector, side, seq, text, at) VALUES ($1, $2, 'remote', 1, 'a note', 7)", id, tickets)
	return f
}

// take hands observations to Accept as a source's, without failing.
func (f *fixture) take(ctx context.Context, route func(*alert.Alert) []intake.Routing, observations ...alert.Observation) error {
	b := intake.Batch{Server: "alpha", Generation: 2}
	for _, o := range observations {
		b.Items = append(b.Items, intake.Observed{Observation: o, Route: route})
	}
	_, err := f.db.Accept(ctx, b)
	return err
}

// shutOut: a process that opened the old database before gets no change
// confirmed there, neither while it is copied nor afterwards; a source keeps its
// alert, and whoever signed in is told.
func shutOut(t *testing.T, fresh Fresh) {
	f := few(t, fresh)
	link := alert.LinkID{Alert: f.raise(1, tickets)[0], Connector: tickets, Side: alert.Remote}
	open := observe("open", alert.Open, "disk full")
	f.accept(to(tickets), open)
	ann, err := f.db.AddAccount(t.Context(), access.Account{Name: "ann", Kind: access.Local, Role: access.Admin, Password: secret.New("x")})
	if err == nil {
		err = f.db.SaveSession(t.Context(), access.Session{Hash: "signed-in", Account: "ann", Generation: ann.Generation, Data: []byte("{}"), Lifetime: time.Hour})
	}
	if err == nil {
		_, err = f.db.AddToken(t.Context(), access.Token{Name: "old", Hash: "token", Role: access.Viewer, CreatedBy: "ann"}, time.Hour)
	}
	if err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		for name, o := range map[string]alert.Observation{
			"a new alert": observe("fresh", alert.Open, "x"), "one said again": open, "one that changed": observe("open", alert.Open, "fuller"),
		} {
			if err := f.take(t.Context(), to(tickets), o); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), when) {
				t.Errorf("%s: %s: %v", when, name, err)
			}
		}
		for name, change := range f.changes(link) {
			if err := change(t.Context()); fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), when) || !strings.Contains(fault.Message(err), "--database") {
				t.Errorf("%s: %s: %v", when, name, err)
			}
		}
		_, _, session := f.db.Session(t.Context(), "signed-in", time.Hour)
		_, _, token := f.db.UseToken(t.Context(), "token")
		_, glance := f.db.Glance(t.Context())
		for name, err := range map[string]error{"a session": session, "a token": token, "the group": glance} {
			if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), when) {
				t.Errorf("%s: %s is read: %v", when, name, err)
			}
		}
	}
	looked := false
	to := fresh(t)
	out, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{Progress: func(string, int64, bool) {
		if !looked {
			looked = true
			look("is being moved")
		}
	}})
	if err != nil || !looked {
		t.Fatalf("copied %+v, looked %t: %v", out, looked, err)
	}
	look("was moved")
	if _, found, err := openStore(t, to).Session(t.Context(), "signed-in", time.Hour); err != nil || !found {
		t.Errorf("the session in the copy: %t, %v", found, err)
	}
}

// shutBack: a server that was cut off for so long that it counted as dead comes
// back with its connections. It is none of the old database's any more.
func shutBack(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	join := store.Join{Server: "alpha", Boot: "alpha-boot", Group: "plant", HighAvailability: true, Promised: time.Minute}
	if err := f.db.Join(t.Context(), join); err != nil {
		t.Fatal(err)
	}
	s, err := f.db.Coordinator().Open(t.Context(), "alpha", "alpha-boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	beat := ha.Beat{Server: "alpha", Boot: "alpha-boot", Number: 1, Presence: s.Presence(), Version: "v", Promised: time.Minute}
	if _, err := s.Beat(t.Context(), beat); err != nil {
		t.Fatal(err)
	}
	f.term(tickets, "alpha")
	f.exec("UPDATE server SET presence = '', heartbeat_at = heartbeat_at - 36000000000")
	if _, err := store.Copy(t.Context(), f.url, fresh(t), store.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := f.count("SELECT count(*) FROM availability_event WHERE from_server = 'alpha' AND reason = 'last heard'"); n != 1 {
		t.Errorf("%d lines tell until when the Active was heard, want 1", n)
	}
	g, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, _ := g.Lease(tickets)
	_, err = s.Take(t.Context(), ha.Take{
		Connector: tickets, Epoch: l.Epoch, Beat: l.Beat, Identity: g.Identity, Server: "alpha", Boot: "alpha-boot", Promised: time.Minute,
	})
	if !errors.Is(err, ha.ErrLost) {
		t.Errorf("it takes a lease over: %v", err)
	}
	beat.Number++
	if _, err := s.Beat(t.Context(), beat); !errors.Is(err, ha.ErrReplaced) {
		t.Errorf("it beats: %v", err)
	}
}

// shutLate: a program that knows no mark writes to tables that were copied
// already, and raises the generation. The copy has it.
func shutLate(t *testing.T, fresh Fresh) {
	f := few(t, fresh)
	to := fresh(t)
	late := false
	_, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{Progress: func(table string, _ int64, done bool) {
		if table == "timeline" && done && !late {
			late = true
			f.exec("UPDATE connector SET changed_at = 4711")
			f.exec("DELETE FROM note")
			f.exec("UPDATE management_group SET generation = 77")
		}
	}})
	if err != nil || !late {
		t.Fatalf("late %t: %v", late, err)
	}
	copied := &fixture{T: t, url: to, db: openStore(t, to), raw: rawOpen(t, to)}
	for text, want := range map[string]int{
		"SELECT count(*) FROM connector WHERE changed_at = 4711": 2, "SELECT count(*) FROM note": 0, "SELECT generation FROM management_group": 77,
	} {
		if n := copied.count(text); n != want {
			t.Errorf("%s: %d, want %d", text, n, want)
		}
	}
	if err := copied.take(t.Context(), nil, observe("fresh", alert.Open, "x")); err != nil {
		t.Errorf("the copy takes no alert in: %v", err)
	}
}

// shutNever: what is changed for as long as it is copied is not put into service.
func shutNever(t *testing.T, fresh Fresh) {
	f := few(t, fresh)
	to := fresh(t)
	n := 0
	_, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{Progress: func(table string, _ int64, done bool) {
		if n++; table == "connector" && done {
			f.exec("UPDATE connector SET changed_at = $1", int64(n))
		}
	}})
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "table connector") || !strings.Contains(fault.Message(err), "stop every server, console and command") {
		t.Errorf("it is copied: %v", err)
	}
	if err := f.take(t.Context(), nil, observe("fresh", alert.Open, "x")); err != nil {
		t.Errorf("the old database takes no alert in: %v", err)
	}
	if err := openStore(t, to).AddEntry(t.Context(), access.Entry{Who: "ann"}); fault.KindOf(err) != fault.Refused {
		t.Errorf("the unfinished copy is written to: %v", err)
	}
}

// shutUnderWay: an alert whose transaction began before the mark is not confirmed
// after it.
func shutUnderWay(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	mark := func() { f.exec("UPDATE management_group SET name = 'plant [being moved]'") }
	route := func(*alert.Alert) []intake.Routing { // within Accept's transaction
		if f.db.Engine() != "sqlite" { // which keeps the mark out until it has ended
			mark()
		}
		return nil
	}
	err := f.take(t.Context(), route, observe("under way", alert.Open, "x"))
	if f.db.Engine() == "sqlite" {
		mark()
		err = errors.Join(err, f.take(t.Context(), route, observe("too late", alert.Open, "x")))
	}
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "is being moved") {
		t.Errorf("it is accepted: %v", err)
	}
}

// shutTwice: of two copies to two databases one is refused.
func shutTwice(t *testing.T, fresh Fresh) {
	f := few(t, fresh)
	done := make(chan error, 2)
	for range 2 {
		to := fresh(t)
		go func() {
			_, err := store.Copy(t.Context(), f.url, to, store.CopyOptions{})
			done <- err
		}()
	}
	var said []string
	for range 2 {
		if err := <-done; err != nil {
			said = append(said, fmt.Sprint(fault.KindOf(err) == fault.Refused, " ", err))
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "true ") || !strings.Contains(said[0], "was moved from") {
		t.Errorf("two copies say %q", said)
	}
}
