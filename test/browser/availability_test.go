package browser

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"tieline/test/cluster"
)

// deskPage is the High availability tab of the site's connector.
const deskPage = "/connectors/desk"

// TestAvailability changes the order, the Active and the settings, while others
// watch.
func TestAvailability(t *testing.T) {
	t.Parallel()
	onEach(t, siteOptions{servers: []string{"ams1", "fra1", "lon1"}}, func(t *testing.T, s *site) {
		s.served(t)
		for _, step := range []struct {
			name string
			run  func(*testing.T, *site)
		}{
			{"move up by keyboard", moveByKeyboard},
			{"move by drag", moveByDrag},
			{"changed while dragged", changedWhileDragged},
			{"make active", makeActive},
			{"settings", changeSettings},
			{"without script", moveWithoutScript},
			{"on a phone", availabilityOnPhone},
			{"history", historyTells},
			{"failover watched live", failoverLive},
			{"the Active's own console", activeKilled},
		} {
			t.Run(step.name, func(t *testing.T) { step.run(t, s) })
		}
	})
}

// served applies the connector and waits until somebody is Active for it, and
// all servers can be.
func (s *site) served(t *testing.T) {
	t.Helper()
	if err := s.apply(s.document("desk", "")); err != nil {
		t.Fatal(err)
	}
	p := s.signIn(t, operator)
	p.open(deskPage)
	p.sees("is Active since", "would take over next")
	if !p.eventually(func() bool {
		return strings.Count(p.shows(), "version 1") >= 3 && !strings.Contains(p.shows(), "not eligible")
	}) {
		t.Fatalf("not every server runs the document:\n%s", p.shows())
	}
}

// isLive waits until the page keeps itself up to date.
func (p *tab) isLive() {
	p.t.Helper()
	if !p.eventually(func() bool {
		fresh, err := tryEvaluate[string](p, `document.getElementById("fresh").dataset.fresh`)
		return err == nil && fresh == "live"
	}) {
		p.t.Fatalf("the page is not live:\n%s", p.shows())
	}
}

// order is the communication order as the page has it.
func (p *tab) order() []string {
	p.t.Helper()
	return evaluate[[]string](p, `[...document.querySelectorAll("#order tbody tr")].map(r => r.dataset.key.slice(4))`)
}

func (p *tab) hasOrder(want []string) {
	p.t.Helper()
	if !p.eventually(func() bool { return strings.Join(p.order(), " ") == strings.Join(want, " ") }) {
		p.t.Fatalf("the order is %v, want %v", p.order(), want)
	}
}

// makeActive asks in a dialog, whose safe choice has the focus, and switches over.
func makeActive(t *testing.T, s *site) {
	p, watching := s.signIn(t, operator), s.signIn(t, viewer)
	watching.open(deskPage)
	watching.isLive()
	p.open(deskPage)
	active := s.Active(t.Context(), "desk").Name
	target := other(p.order(), active)
	p.press("Make Active " + target)
	p.sees("Make "+target+" Active for desk?", active+" claims nothing more", "nothing is sent twice")
	if focused := p.focused(); focused != "Cancel" {
		t.Errorf("%q has the focus, want Cancel", focused)
	}
	p.press("Cancel")
	p.misses("claims nothing more")
	p.press("Make Active " + target)
	p.press("Make " + target + " Active")
	p.sees(target+" is asked to be Active", target+" is Active since")
	watching.sees(target + " is Active since")
	p.press("Refresh List")
	p.sees("Asked all servers at", "3 servers that are on answered")
}

func other(names []string, not string) string {
	for _, n := range names {
		if n != not {
			return n
		}
	}
	return ""
}

// changeSettings reviews, mends and applies; the product is spelled out as one types.
func changeSettings(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.open(deskPage)
	p.fill("Polling interval", "20")
	p.sees("A silent server counts as Offline after 60 s")
	p.fill("Tolerance", "4")
	p.press("Review the change")
	p.sees("Apply version", "high_availability.tolerance", "A silent server will count as Offline after 80 s")
	p.accessible()
	p.press("Apply version")
	p.sees("is applied", "A silent server counts as Offline after 80 s")
	if !p.eventually(func() bool { return strings.Count(p.shows(), "version 2") >= 3 }) {
		t.Errorf("not every server runs version 2:\n%s", p.shows())
	}
}

// moveWithoutScript sends the forms as a browser without script does.
func moveWithoutScript(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.open(deskPage)
	before := p.order()
	p.leave(func() {
		evaluate[bool](p, `(() => {
			const button = document.getElementById("down-`+before[0]+`"), form = button.form;
			const field = Object.assign(document.createElement("input"), { name: "by", value: "1" });
			form.append(field);
			form.submit(); // which asks no script
			return true;
		})()`)
	})
	p.sees("The order was")
	p.hasOrder([]string{before[1], before[0], before[2]})
}

// availabilityOnPhone uses the page in a window of a phone.
func availabilityOnPhone(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.phone()
	p.open(deskPage)
	p.sees("is Active since", "Host name", "Last heartbeat")
	p.wide()
	second := p.order()[1]
	p.press("Move Up " + second)
	p.sees("The order was")
	p.seesTab("High availability")
	p.open(deskPage + "/history")
	p.seesTab("History")
	if shown := evaluate[[]string](p, `[...document.querySelectorAll(".strip > svg")].filter(e => e.checkVisibility()).map(e => e.className.baseVal)`); strings.Join(shown, " ") != "strip-narrow" {
		t.Errorf("a phone shows the drawings %q", shown)
	}
	p.press("Navigation")
	p.submit("Servers")
	p.sees("Every installation of the connector service")
	p.wide()
}

// seesTab waits until the current tab, of that name, can be seen whole.
func (p *tab) seesTab(name string) {
	p.t.Helper()
	if !p.eventually(func() bool {
		return evaluate[bool](p, `(() => {
			const tab = document.querySelector('.tabs [aria-current]'), r = tab.getBoundingClientRect();
			return tab.textContent === "`+name+`" && r.left >= 0 && r.right <= innerWidth;
		})()`)
	}) {
		p.t.Errorf("%s does not show its tab %s", p.path(), name)
	}
}

// historyTells shows what the steps before did, and rolls back.
func historyTells(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	if status := p.open(deskPage + "/history"); status != http.StatusOK {
		t.Fatalf("the history answers %d", status)
	}
	p.sees("became Active", "an operator asked for it", "was asked to be Active", "Document version 2 was applied", "high_availability.tolerance", operator.name)
	p.press("Roll back to version 1")
	p.sees("Roll desk back to version 1?")
	p.press("Roll back to version 1")
	p.sees("Version 1 is applied again, as version 3")
	p.open("/history")
	p.sees("Document version 3 was applied")
}

// failoverLive kills the Active while two others watch from another server.
func failoverLive(t *testing.T, s *site) {
	active := s.Active(t.Context(), "desk")
	var standing []*cluster.Server
	for _, v := range s.Servers {
		if v != active {
			standing = append(standing, v)
		}
	}
	tabs := []*tab{s.signInAt(t, viewer, standing[0].URL), s.signInAt(t, operator, standing[1].URL)}
	tabs[0].open(deskPage)
	tabs[1].open("/")
	for _, p := range tabs {
		p.isLive()
		evaluate[bool](p, `window.stillHere = true`)
	}
	active.Kill()
	tabs[0].sees("would take over next", "known dead", "Known at once")
	next, err := s.WaitActive(t.Context(), "desk", func(v *cluster.Server) bool { return v != active })
	if err != nil {
		t.Fatal(err)
	}
	tabs[0].sees(next.Name + " is Active since")
	tabs[1].sees("Server " + active.Name + " is Offline")
	for _, p := range tabs {
		if !evaluate[bool](p, `window.stillHere === true`) {
			t.Error("the page was loaded again")
		}
		p.accessible()
	}
	s.restart(t, active)
	tabs[1].misses("Server " + active.Name + " is Offline")
}

func (s *site) restart(t *testing.T, server *cluster.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := server.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// activeKilled keeps the console of the Active open while it is killed.
func activeKilled(t *testing.T, s *site) {
	active := s.Active(t.Context(), "desk")
	p := s.signInAt(t, operator, active.URL)
	p.open(deskPage)
	p.isLive()
	active.Kill()
	p.sees("The connection to this server is lost", "reconnecting", active.Name+" is Active since") // as of then
	p.focus("Refresh List")
	p.keys(kb.Enter)
	p.sees("Not sent", "nothing was changed")
	s.restart(t, active)
	p.isLive()
	p.misses("The connection to this server is lost")
}

// TestDatabaseAway shuts the database while a console is open.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, "postgres", siteOptions{servers: []string{"ams1"}})
	s.served1(t)
	open := s.signIn(t, operator)
	open.open(deskPage)
	open.isLive()
	admin, name := s.shut(t)
	open.sees("The database has not answered since", "database away", "ams1 is Active since")
	p := open
	if status := p.open(deskPage); status != http.StatusServiceUnavailable {
		t.Fatalf("while the database is away the page answers %d:\n%s", status, p.shows())
	}
	p.sees("The database does not answer", "tieline db check", "loads again by itself")
	p.misses("goroutine")
	p.accessible()
	if err := execute(admin, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS true"); err != nil {
		t.Fatal(err)
	}
	p.sees("is Active since")
	p.isLive()
}

// served1 is served for a site of one server.
func (s *site) served1(t *testing.T) {
	t.Helper()
	if err := s.apply(s.document("desk", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WaitActive(t.Context(), "desk", func(*cluster.Server) bool { return true }); err != nil {
		t.Fatal(err)
	}
}

// shut lets nobody into the site's database and ends those who are in it.
func (s *site) shut(t *testing.T) (admin, name string) {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	admin, name = os.Getenv("TIELINE_TEST_POSTGRES_URL"), strings.TrimPrefix(u.Path, "/")
	for _, statement := range []string{
		"ALTER DATABASE " + name + " WITH ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'",
	} {
		if err := execute(admin, statement); err != nil {
			t.Fatal(err)
		}
	}
	return admin, name
}
