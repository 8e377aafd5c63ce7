package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// shop is a connector with comments in it, to be edited.
const shopRules = `# as agreed with the shop
severity:
  map: {critical: high} # the desk's words
`

// shopSite applies connector shop and raises three alerts for it.
func (s *site) shop(t *testing.T) {
	t.Helper()
	if err := s.apply(s.document("shop", shopRules)); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"team": "web", "site": "ams1"}
	err := s.raise("shop",
		raised{Key: "disk", Severity: "critical", Summary: "disk of db1 is full", Labels: labels},
		raised{Key: "cert", Severity: "warning", Summary: "certificate ends soon", Labels: labels},
		raised{Key: "fan", Severity: "info", Summary: "a fan stands still"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"disk", "cert", "fan"} {
		if _, err := s.alert(key, known); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDocuments edits a connector in every way there is, from forms to what the
// servers run, on one site per database.
func TestDocuments(t *testing.T) {
	t.Parallel()
	onEach(t, siteOptions{}, func(t *testing.T, s *site) {
		s.shop(t)
		for _, step := range []struct {
			name string
			run  func(*testing.T, *site)
		}{
			{"draft, check, try, apply", draftToApplied},
			{"two people", twoPeople},
			{"another version meanwhile", anotherVersion},
			{"a draft that is gone", goneDraft},
			{"remote servers", remoteServers},
			{"sources", sourcesTab},
			{"previews", previews},
			{"resolution states", resolutionStates},
			{"the text", theText},
			{"without script", withoutScript},
			{"a viewer", viewerLooks},
			{"a new connector", newConnector},
		} {
			t.Run(step.name, func(t *testing.T) { step.run(t, s) })
		}
	})
}

func draftToApplied(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.open("/connectors/shop/severity")
	p.sees("critical", "warning not mapped", "This is version 1")
	p.fill("What the remote system is told for warning", "medium")
	p.press("Save in the draft")
	p.sees("Saved in the draft, revision 1.", "The servers go on with version 1")
	p.open("/connectors/shop/draft")
	p.sees("Draft, revision 1, by "+operator.name, "Nothing is wrong with it.", "severity.map.warning")
	p.submit("Try")
	p.sees("Looked at", "all 3", "another ticket 1", "the same ticket 2", "certificate ends soon", "disk of db1 is full")
	p.press("the same ticket disk of db1")
	p.sees("subject", "disk of db1 is full", "severity")
	p.accessible()
	p.submit("another ticket 1")
	p.misses("disk of db1 is full")
	p.press("another ticket certificate")
	p.sees("warning medium", "1 to 1 of 1")
	p.submit("Show all")
	p.fill("Why, for the history", "warnings are medium")
	p.submit("Apply version 2")
	p.sees("Version 2 is the current one.", "No draft")
	// Both servers take it up, and the page says so.
	if !p.eventually(func() bool {
		p.open("/connectors/shop/draft")
		return strings.Count(p.shows(), "version 2 current") == 2
	}) {
		t.Errorf("the servers do not run version 2: %s", p.shows())
	}
	text := evaluate[string](p, `document.getElementById("text-area").value`)
	for _, part := range []string{"# as agreed with the shop\n", "{critical: high, warning: medium} # the desk's words"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in the document:\n%s", part, text)
		}
	}
}

func twoPeople(t *testing.T, s *site) {
	ann, bob := s.signIn(t, operator), s.signIn(t, admin)
	ann.open("/connectors/shop/severity")
	bob.open("/connectors/shop/severity")
	bob.fill("What the remote system is told for critical", "urgent")
	ann.fill("For every other severity", "low")
	ann.press("Save in the draft")
	ann.sees("Saved in the draft")
	bob.sees(operator.name+" saved revision", "since this page was loaded", "What you typed is still here")
	ann.misses("since this page was loaded")
	if got := evaluate[string](bob, `document.getElementById("f-severity-map-critical").value`); got != "urgent" {
		t.Errorf("what was typed is %q by now", got)
	}
	bob.press("Save in the draft")
	bob.sees("Two changes at once", "Webhook servers", operator.name+" changed the document of shop", "both can be kept", "default: low")
	bob.accessible()
	bob.press("Merge both")
	bob.sees("Saved in the draft")
	bob.open("/connectors/shop/draft")
	bob.sees("severity.map.critical", "high → urgent", "severity.default")

	// Both change the same value.
	ann.open("/connectors/shop/severity")
	bob.open("/connectors/shop/severity")
	ann.fill("For every other severity", "lowest")
	ann.press("Save in the draft")
	ann.sees("Saved in the draft")
	bob.fill("For every other severity", "none")
	bob.press("Save in the draft")
	bob.sees("Two changes at once", "Both changed 1 value", "severity.default", "lowest", "none")
	bob.press("Merge, their value where both changed")
	bob.sees("Saved in the draft")
	bob.open("/connectors/shop/severity")
	if got := evaluate[string](bob, `document.getElementById("f-severity-default").value`); got != "lowest" {
		t.Errorf("the default is %q, not theirs", got)
	}
	bob.open("/connectors/shop/draft")
	bob.submit("Discard the draft")
	bob.sees("The draft was discarded.", "No draft", "A draft was discarded by "+admin.name)
	bob.press("Take it up again")
	bob.sees("The draft is back.", "severity.default")
	bob.submit("Discard the draft")
}

func anotherVersion(t *testing.T, s *site) {
	p := s.signIn(t, admin)
	p.open("/connectors/shop/severity")
	p.fill("For every other severity", "low")
	p.press("Save in the draft")
	p.sees("Saved in the draft")
	if err := s.apply(s.document("shop", shopRules+"limits: {rate: 50}\n")); err != nil {
		t.Fatal(err)
	}
	p.open("/connectors/shop/draft")
	p.sees("came before this draft", "both can be kept", "rate: 50")
	p.accessible()
	p.submit("Merge both")
	p.sees("Saved in the draft")
	p.misses("came before this draft")
	p.submit("Apply version 4")
	p.sees("Version 4 is the current one.")
	p.open("/connectors/shop/remote")
	if got := evaluate[string](p, `document.getElementById("f-limits-rate").value`); got != "50" {
		t.Errorf("the merge lost the other version's rate: %q", got)
	}
}

// goneDraft saves on top of a draft that somebody discarded meanwhile, and rolls
// back beside a draft.
func goneDraft(t *testing.T, s *site) {
	ann, bob := s.signIn(t, operator), s.signIn(t, admin)
	ann.open("/connectors/shop/severity")
	ann.fill("For every other severity", "least")
	ann.press("Save in the draft")
	ann.sees("Saved in the draft")
	bob.open("/connectors/shop/severity")
	bob.fill("What the remote system is told for critical", "topmost")
	ann.open("/connectors/shop/draft")
	ann.submit("Discard the draft")
	ann.sees("The draft was discarded.")
	bob.sees("The draft was discarded since this page was loaded.")
	bob.press("Save in the draft")
	bob.sees("Two changes at once", "topmost", "least")
	bob.press("Keep mine")
	bob.sees("Saved in the draft")

	// The roll back makes a version; the draft stays, and is brought together with it.
	ann.open("/connectors/shop/history")
	ann.press("Roll back to version 3")
	ann.sees("Roll shop back to version 3?")
	ann.press("Roll back")
	ann.sees("Version 3 is applied again, as version 5")
	bob.sees("applied version 5 since this page was loaded")
	bob.open("/connectors/shop/draft")
	bob.sees("version 5 by "+operator.name+" came before this draft", "topmost")
	bob.submit("Keep the draft as it is")
	bob.sees("Saved in the draft")
	bob.misses("came before this draft")
	bob.submit("Discard the draft")
}

func remoteServers(t *testing.T, s *site) {
	p := s.signIn(t, admin)
	first, second := s.desk.server.URL, "http://127.0.0.1:1"
	p.open("/connectors/shop/remote")
	p.sees("Webhook servers")
	p.fill("Address of a further server", second)
	p.submit("Add")
	p.sees("Saved in the draft")
	p.submit("Test " + second)
	p.sees(second+": it cannot be reached", "nothing was written")
	p.submit("Test " + first)
	p.sees(first + ": it answers")
	p.submit("Move Up " + second)
	p.sees("Saved in the draft")
	if got := evaluate[string](p, `document.getElementById("f-remote-endpoints-0-").value`); got != second {
		t.Errorf("the first server is %q", got)
	}
	p.fill("Requests per second", "fast")
	p.submit("Save in the draft")
	p.sees("1 problem has to be mended", "Expected a number, found")
	p.accessible()
	p.fill("Requests per second", "50")
	p.submit("Save in the draft")
	p.submit("Remove " + second)
	p.open("/connectors/shop/draft")
	p.sees("Nothing is wrong with it.")
	p.misses("remote.endpoints", "limits.rate")
	p.submit("Discard the draft")
}

func sourcesTab(t *testing.T, s *site) {
	p := s.signIn(t, admin)
	p.open("/connectors/shop/sources")
	p.sees("Matches 3 of the newest 3 stored alerts", "Last alert")
	p.press("How to point the source here")
	p.sees("curl http://", s.Servers[0].URL+"/v1/sources/shop", s.Servers[1].URL+"/v1/sources/shop") // in communication order: either may have joined first
	p.fill("Expression", `severity == "critical"`)
	p.sees("Matches 1 of the newest 3 stored alerts")
	p.fill("Expression", `severity ==`)
	p.sees("This is no subscription")
	p.fill("Expression", `labels.team == "web"`)
	p.sees("Matches 2 of the newest 3", "For 1 it cannot be evaluated")
	p.submit("Make a token")
	p.sees("The new token of shop, shown this once", "Environment=SHOP_TOKEN=")
	token := evaluate[string](p, `document.querySelector(".token-once code").textContent`)
	p.accessible()
	p.open("/connectors/shop/sources")
	p.misses(token)
	if got := evaluate[string](p, `document.getElementById("f-sources-0--token").value`); got != "env:SHOP_TOKEN" || len(token) < 40 {
		t.Errorf("the document refers to %q, the token is %q", got, token)
	}
	if evaluate[bool](p, fmt.Sprintf("document.body.innerHTML.includes(%q)", token)) {
		t.Error("the token is on the page again")
	}
	p.open("/connectors/shop/draft")
	p.sees("sources.shop.token", "subscription")
	p.submit("Discard the draft")
}

func previews(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.open("/connectors/shop/fields")
	p.sees("subject", "body", "default")
	p.press("What the alert tells")
	p.fill("subject", "about {{ .Summary }}")
	p.sees("about a fan stands still", "severity info")
	p.choose("Alert", optionOf(p, "disk of db1"))
	p.sees("about disk of db1 is full", "severity critical", "labels.team web") // what was typed is still there
	if !strings.Contains(p.path(), "alert=") {
		t.Errorf("the chosen alert is not in the address %s", p.path())
	}
	p.fill("subject", "{{ .Severity | upper }}: {{ .Summary }}")
	p.sees("CRITICAL: disk of db1 is full")
	p.fill("subject", "{{ .Nonsense }}")
	p.sees("there is no .Nonsense")
	p.fill("subject", "{{ .Summary }}!")
	p.fill("A further field", "Team")
	p.fill("Template", `{{ .Labels.team | default "nobody" }}`)
	p.submit("Save in the draft")
	p.sees("Saved in the draft", "Team", "disk of db1 is full!")
	if got := evaluate[string](p, `document.getElementById("f-fields-Team-preview").textContent`); got != "web" {
		t.Errorf("Team comes to %q for the alert that was chosen", got)
	}
	p.open("/connectors/shop/draft")
	p.sees("fields.subject", "fields.Team")
	p.submit("Discard the draft")
}

// optionOf is the value of the option with that text in it.
func optionOf(p *tab, text string) string {
	p.t.Helper()
	value, err := call[string](p, `(text) => [...document.querySelectorAll("option")].find(o => o.text.includes(text))?.value || ""`, text)
	if err != nil || value == "" {
		p.t.Fatalf("no option has %q in it: %v", text, err)
	}
	return value
}

func resolutionStates(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.open("/connectors/shop/states")
	p.sees("Alert to ticket", "Ticket to alert", "Life cycle", "counted from the close")
	p.choose("What happens to a ticket that is resolved", "reopen")
	p.fill("Only within, for a ticket that is resolved", "24h")
	p.choose("What the source is told for state stalled", "acknowledged")
	p.fill("A further state of tickets", "waiting")
	p.press("Save in the draft")
	p.sees("Saved in the draft", "waiting")
	p.open("/connectors/shop/draft")
	p.sees("lifecycle.refire.resolved.action", "reopen", "24h", "states.back.stalled", "states.classes.waiting", "Nothing is wrong with it.")
	p.submit("Discard the draft")
}

func theText(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.open("/connectors/shop/draft")
	p.fill("Document", "name: [shop")
	p.submit("Save in the draft")
	p.sees("1 problem", "has to be mended")
	p.open("/connectors/shop/severity")
	p.sees("The draft is no YAML that can be read")
	p.accessible()
	p.open("/connectors/shop/draft")
	p.submit("Discard the draft")
	p.sees("No draft")
}

// withoutScript shows that a form does the same where no script runs.
func withoutScript(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	p.open("/connectors/shop/severity")
	p.fill("What the remote system is told for info", "least")
	p.keys("\r") // Enter saves, and presses no other button
	p.sees("Saved in the draft")
	p.open("/connectors/shop/draft?try=50")
	p.sees("severity.map.info", "Looked at", "another ticket")
	p.press("Apply version 6")
	p.sees("Version 6 is the current one.")
}

func viewerLooks(t *testing.T, s *site) {
	p := s.signIn(t, viewer)
	for _, path := range []string{"remote", "sources", "fields", "severity", "states", "draft"} {
		p.open("/connectors/shop/" + path)
		p.sees("Changes need the role operator.")
		if n := evaluate[int](p, `document.querySelectorAll("#content form[method=post] button:not([type=button])").length`); n > 0 {
			t.Errorf("%s has %d buttons that change something", path, n)
		}
	}
}

func newConnector(t *testing.T, s *site) {
	p := s.signIn(t, admin)
	p.open("/new-connector")
	p.accessible()
	p.fill("Name", "Not a name")
	p.submit("Begin the draft")
	p.sees("is no name")
	p.fill("Name", "fresh")
	p.choose("Kind of source", "generic")
	p.choose("Kind of remote system", "webhook")
	p.fill("Address", s.desk.server.URL)
	p.submit("Begin the draft")
	p.sees("The draft of connector fresh has begun.", "Of a new connector", "Nothing is wrong with it.")
	p.submit("Apply version 1")
	p.sees("Version 1 is the current one.")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := s.WaitActive(ctx, "fresh", nil); err != nil {
		t.Error(err)
	}
}
