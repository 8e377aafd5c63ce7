package demo

import (
	"context"
	"fmt"
	"log/slog"

	"tieline/internal/app"
	"tieline/internal/connector"
	"tieline/internal/store"
)

const connectorName = "desk"

// document connects the stream to the desk. What a killed server had in flight
// is left alone for the send window, which is therefore shorter here than by
// default; settle is short because this desk is known to carry a request out
// within milliseconds, or never. Polling interval and tolerance are the default.
func document(deskURL string) string {
	return fmt.Sprintf(`name: desk
description: The demo's alerts, to the demo's ticket desk
sources:
  - name: demo
    kind: generic
remote:
  kind: webhook
  endpoints: [%s]
  settings:
    create:
      path: /tickets
      ticket: body.id
      state: body.state
    update:
      method: PUT
      path: "/tickets/{{ path .Ticket }}"
    lookup:
      path: "/tickets?key={{ urlquery .Key }}"
      tickets: 'body.tickets.map(t, {"id": t.id, "state": t.state, "key": t.key, "fields": {"revision": t.revision}})'
    probe:
      path: /health
    settle: 1s
fields:
  alert: "{{ .Key }}"
  number: "{{ .Annotations.number }}"
states:
  open: open
  closed: resolved
limits:
  timeout: 2s
  window: 5s
`, deskURL)
}

// prepare makes the database and its one connector.
func prepare(ctx context.Context, url, text string) (*store.DB, error) {
	db, err := store.Open(ctx, url, store.Options{Migrate: true, Log: slog.New(slog.DiscardHandler), MaxConns: 1})
	if err != nil {
		return nil, err
	}
	doc, err := connector.Parse([]byte(text), app.CheckKinds)
	if err != nil {
		db.Close()
		return nil, err
	}
	_, err = db.SaveDocument(ctx, store.SaveDocument{
		Connector: doc.Name, Text: text, Who: "demo", Comment: "made by tieline demo", Settings: app.HASettings(doc),
	})
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}
