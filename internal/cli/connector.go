package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"tieline/internal/access"
	"tieline/internal/app"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/store"
)

func newConnector(c *command) *cobra.Command {
	return parent(&cobra.Command{
		Use:     "connector",
		Aliases: []string{"connectors"},
		Short:   "Connector documents: apply, show, compare, roll back",
		Long: `A connector is configured by one document: sources, subscription, remote system, fields,
severities, states, life cycle, limits, high availability. Each version is kept with who
and when, and applied live by every server.`,
	}, newConnectorList(c), newConnectorShow(c), newConnectorApply(c), newConnectorValidate(c),
		newConnectorDiff(c), newConnectorHistory(c), newConnectorRollback(c))
}

// readInput reads a file, or the standard input for "-".
func (c *command) readInput(path string) ([]byte, error) {
	if path == "" {
		return nil, fault.New(fault.Invalid, "no file was given").WithNext(`Give it with -f FILE; "-f -" reads the standard input.`)
	}
	if path == "-" {
		return io.ReadAll(io.LimitReader(c.In, connector.MaxSize+1))
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fault.Wrap(fault.NotFound, err, fmt.Sprintf("there is no file %s", path))
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, fmt.Sprintf("the file %s cannot be read: %v", path, err))
	}
	return text, nil
}

// fileFlag adds -f, which readInput wants.
func fileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "file", "f", "", `the document; "-" reads the standard input`)
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
}

// currentDocument returns a connector's current version.
func currentDocument(ctx context.Context, db *store.DB, name string) (store.StoredDocument, error) {
	docs, _, err := db.Documents(ctx)
	if err != nil {
		return store.StoredDocument{}, err
	}
	i := slices.IndexFunc(docs, func(d store.StoredDocument) bool { return d.Connector == name })
	if i < 0 {
		return store.StoredDocument{}, noConnector(name)
	}
	return docs[i], nil
}

// parseBeside validates a document, also against those of the other connectors.
func parseBeside(ctx context.Context, db *store.DB, text []byte) (*connector.Document, error) {
	stored, _, err := db.Documents(ctx)
	if err != nil {
		return nil, err
	}
	var others []*connector.Document
	for _, s := range stored {
		if doc, err := connector.Parse([]byte(s.Text)); err == nil { // one that is wrong by now has nothing to say
			others = append(others, doc)
		}
	}
	return connector.Parse(text, app.CheckKinds, func(doc *connector.Document) []fault.Problem { return app.CheckBeside(doc, others) })
}

// saveDocument validates a text and stores it as the connector's next version,
// then wakes the servers. Base 0 does not mind which version is current.
func (c *command) saveDocument(ctx context.Context, db *store.DB, text []byte, base int64, comment string) (store.StoredDocument, error) {
	doc, err := parseBeside(ctx, db, text)
	if err != nil {
		return store.StoredDocument{}, err
	}
	saved, err := db.SaveDocument(ctx, store.SaveDocument{
		Connector: doc.Name, Text: string(text), Who: c.who(), Comment: comment, Base: base, Settings: app.HASettings(doc),
	})
	if err != nil {
		return store.StoredDocument{}, err
	}
	access.Remark(ctx, "version %d of connector %s", saved.Version, saved.Connector)
	db.Wake(ctx, store.TopicDocuments)
	return saved, nil
}
