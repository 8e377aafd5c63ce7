package browser

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tieline/internal/access"
	"tieline/internal/console"
	"tieline/test/cluster"
)

// shown is one address to look at for every page of the route table.
type shown struct {
	name  string // of the page, for files: "alerts-alert-edit"
	path  string
	needs access.Permission // of who looks at it; Public = looked at without signing in
}

// status is what the page answers with. The gallery is set up: there is no link
// to set it up any more.
func (s shown) status() int {
	switch s.name {
	case "set-up":
		return http.StatusForbidden
	case "no-page":
		return http.StatusNotFound
	default:
		return http.StatusOK
	}
}

// pages are the addresses of every page of the console's route table, in the
// gallery, and of other states of some. A page whose parameters have no value
// here fails the test.
func (g *gallery) pages(t *testing.T) []shown {
	t.Helper()
	passive := other([]string{"ams1", "fra1"}, g.Active(t.Context(), "desk").Name)
	var all []shown
	for _, route := range console.New(console.Config{}).Routes() {
		method, pattern, _ := strings.Cut(route.Pattern, " ")
		if method != http.MethodGet || route.Stream || noPages[pattern] {
			continue
		}
		path, err := g.address(pattern, passive)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(strings.NewReplacer("/{$}", "overview", "/", "-", "{", "", "}", "").Replace(pattern), "-")
		if pattern == "/" { // what no other route answers
			name, path = "no-page", "/no-such-page"
		}
		all = append(all, shown{name, path, route.Needs})
	}
	return append(all, g.views()...)
}

// noPages are routes that a browser opens and that answer with no page, with one
// of another host, or with another route's.
var noPages = map[string]bool{
	"/assets/{name}": true, "/favicon.ico": true, "/sign-in/oidc": true, "/sign-in/oidc/begin": true,
	"/connectors": true, "/settings": true,
}

// queries are what pages need in their address besides the parameters.
var queries = map[string]string{
	"/alerts/{alert}/give-up":                   "?connector=desk",
	"/connectors/{connector}/make-active":       "?server=SERVER",
	"/connectors/{connector}/history/roll-back": "?to=1",
}

// views are other states of pages that are worth a look: connector desk has a
// draft, mirror none, and fresh nothing but one with problems.
func (g *gallery) views() []shown {
	all := []shown{
		{name: "alerts-none-fits", path: "/alerts?q=nothing-has-this-text"},
		{name: "alerts-parked", path: "/alerts?parked=1&status=open"},
		{name: "parked-none-fits", path: "/parked?connector=mirror"},
		{name: "connectors-none-fits", path: "/?q=nothing-has-this-name"},
		{name: "dry-run", path: "/connectors/desk/draft?try=50&alert=" + g.ids["quota-home"]},
		{name: "new-draft", path: "/connectors/fresh/draft"},
		{name: "new-draft-remote", path: "/connectors/fresh/remote"},
	}
	for _, tab := range []string{"remote", "sources", "fields", "severity", "states", "draft", "alerts"} {
		all = append(all, shown{name: "mirror-" + tab, path: "/connectors/mirror/" + tab})
	}
	for name, key := range map[string]string{"delivered": "mail-queue", "waiting": "backup-night", "long": "long", "unmatched": "lab-fan"} {
		all = append(all, shown{name: "alert-" + name, path: "/alerts/" + g.ids[key]})
	}
	for i := range all {
		all[i].needs = access.View
	}
	return append(all, shown{"alert-long-edit", "/alerts/" + g.ids["long"] + "/edit", access.Operate})
}

var parameter = regexp.MustCompile(`\{([a-z]+)\}`)

// address fills a pattern's parameters in.
func (g *gallery) address(pattern, server string) (string, error) {
	values := map[string]string{"connector": "desk", "alert": g.ids["quota-home"], "server": server, "name": operator.name}
	if strings.HasPrefix(pattern, "/settings/tokens/") {
		values["name"] = tokenName
	}
	var missing error
	path := parameter.ReplaceAllStringFunc(strings.TrimSuffix(pattern, "{$}"), func(p string) string {
		value, ok := values[strings.Trim(p, "{}")]
		if !ok {
			missing = fmt.Errorf("the page %s has a parameter %s that pages_test.go gives no value", pattern, p)
		}
		return value
	})
	return path + strings.ReplaceAll(queries[pattern], "SERVER", server), missing
}

// TestPages opens every page. None may be heavy, wider than a phone, or a
// hindrance to somebody who does not see it, in either theme, on either database;
// nor where a role that may do less is shown another page than the administrator,
// the viewer on one database and the operator on the other.
func TestPages(t *testing.T) {
	t.Parallel()
	onGallery(t, func(t *testing.T, g *gallery) {
		role := viewer
		if g.engine == "postgres" {
			role = operator
		}
		stranger, person, lesser := newTab(t, g.Servers[0].URL), g.signIn(t, admin), g.signIn(t, role)
		for _, page := range g.pages(t) {
			t.Run(page.name, func(t *testing.T) {
				stranger.t, person.t, lesser.t = t, t, t
				if page.needs == access.Public {
					stranger.holds(page)
					return
				}
				person.holds(page)
				lesser.holdsAs(page, role, person.offers())
			})
		}
		stranger.t, person.t, lesser.t = t, t, t
	})
}

// offers is all that can be pressed or typed in on the page, with how.
func (p *tab) offers() string {
	p.t.Helper()
	return evaluate[string](p, `[...document.querySelectorAll("main a[href], main button, main input, main select, main textarea, main [tabindex]")]
		.map(e => [e.nodeName, e.name, e.disabled, e.readOnly, e.textContent.trim() && e.nodeName !== "TEXTAREA" && e.nodeName !== "PRE" && e.className].join(" ")).join("\n")`)
}

// holdsAs checks a page as somebody of another role is shown it. The page that
// refuses one stands for all of them.
func (p *tab) holdsAs(page shown, who account, others string) {
	p.t.Helper()
	status, may := page.status(), access.Principal{Name: who.name, Role: who.role}.May(page.needs)
	if !may {
		status = http.StatusForbidden
	}
	if got := p.open(page.path); got != status {
		p.t.Fatalf("%s answers %d to the %s, want %d:\n%s", page.path, got, who.role, status, p.shows())
	}
	if may && p.offers() == others || !may && page.path != "/settings/audit" {
		return
	}
	for _, v := range p.violations() {
		p.t.Errorf("%s as %s: axe-core: %s", page.path, who.role, v)
	}
}

// holds checks one page, in a window as on a desk and in one of a phone.
func (p *tab) holds(page shown) {
	p.t.Helper()
	p.size(1280, 900, false)
	if status := p.open(page.path); status != page.status() {
		p.t.Fatalf("%s answers %d:\n%s", page.path, status, p.shows())
	}
	if path := p.path(); path != page.path {
		p.t.Fatalf("%s leads to %s, so that nobody looks at it:\n%s", page.path, path, p.shows())
	}
	if p.weight() > 100_000 {
		p.t.Errorf("%s weighs %d bytes with all it loads, more than 100 kB", page.path, p.weight())
	}
	p.accessible()
	p.wide()
	p.complete()
	p.phone()
	p.wide()
	p.complete()
	p.roomy()
	if small := evaluate[[]string](p, `[...document.querySelectorAll("main input:not([type=hidden]), main select, main textarea")]
		.filter(e => e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) < 16).map(e => e.name)`); len(small) > 0 {
		p.t.Errorf("%s: a phone's browser enlarges the page for the small letters of the fields %q", p.path(), small)
	}
}

// complete fails where a field's hint does not fit in it, or a fact has no words.
func (p *tab) complete() {
	p.t.Helper()
	cut := evaluate[[]string](p, `[...document.querySelectorAll("[placeholder]")].filter(e => {
		const style = getComputedStyle(e), pen = document.createElement("canvas").getContext("2d");
		pen.font = `+"`${style.fontWeight} ${style.fontSize} ${style.fontFamily}`"+`; // style.font is empty where figures are tabular
		return e.checkVisibility() && pen.measureText(e.placeholder).width > e.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
	}).map(e => e.placeholder)`)
	if len(cut) > 0 {
		p.t.Errorf("%s: the hints %q do not fit in their fields", p.path(), cut)
	}
	if bare := evaluate[[]string](p, `[...document.querySelectorAll("dd")].filter(e => !e.textContent.trim()).map(e => e.previousElementSibling.textContent)`); len(bare) > 0 {
		p.t.Errorf("%s says nothing of %q", p.path(), bare)
	}
}

// TestAlertPagesLarge shows that what an alert says is text, however it looks.
func TestAlertPagesLarge(t *testing.T) {
	t.Parallel()
	onGallery(t, func(t *testing.T, g *gallery) {
		p := g.signIn(t, operator)
		for _, path := range []string{"/alerts/" + g.ids["long"], "/alerts?q=gateway"} {
			p.open(path)
			p.sees("<b>bold</b> & a summary")
		}
	})
}

var screenshots = flag.String("screenshots", "", "draw every page into this folder instead of testing")

// TestScreenshots draws every page: light, dark, and on a phone.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("it draws pages and tests nothing: name the folder for them by -args -screenshots FOLDER")
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	g := galleryFor(t, "sqlite")
	g.failOver(t)
	stranger, person := newTab(t, g.Servers[0].URL), g.signIn(t, admin)
	pages := g.pages(t)
	for _, page := range pages {
		p := person
		if page.needs == access.Public {
			p = stranger
		}
		for _, look := range []string{"light", "dark", "phone"} {
			p.look(look)
			p.open(page.path)
			if evaluate[bool](p, `"livePage" in document.documentElement.dataset`) {
				p.isLive()
			}
			p.draw(filepath.Join(*screenshots, page.name+"."+look+".png"))
		}
	}
	t.Logf("%d pages drawn into %s", len(pages), *screenshots)
}

// failOver gives the history a gap: the Active of desk dies, and comes back.
func (g *gallery) failOver(t *testing.T) {
	t.Helper()
	first := g.Active(t.Context(), "desk")
	first.Kill()
	_, err := g.WaitActive(t.Context(), "desk", func(s *cluster.Server) bool { return s != first })
	if err == nil {
		err = first.Start()
	}
	if err == nil {
		err = first.WaitReady(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// look sets the window up for a drawing.
func (p *tab) look(name string) {
	p.t.Helper()
	if name == "phone" {
		p.phone()
		p.theme("light")
		return
	}
	p.size(1280, 800, false)
	p.theme(name)
}

// draw writes the whole page into a file.
func (p *tab) draw(file string) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(file, png, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
