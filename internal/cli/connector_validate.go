package cli

import (
	"io"

	"github.com/spf13/cobra"

	"tieline/internal/app"
	"tieline/internal/connector"
)

func newConnectorValidate(c *command) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "validate -f file",
		Short:   "Say everything that is wrong with a document, and change nothing",
		Long:    "Check a document as apply does, without a database. Secrets are not resolved: they are the servers'. Notes say what works and could be stronger.",
		Example: "  tieline connector validate -f desk.yaml\n  cat desk.yaml | tieline connector validate -f -",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := c.readInput(file)
			if err != nil {
				return err
			}
			doc, err := connector.Parse(text, app.CheckKinds)
			if err != nil {
				return err
			}
			c.say("The document of connector %s is valid.", doc.Name)
			notes := c.sayNotes(doc)
			return c.printUnlessTable(struct {
				Connector string     `json:"connector"`
				Valid     bool       `json:"valid"`
				Notes     []app.Note `json:"notes,omitempty"`
			}{doc.Name, true, notes})
		},
	}
	fileFlag(cmd, &file)
	return cmd
}

// sayNotes tells people what a valid document leaves weaker than it could be,
// besides what is known already, and returns it for the other forms.
func (c *command) sayNotes(doc *connector.Document, known ...app.Note) []app.Note {
	notes := append(known, app.Notes(doc)...)
	for _, n := range notes {
		c.say("Note on %s: %s", n.Path, n.Message)
	}
	return notes
}

// printUnlessTable is for commands whose table is a sentence already said.
func (c *command) printUnlessTable(v any) error { return c.print(v, func(io.Writer) {}) }
