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
)

// shown is one address to look at for every page of the route table.
type shown struct {
	name   string // of the page, for files: "alerts-alert-edit"
	path   string
	public bool // looked at without signing in
}

// status is what the page answers with. The gallery is set up: there is no link
// to set it up any more.
func (s shown) status() int {
	if s.name == "set-up" {
		return http.StatusForbidden
	}
	return http.StatusOK
}

// pages are the addresses of every page of the console's route table, in the
// gallery. A page whose parameters have no value here fails the test.
func (g *gallery) pages(t *testing.T) []shown {
	t.Helper()
	var all []shown
	for _, route := range console.New(console.Config{}).Routes() {
		method, pattern, _ := strings.Cut(route.Pattern, " ")
		if method != http.MethodGet || route.Stream || noPages[pattern] {
			continue
		}
		path, err := g.address(pattern)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(strings.NewReplacer("/{$}", "overview", "/", "-", "{", "", "}", "").Replace(pattern), "-")
		all = append(all, shown{name, path, route.Needs == access.Public})
		for i, more := range views[pattern] {
			all = append(all, shown{fmt.Sprintf("%s-%d", name, i+2), strings.ReplaceAll(path+more, "ALERT", g.ids["quota-home"]), route.Needs == access.Public})
		}
	}
	return all
}

// noPages are routes that a browser opens and that answer with no page, or with
// one of another host.
var noPages = map[string]bool{
	"/assets/{name}": true, "/favicon.ico": true, "/sign-in/oidc": true, "/sign-in/oidc/begin": true,
}

// queries are what pages need in their address besides the parameters.
var queries = map[string]string{
	"/alerts/{alert}/give-up":                     "?connector=desk",
	"/connectors/{connector}/make-active":         "?server=fra1",
	"/connectors/{connector}/history/roll-back":   "?version=1",
	"/connectors/{connector}/remote/{endpoint}":   "",
	"/connectors/{connector}/servers/remove":      "?server=fra1",
	"/connectors/{connector}/remove":              "?server=fra1",
	"/connectors/{connector}/availability/remove": "?server=fra1",
}

// views are other states of a page that are worth a look.
var views = map[string][]string{
	"/alerts": {"?q=nothing-has-this-text", "?parked=1&status=open"},
	"/parked": {"?connector=mirror"},
}

var parameter = regexp.MustCompile(`\{([a-z]+)\}`)

// address fills a pattern's parameters in.
func (g *gallery) address(pattern string) (string, error) {
	values := map[string]string{
		"connector": "desk", "alert": g.ids["quota-home"], "server": "fra1", "name": operator.name, "version": "1",
	}
	var missing error
	path := parameter.ReplaceAllStringFunc(strings.TrimSuffix(pattern, "{$}"), func(p string) string {
		value, ok := values[strings.Trim(p, "{}")]
		if !ok {
			missing = fmt.Errorf("the page %s has a parameter %s that pages_test.go gives no value", pattern, p)
		}
		return value
	})
	return path + queries[pattern], missing
}

// TestPages opens every page. None may be heavy, wider than a phone, or a
// hindrance to somebody who does not see it, in either theme. It looks on
// SQLite; that every page works on PostgreSQL as well, TestPagesOnPostgres shows.
func TestPages(t *testing.T) {
	t.Parallel()
	g := galleryFor(t, "sqlite")
	stranger, person := newTab(t, g.Servers[0].URL), g.signIn(t, admin)
	for _, page := range g.pages(t) {
		t.Run(page.name, func(t *testing.T) {
			p := person
			if page.public {
				p = stranger
			}
			p.t = t
			p.size(1280, 900, false)
			p.theme("light")
			if status := p.open(page.path); status != page.status() {
				t.Fatalf("%s answers %d:\n%s", page.path, status, p.shows())
			}
			if p.weight() > 100_000 {
				t.Errorf("%s weighs %d bytes with all it loads, more than 100 kB", page.path, p.weight())
			}
			p.accessible()
			p.wide()
			p.theme("dark")
			p.accessible("color-contrast", "link-in-text-block")
			p.phone()
			p.wide()
		})
	}
	stranger.t, person.t = t, t
}

// TestPagesOnPostgres opens every page on PostgreSQL.
func TestPagesOnPostgres(t *testing.T) {
	t.Parallel()
	g := galleryFor(t, "postgres")
	stranger, person := newTab(t, g.Servers[0].URL), g.signIn(t, admin)
	for _, page := range g.pages(t) {
		p := person
		if page.public {
			p = stranger
		}
		if status := p.open(page.path); status != page.status() {
			t.Errorf("%s answers %d:\n%s", page.path, status, p.shows())
		}
	}
}

// TestAlertPagesLarge shows that what is very long breaks no page.
func TestAlertPagesLarge(t *testing.T) {
	t.Parallel()
	g := galleryFor(t, "sqlite")
	p := g.signIn(t, operator)
	for _, path := range []string{"/alerts/" + g.ids["long"], "/alerts/" + g.ids["long"] + "/edit", "/alerts?q=gateway"} {
		p.size(1280, 900, false)
		p.open(path)
		if path != "/alerts/"+g.ids["long"]+"/edit" { // what a field has is no text of the page
			p.sees("<b>bold</b> & a summary")
		}
		p.wide()
		p.phone()
		p.wide()
	}
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
	stranger, person := newTab(t, g.Servers[0].URL), g.signIn(t, admin)
	pages := append(g.pages(t),
		shown{"alerts-alert-delivered", "/alerts/" + g.ids["mail-queue"], false}, shown{"alerts-alert-waiting", "/alerts/" + g.ids["backup-night"], false},
		shown{"alerts-alert-long", "/alerts/" + g.ids["long"], false}, shown{"alerts-alert-unmatched", "/alerts/" + g.ids["lab-fan"], false},
		shown{"not-found", "/alerts/00000000-0000-0000-0000-000000000000", false},
	)
	for _, page := range pages {
		p := person
		if page.public {
			p = stranger
		}
		for _, look := range []string{"light", "dark", "phone"} {
			p.look(look)
			p.open(page.path)
			p.draw(filepath.Join(*screenshots, page.name+"."+look+".png"))
		}
	}
	t.Logf("%d pages drawn into %s", len(pages), *screenshots)
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
