package console_test

import (
	"net/http"
	"net/http/httptest"
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
		page := b.answers(http.StatusConflict, "/parked/"+do, url.Values{"link": seen, "reason": {"noise & such"}})
		if !strings.Contains(page, `name="reason" value="noise &amp; such"`) || strings.Count(page, " checked ") != 1 {
			t.Errorf("%s: the desk forgets the reason, or what is still as it was ticked", do)
		}
		b.says(page, "has changed since: it is parked: refused: another cause", "Look at it, and ask again if that is still right.")
		if left := tickOf.FindAllString(page, -1); len(left) != 2 {
			t.Errorf("%s: %d links are parked still, not 2", do, len(left))
		}
		name, _, _ := strings.Cut(seen[0], "~")
		b.says(b.answers(http.StatusPreconditionRequired, "/parked/"+do, url.Values{"link": {name}, "reason": {"noise"}}), unsaid)
	}
	b.says(b.post("/parked/retry", url.Values{"one": {ticks()[0]}}), "1 link is due now")
	b.says(b.post("/parked/give-up", url.Values{"link": ticks(), "reason": {"noise"}}), "1 link was given up.", "Nothing is parked")
}

var tickOf = regexp.MustCompile(`name="link" value="([^"]*)"`)

// answers sends a form that must be answered with a status, and returns the page.
func (b *bench) answers(status int, path string, form url.Values) string {
	b.Helper()
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, b.request(http.MethodPost, path, form))
	if w.Code != status {
		b.Errorf("POST %s: %d, want %d\n%s", path, w.Code, status, text(w.Body.String()))
	}
	return w.Body.String()
}

// TestAllIsWhatWasSeen: who gives all up that a filter finds gives up what the page
// counted, and is asked again, with the reason as it was typed, once there is more.
func TestAllIsWhatWasSeen(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.raise(alert.Content{Summary: "one"}, alert.Content{Summary: "two"}, alert.Content{Summary: "three"})
	b.sql(`UPDATE link SET parked = 'refused: no', due_at = NULL WHERE alert_id <> (SELECT min(alert_id) FROM link)`)
	const filter = "?connector=desk&q=REFUSED"
	desk := b.get("/parked"+filter, http.StatusOK)
	if !strings.Contains(desk, `href="/parked/give-up?connector=desk&amp;q=REFUSED" data-confirm`) {
		t.Error("the desk offers no way to give all up")
	}
	ask := b.get("/parked/give-up"+filter, http.StatusOK)
	b.says(ask, "Give up all 2 links that fit?", "Those of connector desk alone.", "whose reason has REFUSED in it")
	form := url.Values{"all": {"1"}, "connector": {"desk"}, "q": {"REFUSED"}, "reason": {"noise & such"}}
	b.says(b.answers(http.StatusPreconditionRequired, "/parked/give-up", form), unsaid)

	form.Set("seen", b.seenOn("/parked/give-up"+filter))
	b.sql(`UPDATE link SET parked = 'refused: late', due_at = NULL WHERE parked = ''`)
	again := b.answers(http.StatusConflict, "/parked/give-up", form)
	b.says(again, "Give up all 3 links that fit?", "there were 2, and 3 are parked now. Look at them, and ask again if that is still right.")
	if !strings.Contains(again, `name="reason" value="noise &amp; such"`) {
		t.Error("the reason has to be typed again")
	}
	form.Set("seen", b.seenOn("/parked/give-up"+filter))
	form.Set("reason", " ")
	b.says(b.answers(http.StatusUnprocessableEntity, "/parked/give-up", form), "Giving up needs a reason")
	b.sql(`UPDATE link SET stage = 'uncertain' WHERE parked = 'refused: late'`)
	form.Set("reason", "noise")
	b.says(b.post("/parked/give-up", form), "2 links were given up, 1 not.", "refused: late")
	form.Set("seen", b.seenOn("/parked/give-up"+filter))
	b.says(b.post("/parked/give-up", form), "None of them can be given up", "refused: late")
	b.says(b.post("/parked/retry", url.Values{"all": {"1"}}), "1 link is due now") // whatever is parked
	b.says(b.post("/parked/give-up", form), "Nothing to give up.")
}

// TestAnAlertIsGivenUpAsItWasSeen: its own forms say what they were made from, and
// where that is another by now, the question is asked again.
func TestAnAlertIsGivenUpAsItWasSeen(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.parked(1)
	at := b.walk()["GET /alerts/{alert}"]
	form := url.Values{"connector": {"desk"}, "reason": {"noise & such"}}
	for _, do := range []string{"/give-up", "/take-up", "/edit"} {
		b.says(b.answers(http.StatusPreconditionRequired, at+do, form), unsaid)
	}
	ask := at + "/give-up?connector=desk"
	form.Set("seen", b.seenOn(ask))
	b.sql(`UPDATE link SET parked = 'refused: another cause'`)
	again := b.answers(http.StatusConflict, at+"/give-up", form)
	b.says(again, "Give up sending this alert to desk?", "has changed since: it is parked: refused: another cause")
	if !strings.Contains(again, `name="reason" value="noise &amp; such"`) {
		t.Error("the reason has to be typed again")
	}
	b.sql(`UPDATE link SET parked = '', ticket = '7'`)
	b.says(b.post(at+"/give-up", form), "has changed since")
	b.sql(`UPDATE link SET parked = 'refused: no', ticket = '', delivered = 0`)
	form.Set("seen", b.seenOn(ask))
	b.says(b.post(at+"/give-up", form), "Given up")
	b.says(b.post(at+"/take-up", form), "has changed since")
	form.Set("seen", b.seenOn(at))
	b.says(b.post(at+"/take-up", form), "Taken up again")
}
