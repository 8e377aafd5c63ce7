package browser

import (
	"context"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// emulates has the browser lay pages out for a medium, with features of it by name.
func (p *tab) emulates(medium string, features map[string]string) {
	p.t.Helper()
	var all []*emulation.MediaFeature
	for name, value := range features {
		all = append(all, &emulation.MediaFeature{Name: name, Value: value})
	}
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium, Features: all})
		return err
	}))
}

// TestOnPaper looks at pages as a printer gets them from somebody who reads them in
// the dark: black on white, tables as tables on a sheet as narrow as a phone is
// wide, with the time they tell of, and without what can only be pressed.
func TestOnPaper(t *testing.T) {
	t.Parallel()
	g := galleryFor(t, "sqlite")
	p := g.signIn(t, viewer)
	p.emulates("print", map[string]string{"prefers-color-scheme": "dark"})
	p.size(740, 1000, false)
	for _, path := range []string{"/", "/alerts", "/connectors/desk", "/connectors/desk/history"} {
		p.open(path)
		p.sees("Management group default", "as of ", " UTC")
		p.wide()
		look := evaluate[map[string]string](p, `(() => {
			const style = (of) => getComputedStyle(document.querySelector(of));
			return {ground: style("body").backgroundColor, ink: style("td").color, cell: style("td").display, bar: style(".bar").display, faint: style(".sub").color};
		})()`)
		for what, want := range map[string]string{"ground": "rgb(255, 255, 255)", "ink": "rgb(0, 0, 0)", "cell": "table-cell", "bar": "none", "faint": "rgb(65, 74, 90)"} {
			if look[what] != want {
				t.Errorf("%s on paper: %s is %s, not %s", path, what, look[what], want)
			}
		}
	}
}

// TestMarkEnds shows that a row that changed is marked for a moment, not for ever,
// also for somebody who wants nothing to move.
func TestMarkEnds(t *testing.T) {
	t.Parallel()
	g := galleryFor(t, "sqlite")
	p := g.signIn(t, viewer)
	p.open("/servers") // where nothing moves (theme)
	marks := evaluate[[]string](p, `(() => {
		const row = document.querySelector("tbody tr"), outline = () => getComputedStyle(row).outlineStyle;
		row.classList.add("changed");
		const first = outline();
		for (const mark of row.getAnimations()) mark.finish();
		return [first, outline()];
	})()`)
	if !slices.Equal(marks, []string{"solid", "none"}) {
		t.Errorf("the mark is an outline %q, not solid and then none", marks)
	}
}
