package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tieline/internal/access"
)

// gallery is a site that has everything there is to show, and that no test
// changes: tests which only look share it.
type gallery struct {
	*site
	ids map[string]string // alert ids by key
}

var galleries struct {
	sync.Mutex
	made map[string]func() (*gallery, error)
}

// onGallery runs a test that changes nothing on the gallery of every database.
func onGallery(t *testing.T, f func(t *testing.T, g *gallery)) {
	t.Helper()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(t, galleryFor(t, engine))
		})
	}
}

// galleryFor returns the gallery on a database.
func galleryFor(t *testing.T, engine string) *gallery {
	t.Helper()
	g, err := galleryOn(engine)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.logs(t) })
	return g
}

func galleryOn(engine string) (*gallery, error) {
	galleries.Lock()
	if galleries.made == nil {
		galleries.made = map[string]func() (*gallery, error){}
	}
	if galleries.made[engine] == nil {
		galleries.made[engine] = sync.OnceValues(func() (*gallery, error) { return newGallery(engine) })
	}
	make := galleries.made[engine]
	galleries.Unlock()
	return make()
}

func closeGalleries() {
	for _, make := range galleries.made {
		if g, err := make(); err == nil {
			g.close()
		}
	}
}

func newGallery(engine string) (*gallery, error) {
	s, err := startSite(engine, siteOptions{})
	if err != nil {
		return nil, err
	}
	g := &gallery{site: s, ids: map[string]string{}}
	if err := g.fill(); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

const deskRules = `subscription: labels.team != "lab"
fields:
  site: "{{ .Labels.site }}"
severity: {map: {critical: "1", warning: "3"}, default: "5"}
states: {open: open, closed: closed}
`

// tooLarge is what nginx answers in the place of a desk.
const tooLarge = "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"

func (g *gallery) fill() error {
	g.desk.refuse("quota", http.StatusForbidden, "no permission in queue Alerts")
	g.desk.refuse("certificate", http.StatusRequestEntityTooLarge, tooLarge)
	g.desk.refuse("backup", http.StatusLocked, "the queue is locked by its owner")
	err := errors.Join(
		g.apply(g.document("desk", "")),
		g.apply(g.document("desk", deskRules)),
		g.apply(g.document("mirror", "")),
		g.edit(),
	)
	if err != nil {
		return err
	}
	if err := g.raise("desk", exhibits()...); err != nil {
		return err
	}
	return g.settle()
}

// tokenName is the name of the gallery's API token.
const tokenName = "grafana"

// edit begins drafts with an API token: of desk one that could be applied, of a
// connector there is not yet one that could not.
func (g *gallery) edit() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := g.Run(ctx, "token", "create", tokenName, "--role", string(access.Operator), "-o", "json")
	if err != nil {
		return err
	}
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		return fmt.Errorf("no token in %s: %w", out, err)
	}
	changed := strings.NewReplacer(`"lab"`, `"test"`, `"3"`, `"2"`).Replace(deskRules)
	wrong := "states: {open: open, closd: closed}\nlimits: {rate: fast}\n"
	return errors.Join(
		g.send(ctx, made.Token, http.MethodPut, "/connectors/desk/draft", `"v2.r0"`, map[string]string{"text": g.document("desk", changed)}),
		g.send(ctx, made.Token, http.MethodPost, "/connectors", "", map[string]string{"name": "fresh", "text": g.document("fresh", wrong)}),
	)
}

// send changes something by the API.
func (g *gallery) send(ctx context.Context, token, method, path, match string, body any) error {
	status, answer, err := ask(ctx, g.Servers[0].URL, token, method, path, match, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s %s answers %d: %s", method, path, status, answer)
	}
	return err
}

// exhibits are one alert of every kind.
func exhibits() []raised {
	in := func(site string) map[string]string { return map[string]string{"site": site, "team": "storage"} }
	many := map[string]string{"site": "a site with a very long name that nobody shortened", "team": "storage"}
	for _, n := range strings.Fields("alertname cluster container endpoint instance job namespace node pod prometheus service zone") {
		many[n] = strings.Repeat(n+"-", 6) + "0123456789abcdef"
	}
	return []raised{
		{Key: "disk-db3", Severity: "critical", Summary: "/var on db3 is 96 % full", Labels: in("ams1"), URL: "https://monitor.example/disk-db3",
			Description: "It grows by 2 % an hour.\nAt this rate it is full at 16:00."},
		{Key: "mail-queue", Severity: "warning", Summary: "the mail queue of mx2 grows", Labels: in("fra1")},
		{Key: "quota-home", Severity: "warning", Summary: "quota of /home is used up", Labels: in("ams1")},
		{Key: "cert-shop", Severity: "critical", Summary: "the certificate of shop.example ends in 3 days", Labels: in("fra1")},
		{Key: "backup-night", Severity: "warning", Summary: "last night's backup is missing", Labels: in("ams1")},
		{Key: "lab-fan", Severity: "info", Summary: "a fan in the lab stands still", Labels: map[string]string{"team": "lab"}},
		{Key: "long", Severity: "a-severity-word-that-is-much-longer-than-any-column", Labels: many,
			Summary:     "<b>bold</b> & a summary that goes on and on: " + strings.Repeat("the queue of the mail gateway grows, ", 8),
			Description: strings.Repeat("An-unbroken-word-of-some-length-", 20), Annotations: map[string]string{"runbook": "https://wiki.example/" + strings.Repeat("deep/", 30)}},
	}
}

// settle waits until every exhibit stands where it should.
func (g *gallery) settle() error {
	if _, err := g.alert("mail-queue", delivered); err != nil {
		return err
	}
	if err := g.raise("desk", raised{Key: "mail-queue", Status: "closed"}); err != nil {
		return err
	}
	for _, e := range []struct {
		key  string
		rest func(listed) bool
	}{
		{"disk-db3", delivered}, {"mail-queue", delivered}, {"quota-home", parked}, {"cert-shop", parked},
		{"backup-night", failing}, {"lab-fan", known}, {"long", delivered},
	} {
		a, err := g.alert(e.key, e.rest)
		if err != nil {
			return err
		}
		g.ids[e.key] = a.ID
	}
	return nil
}
