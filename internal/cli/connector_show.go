package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/app"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// documentView is a stored version as JSON and YAML show it.
type documentView struct {
	Connector string    `json:"connector"`
	Version   int64     `json:"version"`
	At        time.Time `json:"at"`
	Who       string    `json:"who"`
	Comment   string    `json:"comment,omitempty"`
	Text      string    `json:"text,omitempty"`

	Notes []app.Note `json:"notes,omitempty"` // after apply
}

func viewDocument(d store.StoredDocument, text bool) documentView {
	v := documentView{Connector: d.Connector, Version: d.Version, At: d.At, Who: d.Who, Comment: d.Comment}
	if text {
		v.Text = d.Text
	}
	return v
}

// printDocument prints what was saved, where not the table (a sentence) was asked for.
func (c *command) printDocument(d store.StoredDocument, notes ...app.Note) error {
	v := viewDocument(d, false)
	v.Notes = notes
	return c.printUnlessTable(v)
}

func newConnectorShow(c *command) *cobra.Command {
	var version int64
	var effective bool
	cmd := &cobra.Command{
		Use:   "show connector",
		Short: "Show a document as it was applied, or with every default filled in",
		Example: `  tieline connector show default
  tieline connector show default --version 3
  tieline connector show default --effective`,
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			doc, err := documentVersion(cmd.Context(), db, args[0], version)
			if err != nil {
				return err
			}
			if effective {
				parsed, err := connector.Parse([]byte(doc.Text), app.CheckKinds)
				if err != nil {
					return err
				}
				text, err := connector.Marshal(parsed)
				if err != nil {
					return err
				}
				doc.Text = string(text)
			}
			return c.print(viewDocument(doc, true), func(w io.Writer) {
				// The document alone, to the byte, so that what is shown can be applied.
				fmt.Fprint(w, doc.Text)
				if !strings.HasSuffix(doc.Text, "\n") {
					fmt.Fprintln(w)
				}
				fmt.Fprintf(c.Err, "%s, version %d, applied %s by %s\n", doc.Connector, doc.Version, stamp(doc.At), doc.Who)
			})
		}),
	}
	cmd.Flags().Int64Var(&version, "version", 0, "an earlier version (default: the current one)")
	cmd.Flags().BoolVar(&effective, "effective", false, "fill in the defaults")
	return cmd
}

// documentVersion returns a version; 0 is the current one.
func documentVersion(ctx context.Context, db *store.DB, name string, version int64) (store.StoredDocument, error) {
	switch {
	case version < 0:
		return store.StoredDocument{}, fault.New(fault.Invalid, fmt.Sprintf("there is no version %d; versions count from 1", version))
	case version == 0:
		return currentDocument(ctx, db, name)
	}
	return db.Document(ctx, name, version)
}
