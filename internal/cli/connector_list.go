package cli

import (
	"io"

	"github.com/spf13/cobra"

	"tieline/internal/store"
)

func newConnectorList(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the connectors",
		Args:  args(cobra.NoArgs),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, _ []string) error {
			docs, _, err := db.Documents(cmd.Context())
			if err != nil {
				return err
			}
			return c.printDocuments(docs)
		}),
	}
}

func newConnectorHistory(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "history connector",
		Short:   "List a document's versions, newest first",
		Example: "  tieline connector history default",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			docs, err := db.DocumentHistory(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(docs) == 0 {
				return noConnector(args[0])
			}
			return c.printDocuments(docs)
		}),
	}
}

func (c *command) printDocuments(docs []store.StoredDocument) error {
	views := make([]documentView, 0, len(docs))
	for _, d := range docs {
		views = append(views, viewDocument(d, false))
	}
	return c.print(views, func(w io.Writer) {
		t := newTable(w, "CONNECTOR", "VERSION", "APPLIED", "WHO", "COMMENT")
		for _, d := range docs {
			t.row(d.Connector, d.Version, stamp(d.At), d.Who, clip(d.Comment, 60))
		}
		t.flush()
	})
}
