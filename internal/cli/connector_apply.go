package cli

import (
	"github.com/spf13/cobra"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/store"
)

func newConnectorApply(c *command) *cobra.Command {
	var file, comment string
	var base int64
	cmd := &cobra.Command{
		Use:   "apply -f file",
		Short: "Make a document the connector's current version",
		Long: `Validate a document and make it the current version of the connector it names, which is
made when there is none. Running servers apply it within moments, without a restart;
"tieline status" shows which version each one runs. Applying what is current changes
nothing. Every problem is reported at once with its path (exit code 2). Notes say what works and
could be stronger.`,
		Example: `  tieline connector apply -f desk.yaml --comment "page only for criticals"
  tieline connector apply -f desk.yaml --base 7   # only if version 7 is still current (else exit code 4)`,
		Args: args(cobra.NoArgs),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, _ []string) error {
			text, err := c.readInput(file)
			if err != nil {
				return err
			}
			doc, err := parseBeside(cmd.Context(), db, text)
			if err != nil {
				return err
			}
			current, err := currentDocument(cmd.Context(), db, doc.Name)
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
			if current.Text == string(text) {
				access.NothingChanged(cmd.Context())
				c.say("%s is unchanged, at version %d.", doc.Name, current.Version)
				return c.printDocument(current, c.sayNotes(doc)...)
			}
			leaving, err := leavingNotes(cmd.Context(), db, current.Text, doc)
			if err != nil {
				return err
			}
			saved, err := c.saveDocument(cmd.Context(), db, text, base, comment)
			if err != nil {
				return err
			}
			c.say("%s has document version %d now.", saved.Connector, saved.Version)
			return c.printDocument(saved, c.sayNotes(doc, leaving...)...)
		}),
	}
	fileFlag(cmd, &file)
	cmd.Flags().StringVarP(&comment, "comment", "m", "", "why, for the history")
	cmd.Flags().Int64Var(&base, "base", 0, "refuse when another version is current")
	return cmd
}
