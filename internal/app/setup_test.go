package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tieline/internal/config"
	"tieline/internal/connector"
	"tieline/internal/remotetest"
	"tieline/internal/secret"
	"tieline/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait is how long a test waits for what must come. It bounds a failing test;
// nothing is concluded from how long a passing one took.
const wait = 30 * time.Second

// eventually waits until done says so.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(wait)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("did not come about: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// settings are those of a server on the database in dir, which others may share.
func settings(dir, name string) config.Config {
	c := config.Default()
	c.Server, c.Listen, c.DataDir, c.HighAvailability = name, "127.0.0.1:0", dir, true
	c.Database = config.Database{URL: secret.New("sqlite:" + filepath.Join(dir, "tieline.db")), Migrate: true}
	return c
}

// start runs a server until the test ends.
func start(t *testing.T, c config.Config) *App {
	t.Helper()
	return startLogging(t, c, t.Output())
}

func startLogging(t *testing.T, c config.Config, log io.Writer) *App {
	t.Helper()
	a := New(Options{Config: c, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, a) })
	return a
}

// stop is a planned stop; a second one does nothing.
func stop(t *testing.T, a *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// get returns an answer's status and body.
func get(t *testing.T, a *App, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + a.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// post sends alerts to a source of a server and wants them taken in.
func post(t *testing.T, a *App, source string, alerts ...map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"alerts": alerts})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+a.Addr()+"/v1/sources/"+source, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		t.Fatalf("%d alerts were answered %d: %s", len(alerts), resp.StatusCode, answer)
	}
}

func isActive(t *testing.T, a *App, connector string) bool {
	t.Helper()
	status, _ := get(t, a, "/active/"+connector)
	return status == http.StatusOK
}

// apply stores a document as "tieline connector apply" does.
func apply(t *testing.T, dir, text string) store.StoredDocument {
	t.Helper()
	doc, err := connector.Parse([]byte(text), CheckKinds)
	if err != nil {
		t.Fatal(err)
	}
	return save(t, dir, store.SaveDocument{Connector: doc.Name, Text: text, Who: "test", Settings: HASettings(doc)})
}

// save stores a document without looking at it, as a newer program may have done.
func save(t *testing.T, dir string, s store.SaveDocument) store.StoredDocument {
	t.Helper()
	return saveAnd(t, dir, s, func(db *store.DB) { db.Wake(t.Context(), store.TopicDocuments) })
}

// saveQuietly tells nobody.
func saveQuietly(t *testing.T, dir string, s store.SaveDocument) {
	t.Helper()
	saveAnd(t, dir, s, func(*store.DB) {})
}

func saveAnd(t *testing.T, dir string, s store.SaveDocument, then func(*store.DB)) store.StoredDocument {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "tieline.db"), store.Options{Migrate: true, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	saved, err := db.SaveDocument(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	then(db)
	return saved
}

// desk is a ticket desk over HTTP, and the document of a connector "desk" to it.
type desk struct {
	*remotetest.Desk
	document string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	d := remotetest.NewDesk(remotetest.DeskOptions{})
	server := httptest.NewServer(d)
	t.Cleanup(func() {
		d.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return desk{d, fmt.Sprintf(deskDocument, server.URL)}
}

const deskDocument = `name: desk
sources:
  - name: shop
    kind: generic
remote:
  kind: webhook
  endpoints: [%s]
  settings:
    create: {path: /tickets, ticket: body.id, state: body.state}
    update: {method: PUT, path: "/tickets/{{ path .Ticket }}"}
    lookup:
      path: "/tickets?key={{ urlquery .Key }}"
      tickets: 'body.tickets.map(t, {"id": t.id, "state": t.state, "key": t.key, "fields": {"revision": t.revision}})'
    probe: {path: /health}
    settle: 1s
`

// subjects are those of the desk's tickets.
func (d desk) subjects() map[string]int {
	all := map[string]int{}
	for _, t := range d.Tickets() {
		all[t.Subject]++
	}
	return all
}
