package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/store"
)

func newConnectorDiff(c *command) *cobra.Command {
	var file string
	var from, to int64
	cmd := &cobra.Command{
		Use:   "diff connector",
		Short: "Compare two versions, or the current one with a file",
		Example: `  tieline connector diff default                 # the last change
  tieline connector diff default --from 3 --to 7
  tieline connector diff default -f desk.yaml`,
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, connectorNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			next, err := documentVersion(cmd.Context(), db, args[0], to)
			if err != nil {
				return err
			}
			old := next
			switch {
			case file != "":
				text, err := c.readInput(file)
				if err != nil {
					return err
				}
				next.Text, next.Version = string(text), 0
			case from == 0 && next.Version == 1:
				return fault.New(fault.NotFound, fmt.Sprintf("%s has one version only", args[0]))
			case from == 0:
				from = next.Version - 1
			}
			if from != 0 {
				if old, err = documentVersion(cmd.Context(), db, args[0], from); err != nil {
					return err
				}
			}
			return c.printDiff(old, next)
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", `compare with this file; "-" reads the standard input`)
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	cmd.Flags().Int64Var(&from, "from", 0, "the older version (default: the one before)")
	cmd.Flags().Int64Var(&to, "to", 0, "the newer version (default: the current one)")
	return cmd
}

func (c *command) printDiff(old, next store.StoredDocument) error {
	v := struct {
		Connector string `json:"connector"`
		From      int64  `json:"from"`
		To        int64  `json:"to"` // 0 = the file
		Diff      string `json:"diff"`
	}{old.Connector, old.Version, next.Version, edit.Diff(old.Text, next.Text)}
	return c.print(v, func(w io.Writer) {
		if v.Diff == "" {
			fmt.Fprintln(w, "There is no difference.")
			return
		}
		fmt.Fprint(w, v.Diff)
	})
}
