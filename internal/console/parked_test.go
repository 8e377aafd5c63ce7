package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tieline/internal/alert"
)

// TestATickIsOfWhatWasSeen: where one of the ticked links is another by now than it
// was on the page, nothing is done to any of them, and the desk says so.
func TestATickIsOfWhatWasSeen(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.raise(alert.Content{Summary: "one"}, alert.Content{Summary: "two"})
	b.sql(`UPDATE link SET parked = 'refused: no', due_at = NULL`)
	ticks := func() (all []string) {
		for _, found := range tickOf.FindAllStringSubmatch(b.get("/parked", http.StatusOK), -1) {
			all = append(all, found[1])
		}
		return all
	}
	seen := ticks()
	if len(seen) != 2 {
		t.Fatalf("%d links can be ticked, not 2", len(seen))
	}
	b.sql(`UPDATE link SET parked = 'refused: another cause' WHERE alert_id = (SELECT min(alert_id) FROM link)`)
	for _, do := range []string{"retry", "give-up"} {
		page := b.post("/parked/"+do, url.Values{"link": seen, "reason": {"noise"}})
		b.says(page, "has changed since: it is parked: refused: another cause", "Look at it, and ask again if that is still right.")
		if left := tickOf.FindAllString(page, -1); len(left) != 2 {
			t.Errorf("%s: %d links are parked still, not 2", do, len(left))
		}
		name, _, _ := strings.Cut(seen[0], "~")
		b.says(b.post("/parked/"+do, url.Values{"link": {name}, "reason": {"noise"}}), unsaid)
	}
	b.says(b.post("/parked/retry", url.Values{"one": {ticks()[0]}}), "1 link is due now")
	b.says(b.post("/parked/give-up", url.Values{"link": ticks(), "reason": {"noise"}}), "1 link was given up.", "Nothing is parked")
}

var tickOf = regexp.MustCompile(`name="link" value="([^"]*)"`)
