package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"tieline/internal/fault"
)

func (c *command) checkOutput() error {
	switch c.output {
	case "table", "json", "yaml":
		return nil
	}
	return fault.New(fault.Invalid, fmt.Sprintf("there is no output form %q", c.output)).
		WithNext("Use -o table, -o json or -o yaml.")
}

// print writes a result in the chosen form. The table is for people and may
// change; JSON and YAML have the same fields, which are kept.
func (c *command) print(v any, table func(w io.Writer)) error {
	switch c.output {
	case "json":
		e := json.NewEncoder(c.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	case "yaml":
		return writeYAML(c.Out, v)
	default:
		table(c.Out)
		return nil
	}
}

// writeYAML goes by way of JSON, which is YAML, so that both have the same
// names in the same order.
func writeYAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	plain(&node)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return err
	}
	return e.Close()
}

// plain drops JSON's braces and quotes. The encoder quotes again what needs it,
// but for the words that older readers take for booleans: those keep theirs.
func plain(n *yaml.Node) {
	switch strings.ToLower(n.Value) {
	case "y", "n", "yes", "no", "on", "off":
	default:
		n.Style = 0
	}
	if len(n.Content) == 0 && n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, child := range n.Content {
		plain(child)
	}
}

// say writes a line about what was done, to people only: with -o json or yaml
// nothing but the result goes out.
func (c *command) say(format string, a ...any) {
	if c.output == "table" {
		fmt.Fprintf(c.Out, format+"\n", a...)
	}
}

// table aligns rows under a heading.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, heading ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(anys(heading)...)
	return t
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, s := range texts {
		all[i] = s
	}
	return all
}

func (t table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		// A tab or newline inside a cell would break the columns.
		fmt.Fprint(t.w, strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(fmt.Sprint(cell)))
	}
	fmt.Fprintln(t.w)
}

func (t table) flush() { _ = t.w.Flush() }

// ago writes a duration as people say it: "4s", "2m10s", "3h05m", "12d".
func ago(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// stamp writes an instant of the database's clock.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// clip shortens a text to n runes for a table.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// number leaves out what was not told.
func number(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// plural counts things: "1 link is", "3 links are".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// newLines aligns rows without a heading.
func newLines(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }
