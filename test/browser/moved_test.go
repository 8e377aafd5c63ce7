package browser

import (
	"net/http"
	"testing"
)

// TestGroupMovedAway marks the site's database as "tieline db copy" does while a
// console is open: what it shows is said to be what once was.
func TestGroupMovedAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, "postgres", siteOptions{servers: []string{"ams1"}})
	s.served1(t)
	p, hidden := s.signIn(t, operator), s.signIn(t, operator)
	for _, open := range []*tab{p, hidden} {
		open.open(deskPage)
		open.isLive()
	}
	mark := func(name string) {
		t.Helper()
		if err := execute(s.url, "UPDATE management_group SET name = "+name); err != nil {
			t.Fatal(err)
		}
	}
	mark("name || ' [moved]'")
	p.sees("was moved to another database", "--database, TIELINE_DATABASE_URL", "What stands here is as of", "ams1 is Active since")
	p.misses("The connection to this server is lost")
	p.accessible()
	// One that comes back from the background, as the script sees it, is refused a stream.
	evaluate[any](hidden, `(dispatchEvent(new PageTransitionEvent("pagehide")), dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true})))`)
	hidden.sees("was moved to another database", "What stands here is as of")
	if status := p.open(deskPage); status != http.StatusConflict {
		t.Fatalf("a page of the old database answers %d:\n%s", status, p.shows())
	}
	p.sees("was moved to another database", "TIELINE_DATABASE_URL")
	p.misses("ams1 is Active since")
	p.accessible()
	mark("replace(name, ' [moved]', '')")
	hidden.isLive()
	hidden.misses("was moved to another database")
}
