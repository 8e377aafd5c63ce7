package documents_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/alert"
	"tieline/internal/app"
	"tieline/internal/connector"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/intake"
	"tieline/internal/service/documents"
	"tieline/internal/store"
)

const shop = `# the shop's
name: shop
sources:
  - name: am
    kind: alertmanager
    token: env:SHOP_TEST_TOKEN
subscription: severity == "critical"
remote:
  kind: webhook
  endpoints: # as agreed
    - http://desk-1
    - http://desk-2
severity:
  map: {critical: high}
`

var (
	admin    = access.Principal{Name: "root", Role: access.Admin}
	operator = access.Principal{Name: "olga", Role: access.Operator}
)

// bench is a service over a database of its own, with connector shop.
type bench struct {
	*testing.T
	db *store.DB
	s  *documents.Service
}

func setup(t *testing.T) *bench {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tieline.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b := &bench{T: t, db: db, s: documents.New(db, app.DocumentKinds("tieline/test"))}
	b.apply("shop", shop)
	return b
}

// apply stores a document past the service, as the command line does.
func (b *bench) apply(name, text string) {
	b.Helper()
	doc, err := connector.Parse([]byte(text), app.CheckKinds)
	if err != nil {
		b.Fatal(err)
	}
	_, err = b.db.SaveDocument(b.Context(), store.SaveDocument{Connector: name, Text: text, Who: "cli", Settings: app.HASettings(doc)})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) open() documents.State {
	b.Helper()
	state, err := b.s.Open(b.Context(), "shop")
	if err != nil {
		b.Fatal(err)
	}
	return state
}

// set saves a value as somebody, made from what they saw.
func (b *bench) set(who string, seen documents.Seen, path, value string) (documents.State, error) {
	b.Helper()
	p, err := edit.ParsePath(path)
	if err != nil {
		b.Fatal(err)
	}
	return b.s.Edit(b.Context(), who, "shop", seen, func(t *edit.Text) error { return t.Set(p, value) })
}

func (b *bench) mustSet(who string, seen documents.Seen, path, value string) documents.State {
	b.Helper()
	state, err := b.set(who, seen, path, value)
	if err != nil {
		b.Fatal(err)
	}
	return state
}

// raise stores open alerts of the shop's source, one per severity.
func (b *bench) raise(severities ...string) []alert.ID {
	b.Helper()
	batch := intake.Batch{Server: "one", Generation: 1}
	for i, severity := range severities {
		batch.Items = append(batch.Items, intake.Observed{
			Observation: alert.Observation{Source: "am", Key: severity + strings.Repeat("x", i), Status: alert.Open, Content: alert.Content{
				Severity: severity, Summary: "disk full", Labels: map[string]string{"alertname": "DiskFull"},
			}},
			Route: func(*alert.Alert) []intake.Routing { return nil },
		})
	}
	accepted, err := b.db.Accept(b.Context(), batch)
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]alert.ID, len(accepted))
	for i, a := range accepted {
		ids[i] = a.ID
	}
	return ids
}

func conflictOf(t *testing.T, err error) *documents.Conflict {
	t.Helper()
	var c *documents.Conflict
	if !errors.As(err, &c) || fault.KindOf(err) != fault.Conflict {
		t.Fatalf("not a conflict: %v", err)
	}
	return c
}

func TestAnEditMakesADraftAndKeepsComments(t *testing.T) {
	b := setup(t)
	before := b.open()
	if before.Draft != nil || before.Seen() != (documents.Seen{Version: 1}) || len(before.Problems) != 0 {
		t.Fatalf("at first: %+v", before)
	}
	state := b.mustSet("olga", before.Seen(), "severity.map.warning", "low")
	want := strings.Replace(shop, "{critical: high}", "{critical: high, warning: low}", 1)
	if state.Text != want || state.Draft.Author != "olga" || state.Seen() != (documents.Seen{Revision: 1, Version: 1}) || !state.Changed() {
		t.Errorf("the draft is %+v\n%s", state.Seen(), state.Text)
	}
	if live := must(b.s.Version(t.Context(), "shop", 0))(t); live.Text != shop || live.Version != 1 {
		t.Errorf("the edit changed the current version: %+v", live)
	}
	same := b.mustSet("bob", state.Seen(), "severity.map.warning", "low")
	if same.Draft.Revision != 1 || same.Draft.Author != "olga" {
		t.Errorf("an edit that says nothing new made %+v", same.Draft)
	}
}

func TestProblemsStandAtTheirFields(t *testing.T) {
	b := setup(t)
	state := b.mustSet("olga", b.open().Seen(), "limits.timeout", "soon")
	state = b.mustSet("olga", state.Seen(), "subscription", "severity ==")
	state = b.mustSet("olga", state.Seen(), "remote.poll", "1ms")
	state = b.mustSet("olga", state.Seen(), "name", "other")
	found := map[string]bool{}
	for _, p := range state.Problems {
		found[p.Path] = true
	}
	for _, path := range []string{"limits.timeout", "subscription", "remote.poll", "name"} {
		if !found[path] {
			t.Errorf("no problem at %s: %v", path, state.Problems)
		}
	}
	if state.Doc == nil || state.Doc.Severity.Map["critical"] != "high" {
		t.Error("what could be read of the draft was not")
	}
	_, err := b.s.Apply(t.Context(), admin, "shop", state.Draft.Revision, "")
	if fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) < 4 {
		t.Errorf("applied all the same: %v", err)
	}
}

func TestASourceOfAnotherConnectorMustAgree(t *testing.T) {
	b := setup(t)
	b.apply("other", "name: other\nsources: [{name: theirs, kind: generic}]\nremote: {kind: files, settings: {directory: /tmp/x}}\n")
	state := b.mustSet("olga", b.open().Seen(), "sources[0].name", "theirs")
	if len(state.Problems) != 1 || state.Problems[0].Path != "sources[0]" {
		t.Errorf("problems %v", state.Problems)
	}
	b.apply("other", "name: other\nsources: [{name: ours, kind: generic}]\nremote: {kind: files, settings: {directory: /tmp/x}}\n")
	if state = b.open(); len(state.Problems) != 0 {
		t.Errorf("after the other changed: %v", state.Problems)
	}
}

func TestApplyAndWhoRunsIt(t *testing.T) {
	b := setup(t)
	join := store.Join{Server: "one", Address: "http://one:1", Boot: "b", Version: "v", Promised: time.Minute, HighAvailability: true}
	if err := b.db.Join(t.Context(), join); err != nil {
		t.Fatal(err)
	}
	state := b.mustSet("olga", b.open().Seen(), "severity.map.warning", "low")
	saved, err := b.s.Apply(t.Context(), operator, "shop", state.Draft.Revision, " warnings too ")
	if err != nil || saved.Version != 2 || saved.Who != "olga" || saved.Comment != "warnings too" || saved.Text != state.Text {
		t.Fatalf("applied %+v: %v", saved, err)
	}
	if after := b.open(); after.Draft != nil || after.Live.Version != 2 {
		t.Errorf("after it was applied: %+v", after.Seen())
	}
	if _, err := b.s.Apply(t.Context(), operator, "shop", 1, ""); fault.KindOf(err) != fault.Conflict {
		t.Errorf("applied twice: %v", err)
	}
	running := must(b.s.Running(t.Context(), "shop", 2))(t)
	if len(running) != 1 || running[0].Server != "one" || running[0].Current {
		t.Errorf("running %+v", running)
	}
	if _, err := b.s.Rollback(t.Context(), operator, "shop", 1, 1); fault.KindOf(err) != fault.Conflict {
		t.Errorf("rolled back from a version that is not current: %v", err)
	}
	back := must(b.s.Rollback(t.Context(), operator, "shop", 1, 2))(t)
	if back.Version != 3 || back.Text != shop || !strings.Contains(back.Comment, "version 1") {
		t.Errorf("rolled back to %+v", back)
	}
	if versions := must(b.s.Versions(t.Context(), "shop"))(t); len(versions) != 3 {
		t.Errorf("%d versions", len(versions))
	}
}

// Who may operate, but not administer, must not send the servers' secrets elsewhere.
func TestOnlyAnAdministratorChangesWhereSecretsGo(t *testing.T) {
	for path, value := range map[string]string{
		"remote.endpoints[0]": "http://evil", "remote.token": "env:HOME", "sources[0].url": "http://evil", "sources[0].token": "env:OTHER",
	} {
		b := setup(t)
		state := b.mustSet("olga", b.open().Seen(), path, value)
		if _, err := b.s.Apply(t.Context(), operator, "shop", state.Draft.Revision, ""); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: applied by an operator: %v", path, err)
		}
		if _, err := b.s.Probe(t.Context(), operator, state, 0); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: probed by an operator: %v", path, err)
		}
		if _, err := b.s.Apply(t.Context(), admin, "shop", state.Draft.Revision, ""); err != nil {
			t.Errorf("%s: by an administrator: %v", path, err)
		}
	}
	b := setup(t)
	state, err := b.s.Edit(t.Context(), "olga", "shop", b.open().Seen(), func(t *edit.Text) error {
		t.Move(edit.At("remote", "endpoints"), 1, 0)
		return t.Set(edit.At("remote", "poll"), "20s")
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.s.Apply(t.Context(), operator, "shop", state.Draft.Revision, ""); err != nil {
		t.Errorf("another order of the endpoints, by an operator: %v", err)
	}
}

func TestDiscardAndTakeUp(t *testing.T) {
	b := setup(t)
	state := b.mustSet("olga", b.open().Seen(), "severity.map.warning", "low")
	if err := b.s.Discard(t.Context(), "bob", "shop", state.Draft.Revision); err != nil {
		t.Fatal(err)
	}
	if after := b.open(); after.Draft != nil {
		t.Fatalf("the draft stands: %+v", after.Draft)
	}
	d, ok, err := b.s.Discarded(t.Context(), "shop")
	if err != nil || !ok || d.Author != "bob" || d.Text != state.Text {
		t.Fatalf("discarded %+v, %t: %v", d, ok, err)
	}
	again := must(b.s.TakeUp(t.Context(), "olga", "shop"))(t)
	if again.Text != state.Text || again.Draft.Base != 1 {
		t.Errorf("taken up: %+v", again.Draft)
	}
	if _, err := b.s.TakeUp(t.Context(), "olga", "shop"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("taken up twice: %v", err)
	}
}

func TestCreateAConnector(t *testing.T) {
	b := setup(t)
	for name, kind := range map[string]fault.Kind{"Not a name": fault.Invalid, "": fault.Invalid, "shop": fault.Conflict} {
		if _, err := b.s.Create(t.Context(), "root", name, "name: x\n"); fault.KindOf(err) != kind {
			t.Errorf("%q: %v", name, err)
		}
	}
	text := "name: fresh\nsources: [{name: scripts, kind: generic}]\nremote: {kind: files, settings: {directory: /tmp/fresh}}\n"
	state := must(b.s.Create(t.Context(), "root", "fresh", text))(t)
	if state.Live.Version != 0 || len(state.Problems) != 0 {
		t.Fatalf("the draft of a new connector: %+v", state.Problems)
	}
	if _, err := b.s.Create(t.Context(), "bob", "fresh", text); fault.KindOf(err) != fault.Conflict {
		t.Errorf("made twice: %v", err)
	}
	if _, err := b.s.Apply(t.Context(), operator, "fresh", state.Draft.Revision, ""); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an operator made a connector: %v", err)
	}
	saved := must(b.s.Apply(t.Context(), admin, "fresh", state.Draft.Revision, ""))(t)
	if saved.Version != 1 || saved.Connector != "fresh" {
		t.Errorf("applied %+v", saved)
	}
	if _, err := b.s.Open(t.Context(), "nosuch"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a connector that is not there: %v", err)
	}
}

func TestETags(t *testing.T) {
	for _, seen := range []documents.Seen{{}, {Version: 7}, {Revision: 12, Version: 7}} {
		if got, err := documents.ParseETag(seen.ETag()); err != nil || got != seen {
			t.Errorf("%s reads as %+v: %v", seen.ETag(), got, err)
		}
	}
	for _, text := range []string{"", "*", `"7"`, `"v1.r2" `, `"v1.r2"x`, `"v01.r2"`, `W/"v1.r2"`} {
		if _, err := documents.ParseETag(text); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestProbe(t *testing.T) {
	b := setup(t)
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hush-hush" {
			http.Error(w, "who are you, "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		}
	}))
	defer desk.Close()
	t.Setenv("DESK_TEST_TOKEN", "hush-hush")
	state := b.mustSet("root", b.open().Seen(), "remote.endpoints[0]", desk.URL)
	state = b.mustSet("root", state.Seen(), "remote.endpoints[1]", "http://127.0.0.1:1")
	probe := must(b.s.Probe(t.Context(), admin, state, 0))(t)
	if probe.OK || !probe.Reached || probe.Status != 401 || probe.Endpoint != desk.URL {
		t.Errorf("without credentials: %+v", probe)
	}
	state = b.mustSet("root", state.Seen(), "remote.token", "env:DESK_TEST_TOKEN")
	if probe = must(b.s.Probe(t.Context(), admin, state, 0))(t); !probe.OK {
		t.Errorf("with them: %+v", probe)
	}
	if probe = must(b.s.Probe(t.Context(), admin, state, 1))(t); probe.OK || probe.Reached {
		t.Errorf("where nobody listens: %+v", probe)
	}
	t.Setenv("DESK_TEST_TOKEN", "wrong-secret")
	if probe = must(b.s.Probe(t.Context(), admin, state, 0))(t); probe.OK || strings.Contains(probe.Message, "wrong-secret") {
		t.Errorf("the answer shows a secret: %+v", probe)
	}
	if _, err := b.s.Probe(t.Context(), admin, state, 7); fault.KindOf(err) != fault.NotFound {
		t.Errorf("endpoint 8: %v", err)
	}
	state = b.mustSet("root", state.Seen(), "remote.token", "env:NOT_SET_ANYWHERE")
	if _, err := b.s.Probe(t.Context(), admin, state, 0); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without its secret: %v", err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var _ documents.Store = (*store.DB)(nil)
