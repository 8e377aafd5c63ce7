package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// firstName is the connector, and its source, that a first start makes.
const firstName = "default"

// firstDocument is the connector of a server that was told nothing: whatever is
// posted becomes a file.
const firstDocument = `# Made at the first start, because there was no connector.
# "tieline connector apply -f FILE" replaces it; every server applies it at once.
name: default
description: From the generic source to files
sources:
  - name: default
    kind: generic
remote:
  kind: files
  settings:
    directory: %q # with outbox and inbox in it
`

// firstConnector makes the connector of an embedded database that has none, so
// that "tieline serve" does something useful at once. A shared database is left
// to its operators.
func (a *App) firstConnector(ctx context.Context) error {
	if !a.cfg.Embedded() {
		return nil
	}
	docs, _, err := a.db.Documents(ctx)
	if err != nil || len(docs) > 0 {
		return err
	}
	dir, err := filepath.Abs(filepath.Join(a.cfg.DataDir, "files"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fault.Wrap(fault.Refused, err, fmt.Sprintf("the directory %s cannot be made", dir)).
			WithNext("Name another data directory with --data-dir.")
	}
	text := fmt.Sprintf(firstDocument, dir)
	doc, err := connector.Parse([]byte(text), CheckKinds)
	if err != nil {
		return fmt.Errorf("the first connector's own document: %w", err)
	}
	_, err = a.db.SaveDocument(ctx, store.SaveDocument{
		Connector: firstName, Text: text, Who: "tieline serve", Comment: "made at the first start", Settings: HASettings(doc),
	})
	return err
}

// Welcome says where everything is, for the person who started the server.
func (a *App) Welcome() string {
	var b strings.Builder
	url := "http://" + a.Addr()
	fmt.Fprintf(&b, "Tieline %s, server %s, management group %s\n", Version(), a.cfg.Server, a.cfg.ManagementGroup)
	fmt.Fprintf(&b, "  address     %s   (/healthz, /readyz, /metrics, /active/CONNECTOR)\n", url)
	fmt.Fprintf(&b, "  database    %s\n", a.cfg.DatabaseText())
	fmt.Fprintf(&b, "  console     %s\n", url)
	if a.setUpLink != "" {
		fmt.Fprintf(&b, "  set-up      %s   (makes the first administrator; good for 24 hours)\n", a.setUpLink)
	}
	docs := a.known()
	if len(docs) == 0 {
		fmt.Fprintf(&b, "  connectors  none yet: tieline connector apply -f FILE\n")
		return b.String()
	}
	for _, doc := range docs {
		fmt.Fprintf(&b, "  connector   %s\n", describe(doc))
	}
	source, ok := genericSource(docs)
	if ok {
		fmt.Fprintf(&b, "\nSend an alert:\n  curl %s/v1/sources/%s -d '{\"key\": \"disk-db3\", \"severity\": \"critical\", \"summary\": \"/var on db3 is 96 %% full\"}'\n", url, source)
		fmt.Fprintf(&b, "  curl %s/v1/sources/%s -d '{\"key\": \"disk-db3\", \"status\": \"closed\"}'\n", url, source)
	}
	return b.String()
}

// describe is one line about a connector: from where to where.
func describe(doc document) string {
	if doc.compiled == nil {
		return fmt.Sprintf("%s, version %d: cannot be run by this program", doc.name, doc.version)
	}
	d := doc.compiled.Document()
	var from []string
	for _, s := range d.Sources {
		from = append(from, fmt.Sprintf("%s (%s)", s.Name, s.Kind))
	}
	to := d.Remote.Kind + " " + strings.Join(d.Remote.Endpoints, ", ")
	if dir, ok := d.Remote.Settings["directory"].(string); ok && d.Remote.Kind == "files" {
		to = fmt.Sprintf("files: %s, answers in %s", filepath.Join(dir, "outbox"), filepath.Join(dir, "inbox"))
	}
	return fmt.Sprintf("%s: %s -> %s", doc.name, strings.Join(from, ", "), strings.TrimSpace(to))
}

// genericSource finds a source that anybody with curl can use.
func genericSource(docs []document) (name string, ok bool) {
	for _, doc := range docs {
		if doc.compiled == nil {
			continue
		}
		for _, s := range doc.compiled.Document().Sources {
			if s.Kind == "generic" && s.Token == "" {
				return s.Name, true
			}
		}
	}
	return "", false
}
