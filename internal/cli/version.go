package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"tieline/internal/app"
)

func newVersion(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the program's version",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				System  string `json:"system"`
			}{app.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return c.print(v, func(w io.Writer) { fmt.Fprintf(w, "tieline %s (%s, %s)\n", v.Version, v.Go, v.System) })
		},
	}
}
