package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tieline/internal/config"
)

func newConfig(c *command) *cobra.Command {
	return parent(&cobra.Command{
		Use:   "config",
		Short: "A server's own settings: show what applies, print a sample file",
	}, newConfigShow(c), newConfigSample(c))
}

func newConfigSample(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "sample",
		Short:   "Print a commented settings file with every setting",
		Example: "  tieline config sample > tieline.yaml",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(c.Out, config.Sample)
			return err
		},
	}
}

func newConfigShow(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Check the settings and show what applies, of file, environment and defaults",
		Example: `  tieline config show --config /etc/tieline.yaml
  TIELINE_LISTEN=:8642 tieline config show -o yaml`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config(cmd)
			if err != nil {
				return err
			}
			values := cfg.Values()
			view := make(map[string]string, len(values))
			for _, v := range values {
				view[v.Key] = v.Text
			}
			return c.print(view, func(w io.Writer) {
				t := newTable(w, "SETTING", "ENVIRONMENT", "VALUE")
				for _, v := range values {
					t.row(v.Key, v.Env(), fmt.Sprintf("%q", v.Text))
				}
				t.flush()
			})
		},
	}
}
