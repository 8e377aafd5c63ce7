package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tieline/internal/access"
)

func TestOverviewSaysWhatNeedsAPerson(t *testing.T) {
	b := newBench(t)
	b.says(b.get("/", http.StatusOK), "There is no connector yet", "tieline connector apply", "No server has joined")
	b.connector()
	b.says(b.get("/", http.StatusOK), "Nothing: every connector has an Active", "desk", "ams1", "fra1 Passive", "On", "http://lon1")
	b.active("")
	b.says(b.get("/", http.StatusOK), "Needs a person 1", "Nobody is Active since", "Alerts are stored and not forwarded", "nobody")
	b.says(b.get("/?q=none", http.StatusOK), "No connector fits")
}

func TestAvailabilitySaysTheState(t *testing.T) {
	b := newBench(t)
	b.connector()
	page := b.get("/connectors/desk", http.StatusOK)
	b.says(page, "ams1 is Active since", "(epoch 1)", "fra1 would take over next", "within 90 s of silence", "A silent server counts as Offline after 90 s",
		"6 a minute from the 3 servers here", "High availability", "Files servers", "would take over next")
	b.active("")
	b.says(b.get("/connectors/desk", http.StatusOK), "Nobody is Active")
	b.says(b.get("/connectors/none", http.StatusNotFound), "There is no connector \"none\"")
	b.role = access.Viewer
	if seen := b.get("/connectors/desk", http.StatusOK); strings.Contains(seen, "Move Up") || strings.Contains(seen, "Review the change") {
		t.Error("a viewer is offered buttons of an operator")
	}
}

// TestAllAreDead shows the last Active as Active until its lease has run out, and
// says that it is dead; then that nobody is, and since when.
func TestAllAreDead(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.sql(`UPDATE availability_event SET at = at - 7200000000`)
	b.sql(`UPDATE server SET presence = 'nobody-holds-' || name, heartbeat_at = heartbeat_at - 20000000`)
	wants := []string{"ams1 counts as Active until its lease has run out", "is known dead : last heard", "No other server can take over. No server of the management group is on, so nobody takes alerts in: sources get no answer and must repeat them. Start one of its servers"}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(text(b.get("/connectors/desk", http.StatusOK)), wants[0]) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	b.says(b.get("/connectors/desk", http.StatusOK), append(wants, "ams1 Active known dead", "ams1's process died")...)
	_, row, _ := strings.Cut(b.get("/connectors/desk", http.StatusOK), `data-key="row-ams1"`)
	row, _, _ = strings.Cut(row, "</tr>")
	b.says(row, "known dead", "yes, when last heard") // nobody knows whether it would now
	b.says(b.get("/", http.StatusOK), "ams1 is known dead, last heard", "no other server can take over. No server of the management group is on, so nobody takes alerts in", "ams1 counts as Active until its lease has run out,", "known dead last heard")
	b.says(b.post("/servers/refresh", nil), "No server is on, so nobody takes alerts in")
	if page := text(b.get("/", http.StatusOK)); strings.Contains(page, "stored") || strings.Contains(page, "every connector has an Active") || strings.Contains(page, "If ams1 fails") {
		t.Error("the overview says that all is well: " + page)
	}
	b.sql(`UPDATE server SET heartbeat_at = heartbeat_at - 3600000000`)
	b.says(b.get("/connectors/desk", http.StatusOK), "Nobody is Active : ams1 was last heard", "1 h ago", "nobody takes alerts in")
	b.says(b.get("/", http.StatusOK), "Nobody is Active. ams1 was, and was last heard", "nobody ams1 was, last heard 1 h ago")
}

// TestTheDeadOneComesBackItself shows the time without an Active when the server
// that died is the one that goes on.
func TestTheDeadOneComesBackItself(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.sql(`UPDATE availability_event SET at = at - 600000000 WHERE reason = 'first start'`)
	b.sql(`INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who) SELECT connector, epoch, since - 150000000, 'ams1', '', 'last heard', '' FROM lease`)
	b.sql(`INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who) SELECT connector, epoch + 1, since, 'ams1', 'ams1', 'own restart', '' FROM lease`)
	b.sql(`UPDATE lease SET epoch = epoch + 1`)
	for _, path := range []string{"/connectors/desk?window=1h", "/connectors/desk/history?window=1h"} {
		page := b.get(path, http.StatusOK)
		b.says(page, "nobody was Active once, unplanned; 2 min in all", "ams1 restarted", "or up to 30 s later", "after its last heartbeat: it may have been Active still")
		if strings.Contains(text(page), "500 ms") || !strings.Contains(page, `class="unknown"`) {
			t.Errorf("%s draws\n%s", path, page)
		}
	}
	if log := text(b.get("/history", http.StatusOK)); strings.Contains(log, "last heard") {
		t.Error("the log has what only the drawing needs: " + log)
	}
}

// seenOn is what the first form of a page that says so was made from.
func (b *bench) seenOn(path string) string {
	b.Helper()
	_, rest, ok := strings.Cut(b.get(path, http.StatusOK), `name="seen" value="`)
	if !ok {
		b.Fatalf("no form of %s says what it was made from", path)
	}
	seen, _, _ := strings.Cut(rest, `"`)
	return seen
}

// unsaid is what a form is told that does not say what it was made from.
const unsaid = "The form does not say what it was made from. Load the page again and repeat the change."

func TestMoveSaysBeforeAndAfter(t *testing.T) {
	b := newBench(t)
	b.connector()
	move := func(server string, by ...string) string {
		return b.post("/connectors/desk/order", url.Values{"server": {server}, "by": by, "seen": {b.seenOn("/connectors/desk")}})
	}
	first := b.seenOn("/connectors/desk")
	b.says(b.post("/connectors/desk/order", url.Values{"server": {"fra1"}, "by": {"-1"}}), unsaid)
	b.says(move("fra1", "-1"),
		"The order was ams1, fra1, lon1; it is fra1, ams1, lon1 now", "fra1 is number 1 of 3. Nothing switches over: failback is manual, and ams1 stays Active.")
	b.says(b.post("/connectors/desk/order", url.Values{"server": {"lon1"}, "by": {"-1"}, "seen": {first}}), "was changed in between: it is fra1, ams1, lon1 now")
	b.says(move("lon1", "-2"), "The order was fra1, ams1, lon1; it is lon1, fra1, ams1 now")
	b.says(move("lon1", "-1"), "Server lon1 is the first")
	b.says(move("rom1", "1"), "Connector desk has no server rom1")
	for _, by := range [][]string{nil, {"up"}} {
		b.says(move("lon1", by...), "The form does not say how far to move")
	}
}

func TestMakeActiveSaysWhatWillHappen(t *testing.T) {
	b := newBench(t)
	b.connector()
	const ask = "/connectors/desk/make-active?server=fra1"
	b.says(b.get(ask, http.StatusOK), "Make fra1 Active for desk?", "ams1 claims nothing more", "under epoch 2", "Cancel")
	makes := func(server string) string {
		return b.post("/connectors/desk/make-active", url.Values{"server": {server}, "seen": {b.seenOn(ask)}})
	}
	b.says(makes("ams1"), "Server ams1 is Active for desk already")
	b.sql(`UPDATE server SET boot = '' WHERE name = 'lon1'`)
	b.says(makes("lon1"), "is Offline and cannot become Active")
	b.says(b.post("/connectors/desk/make-active", url.Values{"server": {"fra1"}}), unsaid)
	b.says(makes("fra1"), "fra1 is asked to be Active", "draining", "Asked to hand over to fra1")
}

func TestSettingsAreReviewedThenApplied(t *testing.T) {
	b := newBench(t)
	b.connector()
	form := url.Values{"base": {"1"}, "polling": {"10"}, "tolerance": {"4"}, "failback": {"automatic"}}
	b.says(b.post("/connectors/desk", form), "Apply version 2 to desk?", "A silent server will count as Offline after 40 s", "high_availability.polling_interval", "10s", "18 a minute")
	form.Set("step", "apply")
	b.says(b.post("/connectors/desk", form), "Version 2 is applied", "Offline after 40 s", "of 2")
	b.says(b.post("/connectors/desk", form), "version 2 by now, not version 1") // what was typed stands there still
	form.Set("base", "2")
	b.says(b.post("/connectors/desk", form), "Nothing to change")
	bad := b.post("/connectors/desk", url.Values{"base": {"2"}, "polling": {"0.1"}, "tolerance": {"1"}, "failback": {"no"}})
	b.says(bad, "Write seconds, from 1 to 3,600.", "Write a whole number from 2 to 100", "Choose one of the two.")
	if !strings.Contains(bad, `value="0.1"`) || strings.Count(bad, `aria-invalid="true"`) != 2 {
		t.Error("what was typed is lost, or not marked")
	}
	if !strings.Contains(bad, `min="1" max="3600"`) || !strings.Contains(bad, `min="2" max="100"`) {
		t.Error("the fields do not say the range that the document takes")
	}
	b.says(b.get("/connectors/desk/history", http.StatusOK), "Document version 2 was applied", "high_availability.failback", "ann", "Roll back")
}

// TestPollingIntervalOutOfRange refuses by one sentence whatever the document would
// not take, also what ParseFloat takes for a number.
func TestPollingIntervalOutOfRange(t *testing.T) {
	b := newBench(t)
	b.connector()
	form := url.Values{"base": {"1"}, "tolerance": {"3"}, "failback": {"manual"}}
	for _, polling := range []string{"NaN", "Inf", "-Inf", "1e300", "", "ten", "0.999", "3600.5", "7200", "86400"} {
		form.Set("polling", polling)
		for _, step := range []string{"", "apply"} {
			form.Set("step", step)
			b.says(b.post("/connectors/desk", form), "Write seconds, from 1 to 3,600.")
		}
	}
	form.Set("step", "")
	for _, polling := range []string{"1", "3600"} {
		form.Set("polling", polling)
		b.says(b.post("/connectors/desk", form), "Apply version 2 to desk?")
	}
	form.Set("polling", "30")
	form.Set("tolerance", "101")
	b.says(b.post("/connectors/desk", form), "Write a whole number from 2 to 100")
}

func TestRollBack(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.apply(desk + "description: second\n")
	b.says(b.get("/connectors/desk/history/roll-back?to=1", http.StatusOK), "Roll desk back to version 1?", "description", "second")
	b.says(b.get("/connectors/desk/history/roll-back?to=1", http.StatusOK), "applied by ann")
	b.says(b.post("/connectors/desk/history/roll-back", url.Values{"to": {"9"}, "current": {"2"}}), "has no")
	b.says(b.post("/connectors/desk/history/roll-back", url.Values{"to": {"1"}, "current": {"2"}}), "Version 1 is applied again, as version 3")
}

func TestServersAreRemovedAfterAQuestion(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.says(b.get("/servers", http.StatusOK), "Active for desk", "Passive for desk", "Remove lon1")
	b.says(b.get("/", http.StatusOK), "Active for desk", "Passive for desk", "What these words mean")
	b.says(b.get("/servers/lon1/remove", http.StatusOK), "Remove lon1 from management group", "Cancel")
	b.says(b.post("/servers/lon1/remove", nil), "lon1 was removed")
	b.says(b.post("/servers/ams1/remove", nil), "Server ams1 is Active for desk; the switchover has been asked for")
	b.says(b.get("/servers/lon1/remove", http.StatusNotFound), "has no server lon1")
	b.says(b.get("/history", http.StatusOK), "lon1 left the communication order", "ann")
}

func TestDatabaseAway(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.get("/", http.StatusOK)
	b.breakable.away.Store(true)
	for _, path := range []string{"/", "/connectors/desk", "/servers", "/history", "/connectors/desk/history"} {
		page := b.get(path, http.StatusServiceUnavailable)
		b.says(page, "The database does not answer", "the database db.example does not answer", "tieline db check", "Last known state", "ams1 Active", "loads again by itself every 5 seconds")
		if strings.Contains(page, "goroutine") {
			t.Errorf("%s shows a stack", path)
		}
		w := httptest.NewRecorder()
		b.mux.ServeHTTP(w, b.request(http.MethodGet, path, nil))
		if w.Header().Get("Refresh") != "5" {
			t.Errorf("%s does not load again by itself", path)
		}
	}
	b.says(b.post("/connectors/desk/order", url.Values{"server": {"fra1"}, "by": {"-1"}, "seen": {"as it was"}}), "What you sent was not done")
	b.breakable.away.Store(false)
	b.get("/", http.StatusOK)
}

// events reads a page's live stream.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (b *bench) watch(t *testing.T, page string) *events {
	t.Helper()
	return b.stream(t, "page="+url.QueryEscape(page))
}

func (b *bench) stream(t *testing.T, query string) *events {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mux.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Principal{Name: "ann", Role: b.role})))
	})
	server := httptest.NewServer(handler)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/live?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); answer.Body.Close(); server.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream of %s answers %s", query, answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &events{t, lines}
}

type event struct {
	Now    int64
	Away   string
	Panels map[string]string
	Topics []string
}

// until reads events until one fits.
func (e *events) until(what string, fits func(event) bool) event {
	e.t.Helper()
	for e.lines.Scan() {
		data, ok := strings.CutPrefix(e.lines.Text(), "data: ")
		if !ok {
			continue
		}
		var got event
		if err := json.Unmarshal([]byte(data), &got); err != nil {
			e.t.Fatal(err)
		}
		if fits(got) {
			return got
		}
	}
	e.t.Fatalf("the stream ended before %s: %v", what, e.lines.Err())
	return event{}
}

func TestLivePanelsComeWhenTheyChange(t *testing.T) {
	b := newBench(t)
	b.connector()
	live := b.watch(t, "/connectors/desk?window=1h")
	first := live.until("all panels", func(e event) bool { return len(e.Panels) == 3 })
	b.says(first.Panels["status"], "ams1 is Active")
	if first.Now < time.Now().Add(-time.Hour).UnixMilli() {
		t.Errorf("the clock is %d", first.Now)
	}
	// Nothing but the clock goes over the line while nothing changes.
	live.until("a tick", func(e event) bool { return len(e.Panels) == 0 })
	b.active("fra1")
	changed := live.until("the new Active", func(e event) bool { return strings.Contains(e.Panels["status"], "fra1") })
	b.says(changed.Panels["status"], "fra1 is Active since", "(epoch 2)")
	b.says(changed.Panels["order"], "Active")
	b.breakable.away.Store(true)
	live.until("that the database is away", func(e event) bool { return strings.Contains(e.Away, "does not answer") })
	b.breakable.away.Store(false)
	live.until("that it is back", func(e event) bool { return e.Away == "" })
}

func TestEveryLivePageHasAStream(t *testing.T) {
	b := newBench(t)
	b.connector()
	for _, path := range []string{"/", "/servers", "/connectors/desk", "/connectors/desk/history"} {
		page := b.get(path, http.StatusOK)
		live := b.watch(t, path)
		for id, html := range live.until("panels", func(e event) bool { return len(e.Panels) > 0 }).Panels {
			if !strings.Contains(page, `id="`+id+`" data-live`) || !strings.Contains(html, `id="`+id+`" data-live`) {
				t.Errorf("%s has no panel %s", path, id)
			}
		}
	}
	b.get("/live?page=/settings/nothing", http.StatusNotFound)
}

func TestListsAreToldThatTheirTopicChanged(t *testing.T) {
	b := newBench(t)
	b.connector()
	// The page has no panels of its own: all it wants is to be told.
	live := b.stream(t, "page=/settings/nothing&since="+strconv.FormatInt(time.Now().UnixMilli(), 10))
	live.until("a tick", func(e event) bool { return true })
	b.apply(desk + "description: second\n")
	live.until("the new document", func(e event) bool { return slices.Contains(e.Topics, "documents") })
	b.active("fra1")
	told := live.until("the new Active", func(e event) bool { return slices.Contains(e.Topics, "changes") })
	if slices.Contains(told.Topics, "documents") || len(told.Panels) != 0 {
		t.Errorf("told again: %+v", told)
	}
	b.many(2, 100)
	live.until("the new links", func(e event) bool { return slices.Contains(e.Topics, "alerts") })
	// A page that was made before it all is told of it all at once.
	late := b.stream(t, "page=/settings/nothing&since="+strconv.FormatInt(time.Now().Add(-time.Hour).UnixMilli(), 10))
	if first := late.until("an event", func(event) bool { return true }); !slices.Equal(first.Topics, []string{"alerts", "changes", "documents"}) {
		t.Errorf("told %v", first.Topics)
	}
}

func TestAFragmentIsOnePartOfItsPage(t *testing.T) {
	b := newBench(t)
	b.connector()
	part := b.get("/?fragment=attention", http.StatusOK)
	if !strings.HasPrefix(part, `<section class="panel" id="attention"`) || strings.Contains(part, "<html") || strings.Contains(part, `id="connectors"`) {
		t.Errorf("the part is\n%s", part)
	}
	for _, name := range []string{"none", "layout", "content", "bar", "csrf"} {
		b.get("/?fragment="+name, http.StatusNotFound)
	}
	// What was done is told on the page, not to a script that comes first.
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, b.request(http.MethodPost, "/connectors/desk/order", url.Values{"server": {"fra1"}, "by": {"-1"}, "seen": {"as it was"}}))
	r := b.request(http.MethodGet, "/?fragment=attention", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	answer := httptest.NewRecorder()
	b.mux.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK || len(answer.Result().Cookies()) != 0 {
		t.Errorf("the part took the notice: %d, %v", answer.Code, answer.Result().Cookies())
	}
}

func TestAssetsAreKeptForEver(t *testing.T) {
	b := newBench(t)
	page := b.get("/", http.StatusOK)
	found := 0
	for _, part := range strings.Split(page, `"`) {
		if !strings.HasPrefix(part, "/assets/") {
			continue
		}
		found++
		w := httptest.NewRecorder()
		b.mux.ServeHTTP(w, b.request(http.MethodGet, part, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %s", part, w.Code, w.Header().Get("Cache-Control"))
		}
		if sent := w.Body.String(); strings.HasPrefix(sent, "//") || strings.Contains(sent, "\n//") || strings.Contains(sent, "/*") || len(sent) < 50 {
			t.Errorf("%s is sent with its comments, or without what they tell of:\n%s", part, sent)
		}
	}
	if found < 5 {
		t.Errorf("the page names %d assets", found)
	}
	b.get("/assets/none.css", http.StatusNotFound)
}
