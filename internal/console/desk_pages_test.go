package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/intake"
)

// raise stores open alerts of the desk's source, which connector desk takes.
func (b *bench) raise(contents ...alert.Content) {
	b.Helper()
	batch := intake.Batch{Server: "ams1", Generation: 1}
	for i, content := range contents {
		batch.Items = append(batch.Items, intake.Observed{
			Observation: alert.Observation{Source: "shop", Key: fmt.Sprint("key-", i), Status: alert.Open, Content: content},
			Route:       func(*alert.Alert) []intake.Routing { return []intake.Routing{{Connector: "desk"}} },
		})
	}
	if _, err := b.db.Accept(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}

// draft saves the desk's document with more at its end, as a draft.
func (b *bench) draft(more string) {
	b.Helper()
	b.says(b.post("/connectors/desk/draft", url.Values{"seen": {`"v1.r0"`}, "text": {desk + more}}), "Saved in the draft")
}

// TestGivingUpNeedsALink: a question about a connector that does not forward the
// alert is not asked, and an answer to it names the connector.
func TestGivingUpNeedsALink(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.parked(1)
	at := b.walk()["GET /alerts/{alert}"]
	b.says(b.get(at+"/give-up?connector=desk", http.StatusOK), "Give up sending this alert to desk?")
	b.says(b.get(at+"/give-up?connector=nope", http.StatusNotFound), `No connector "nope" forwards alert`, "The alert lists those that do")
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, b.request(http.MethodPost, at+"/give-up", url.Values{"connector": {"nope"}, "reason": {"noise"}}))
	if w.Code != http.StatusNotFound {
		t.Errorf("the form is answered %d", w.Code)
	}
	b.says(w.Body.String(), `No connector "nope" forwards alert`)
	b.says(b.post(at+"/retry", url.Values{"connector": {"nope"}}), `No connector "nope" forwards alert`)
	b.says(b.post(at+"/give-up", url.Values{"connector": {"desk"}, "reason": {"noise"}, "seen": {b.seenOn(at + "/give-up?connector=desk")}}), "Given up")
}

var alertOfTrial = regexp.MustCompile(`<summary><span class="tag [^"]*">[^<]*</span> <span class="wrap">[^<]*(alert-\d+) · [^<]*<`)

// TestDryRunSaysWhyThereIsNoTicket, be it the draft that makes none or the current
// version.
func TestDryRunSaysWhyThereIsNoTicket(t *testing.T) {
	const fails = "fields: {host: {cel: 'labels[\"host\"]'}}\n"
	b := newBench(t)
	b.connector()
	b.raise(alert.Content{Severity: "minor", Summary: "alert-1"})
	b.draft(fails)
	b.says(b.get("/connectors/desk/draft?try=50", http.StatusOK), "cannot be mapped 1", "With the draft: no ticket: fields.host: no such key: host", "Now; with the draft: none")

	b = newBench(t)
	b.connector()
	b.raise(alert.Content{Severity: "minor", Summary: "alert-1"})
	b.apply(desk + fails)
	b.says(b.post("/connectors/desk/draft", url.Values{"seen": {`"v2.r0"`}, "text": {desk}}), "Saved in the draft")
	page := b.get("/connectors/desk/draft?try=50", http.StatusOK)
	b.says(page, "a ticket where there was none 1", "With the current version: no ticket: fields.host: no such key: host", "With the draft; now: none")
	if said := text(page); strings.Contains(said, "another ticket") || strings.Contains(said, "With the draft: no ticket") {
		t.Error("the page speaks of another ticket, or of none with the draft: " + said)
	}
}

// TestDryRunShowsEveryAlert: each alert stands there with what its ticket would
// say, however many and long they are, on pages that stay light.
func TestDryRunShowsEveryAlert(t *testing.T) {
	b := newBench(t)
	b.connector()
	var contents []alert.Content
	for i := range 200 {
		content := alert.Content{Severity: "minor", Summary: fmt.Sprint("alert-", i), Labels: map[string]string{"team": "web"}}
		switch {
		case i%50 == 0:
			content.Severity = "major"
		case i%50 == 1:
			content.Labels = nil
		case i%50 == 2:
			content.Description = strings.Repeat("<long & winding> ", 2000)
		}
		contents = append(contents, content)
	}
	b.raise(contents...)
	b.draft("severity: {map: {major: high}}\nsubscription: has(labels.team)\n")
	path, seen := "/connectors/desk/draft?try=200", map[string]bool{}
	for pages := 0; path != ""; pages++ {
		page := b.get(path, http.StatusOK)
		if pages == 0 {
			b.says(page, "all 200", "no longer matches 4", "another ticket 4", "the same ticket 192", "Matched now", "major high")
		}
		weight := len(page)
		for _, part := range strings.Split(page, `"`) {
			if strings.HasPrefix(part, "/assets/") {
				weight += len(b.get(part, http.StatusOK))
			}
		}
		if weight > heaviest {
			t.Errorf("%s weighs %d bytes with its assets", path, weight)
		}
		for _, found := range alertOfTrial.FindAllStringSubmatch(page, -1) {
			if seen[found[1]] {
				t.Errorf("%s shows %s again", path, found[1])
			}
			seen[found[1]] = true
		}
		path = between(page, `href="`, `" rel="next"`)
		if pages > 100 {
			t.Fatal("the pages do not end")
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d alerts of 200 were shown", len(seen))
	}
	page := b.get("/connectors/desk/draft?try=200&show=changes", http.StatusOK)
	if got := alertOfTrial.FindAllStringSubmatch(page, -1); len(got) != 4 {
		t.Errorf("%d alerts get another ticket, not 4", len(got))
	}
	b.says(b.get("/connectors/desk/draft?try=200&show=ends", http.StatusOK), "1 to 4 of 4", "Now; with the draft: none")
}

// between is the address that stands before a text, without its fragment; "" =
// there is none.
func between(text, before, after string) string {
	end := strings.Index(text, after)
	if end < 0 {
		return ""
	}
	start := strings.LastIndex(text[:end], before)
	if start < 0 {
		return ""
	}
	address, _, _ := strings.Cut(strings.ReplaceAll(text[start+len(before):end], "&amp;", "&"), "#")
	return address
}

// TestATrialInFull: what a page of a dry run cuts, the alert's own has.
func TestATrialInFull(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.raise(alert.Content{Summary: "alert-0", Description: strings.Repeat("long ", 1000) + "the very end"})
	b.draft("subscription: source == 'shop'\n")
	list := b.get("/connectors/desk/draft?try=50", http.StatusOK)
	b.says(list, "Long texts are cut.", "the same ticket")
	if strings.Contains(list, "the very end") {
		t.Error("the list is not cut")
	}
	path := between(list, `href="`, `">Show this one in full`)
	b.says(b.get(path, http.StatusOK), "the very end", "Show all")
	b.says(b.get("/connectors/desk/draft?try=50&alert=none", http.StatusOK), "That alert is not among them.")
}

// TestAnEmptyDeskSaysWhatIsTrue: that nothing is parked does not mean that
// everything has arrived.
func TestAnEmptyDeskSaysWhatIsTrue(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.says(b.get("/parked", http.StatusOK), "Nothing is parked", "No link is due or being sent either.")
	b.raise(alert.Content{Summary: "one"}, alert.Content{Summary: "two"})
	page := b.get("/parked", http.StatusOK)
	b.says(page, "Nothing is parked now", "2 links are due or being sent.")
	if strings.Contains(text(page), "took what") {
		t.Error("the desk says that everything was taken")
	}
	b.says(b.get("/parked?connector=other", http.StatusOK), "Nothing that fits is parked", "No link is due or being sent either.")
	b.sql(`UPDATE link SET parked = 'refused: no', due_at = NULL`)
	b.says(b.get("/parked", http.StatusOK), "refused: no", "What a retry sends", "subject", "made from revision 1, by version 1 of the document")
	b.sql(`INSERT INTO timeline (alert_id, connector, at, server, epoch, kind, text, endpoint, took, revision, ticket)
		SELECT id, 'desk', 1, 'ams1', 1, 'tried', 'subject: as it was', 'http://desk', 0, 1, '' FROM alert`)
	b.apply(desk + "description: another version\n")
	page = b.get("/parked", http.StatusOK)
	b.says(page, "What was sent", "subject: as it was", "of revision 1,", "by ams1, to http://desk", "a retry is made anew from revision 1, by version 2 of the document")
	if strings.Contains(text(page), "What a retry sends") {
		t.Errorf("the desk says of what was sent that a retry sends it:\n%s", text(page))
	}
	b.says(b.get(between(page, `<a href="`, `">one<`), http.StatusOK), "tried", "What was sent", "subject: as it was")
	if page := b.get("/parked?fragment=parked-list", http.StatusOK); !strings.HasPrefix(page, `<div id="parked-list" data-live`) {
		t.Errorf("the list alone is\n%s", page)
	}
}

// TestADefaultMaps: a severity that the default takes is mapped, one that is
// passed on as it is is not, and both tables say so.
func TestADefaultMaps(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.raise(alert.Content{Severity: "major"}, alert.Content{Severity: "minor"})
	b.says(b.get("/connectors/desk/severity", http.StatusOK), "major not mapped", "minor not mapped", "minor not mapped, passed on as it is minor")
	b.apply(desk + "severity: {map: {minor: low}, default: other}\n")
	page := b.get("/connectors/desk/severity", http.StatusOK)
	b.says(page, "major default", "other major", "low minor")
	if strings.Contains(text(page), "not mapped") {
		t.Errorf("a severity counts as not mapped:\n%s", text(page))
	}
	b.apply(desk + "states: {open: Neu, closed: closed}\n")
	b.says(b.get("/connectors/desk/states", http.StatusOK), "Neu not mapped, counts as open set for an alert that is open", "closed ended set for an alert that is closed")
}

// TestProblemsStandAtTheirFields: a form tells no line of a text that nobody sees;
// beside the text, the line is told.
func TestProblemsStandAtTheirFields(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.draft("limits:\n  rate: fast\n")
	page := b.get("/connectors/desk/remote", http.StatusOK)
	b.says(page, "Expected a number")
	if regexp.MustCompile(`(?i)\bline \d`).MatchString(text(page)) {
		t.Errorf("a line is told:\n%s", text(page))
	}
	b.says(b.get("/connectors/desk/draft", http.StatusOK), "limits.rate : expected a number", "(line 6 of the text)")
	// What is no YAML cannot be saved, and stands there as it was typed.
	for path, form := range map[string]url.Values{
		"remote": {"y:remote.settings": {"directory: [half"}, "v:limits.rate": {"77"}}, "sources": {"y:sources[0].settings": {"a: [half"}, "v:subscription": {"77"}},
		"remote/test": {"y:remote.settings": {"directory: [half"}, "v:limits.rate": {"77"}},
	} {
		form.Set("seen", `"v1.r1"`)
		page := b.post("/connectors/desk/"+path, form)
		b.says(page, "Nothing was saved: the text cannot be put into the document.", ".settings: it is not valid YAML", "It is not valid YAML.", "[half")
		if !strings.Contains(page, "77") || !strings.Contains(page, `name="seen" value="&#34;v1.r1&#34;"`) {
			t.Error("the form forgets what was typed, or what it was made from")
		}
	}
}

// TestTabsTellWhatMoved: a page asks whether the document is still what it was
// made from.
func TestTabsTellWhatMoved(t *testing.T) {
	b := newBench(t)
	b.connector()
	for _, tab := range []string{"remote", "sources", "fields", "severity", "states", "draft"} {
		if page := b.get("/connectors/desk/"+tab, http.StatusOK); !strings.Contains(page, `data-live="?fragment=moved&amp;seen=&#34;v1.r0&#34;" data-topic="documents"`) {
			t.Errorf("%s does not ask", tab)
		}
	}
	ask := func(tab string) string {
		return b.get("/connectors/desk/"+tab+"?fragment=moved&seen="+url.QueryEscape(`"v1.r0"`), http.StatusOK)
	}
	if part := ask("fields"); strings.Contains(part, "notice") {
		t.Errorf("nothing has moved, and the part is\n%s", part)
	}
	b.draft("description: mine\n")
	for _, tab := range []string{"remote", "draft"} {
		b.says(ask(tab), "ann saved revision 1 of the draft since this page was loaded.")
	}
	b.says(b.post("/connectors/desk/draft/apply", url.Values{"seen": {`"v1.r1"`}}), "Version 2 is the current one")
	b.says(ask("states"), "ann applied version 2 since this page was loaded.")
	b.says(b.post("/connectors/desk/draft", url.Values{"seen": {`"v2.r0"`}, "text": {desk + "description: mine again\n"}}), "Saved in the draft")
	b.apply(desk + "description: past the draft\n")
	b.says(b.get("/connectors/desk/draft?fragment=moved&seen="+url.QueryEscape(`"v2.r3"`), http.StatusOK), "ann applied version 3 since")
}

// TestAConflictNamesTheRemote: the tabs of the page of a conflict are the
// connector's.
func TestAConflictNamesTheRemote(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.draft("description: mine\n")
	page := b.post("/connectors/desk/draft", url.Values{"seen": {`"v1.r0"`}, "text": {desk + "description: other\n"}})
	b.says(page, "Two changes at once", "Files servers", "description", "mine", "other")
	if !strings.Contains(page, "<title>Two changes at once") {
		t.Error("the title does not say what the page is")
	}
}

// TestAListOfAlertsIsLive: it keeps itself up to date, as it is filtered.
func TestAListOfAlertsIsLive(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.raise(alert.Content{Summary: "one"}, alert.Content{Summary: "two"})
	for _, path := range []string{"/alerts?severity=", "/connectors/desk/alerts?status=open", "/alerts?q=one"} {
		page := b.get(path, http.StatusOK)
		if !strings.Contains(page, `<div id="alert-list" data-live="?fragment=alert-list" data-topic="alerts">`) || !strings.Contains(page, "assets/live.") {
			t.Errorf("%s is not live", path)
		}
		if part := b.get(path+"&fragment=alert-list", http.StatusOK); !strings.HasPrefix(part, `<div id="alert-list"`) {
			t.Errorf("the list of %s alone is\n%s", path, part)
		}
	}
	b.says(b.get("/alerts?q=labels", http.StatusOK), "No alert fits")
	b.says(b.get("/alerts?q=one&before=1.00000000-0000-0000-0000-000000000000", http.StatusOK), "Nothing further back fits", "The newest that fit")
}
