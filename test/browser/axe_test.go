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

// accessible fails for every violation that axe-core finds on the page as it
// stands, in either theme.
func (p *tab) accessible() {
	p.t.Helper()
	for theme, found := range p.violationsInThemes() {
		for _, v := range found {
			p.t.Errorf("%s, %s: axe-core: %s", p.path(), theme, v)
		}
	}
}

// violationsInThemes asks axe-core about all rules in the dark theme, then in the
// light one, which stays.
func (p *tab) violationsInThemes() map[string][]violation {
	p.t.Helper()
	found := map[string][]violation{}
	for _, theme := range []string{"dark", "light"} {
		p.theme(theme)
		found[theme] = p.violations()
	}
	return found
}

// violations asks axe-core about the page as it is: by WCAG 2.2 A and AA and its
// own good practices. A page that loads itself again while it is asked is asked
// again.
func (p *tab) violations() (found []violation) {
	p.t.Helper()
	const rules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`
	var err error
	if !p.eventually(func() bool {
		var loaded string
		if loaded, err = tryEvaluate[string](p, "typeof axe"); err == nil && loaded == "undefined" {
			_, err = tryEvaluate[chromedp.Void](p, axe)
		}
		if err == nil {
			found, err = tryEvaluate[[]violation](p, `axe.run(document, {runOnly: `+rules+`, resultTypes: ["violations"]}).then(r => r.violations)`,
				chromedp.EvalAwaitPromise)
		}
		return err == nil
	}) {
		p.t.Fatalf("axe-core: %v; the page shows:\n%s", err, p.shows())
	}
	return found
}
