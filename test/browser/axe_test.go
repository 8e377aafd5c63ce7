package browser

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
)

// violation is one of axe-core's findings.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		Target  []any  `json:"target"`
		HTML    string `json:"html"`
		Failure string `json:"failureSummary"`
	} `json:"nodes"`
}

func (v violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", v.ID, v.Help)
	for _, n := range v.Nodes[:min(len(v.Nodes), 3)] {
		html := n.HTML[:min(len(n.HTML), 200)]
		fmt.Fprintf(&b, "\n    %v %s\n      %s", n.Target, html, strings.ReplaceAll(n.Failure, "\n", " "))
	}
	return b.String()
}

// accessible fails for every violation that axe-core finds on the page, by all
// rules or by some.
func (p *tab) accessible(rules ...string) {
	p.t.Helper()
	for _, v := range p.violations(rules...) {
		p.t.Errorf("%s: axe-core: %s", p.path(), v)
	}
}

// violations asks axe-core about the page: by WCAG 2.2 A and AA and its own good
// practices, or by the rules given.
func (p *tab) violations(rules ...string) []violation {
	p.t.Helper()
	if evaluate[string](p, "typeof axe") == "undefined" {
		evaluate[chromedp.Void](p, axe)
	}
	only := `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	if len(rules) > 0 {
		only = `{type: "rule", values: ["` + strings.Join(rules, `", "`) + `"]}`
	}
	return evaluate[[]violation](p, `axe.run(document, {runOnly: `+only+`, resultTypes: ["violations"]}).then(r => r.violations)`,
		chromedp.EvalAwaitPromise)
}
