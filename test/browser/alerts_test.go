package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// deskSite is a site whose connector "desk" works and whose desk refuses
// tickets about quotas.
func deskSite(t *testing.T, s *site, alerts ...raised) map[string]string {
	t.Helper()
	s.desk.refuse("quota", http.StatusForbidden, "no permission in queue Alerts")
	if err := s.apply(s.document("desk", "")); err != nil {
		t.Fatal(err)
	}
	if err := s.raise("desk", alerts...); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, a := range alerts {
		rest := delivered
		if strings.Contains(a.Summary, "quota") {
			rest = parked
		}
		found, err := s.alert(a.Key, rest)
		if err != nil {
			t.Fatal(err)
		}
		ids[a.Key] = found.ID
	}
	return ids
}

var (
	quotaHome = raised{Key: "quota-home", Severity: "warning", Summary: "quota of /home is used up", Labels: map[string]string{"team": "storage"}}
	quotaVar  = raised{Key: "quota-var", Severity: "critical", Summary: "quota of /var is used up"}
	diskFull  = raised{Key: "disk-db3", Severity: "critical", Summary: "/var on db3 is 96 % full"}
)

var one = siteOptions{servers: []string{"ams1"}}

// TestRefusedAlert follows an alert that the remote refuses: found, explained,
// edited, delivered, with a page that was open all the while.
func TestRefusedAlert(t *testing.T) {
	t.Parallel()
	onEach(t, one, func(t *testing.T, s *site) {
		ids := deskSite(t, s, quotaHome, diskFull)
		p := s.signIn(t, operator)
		p.open("/parked")
		p.sees("quota of /home is used up", "403", "no permission in queue Alerts")
		p.misses("/var on db3")
		p.submit("quota of /home is used up")
		p.sees("No ticket yet: refused", "no permission in queue Alerts", "accepted", "by ams1", "Retry now")
		watching := s.signIn(t, viewer)
		watching.open("/alerts/" + ids["quota-home"])
		watching.sees("No ticket yet: refused")
		watching.misses("Retry now", "Give up")
		p.press("Retry now")
		p.sees("Due now", "retried", "by "+operator.name)
		p.submit("Edit")
		p.fill("Summary", "space of /home is used up")
		p.submit("Save and send")
		p.sees("Revision 2 is sent in turn", "Ticket 2 shows what the alert says", "edited", "The source said quota of /home is used up")
		watching.sees("Ticket 2 shows what the alert says", "edited")
		if tickets := s.desk.Tickets(); len(tickets) != 2 || tickets[1].Subject != "space of /home is used up" {
			t.Errorf("the desk has %+v", tickets)
		}
		if err := s.raise("desk", quotaHome); err != nil {
			t.Fatal(err)
		}
		p.open("/alerts/" + ids["quota-home"])
		p.sees("Ticket 2 shows what the alert says", "2 times")
		p.misses("revision 3")
	})
}

// TestSearchByParts finds an alert by a part of its ticket's id and of its own.
func TestSearchByParts(t *testing.T) {
	t.Parallel()
	onGallery(t, func(t *testing.T, g *gallery) {
		p := g.signIn(t, viewer)
		id := g.ids["lab-fan"]
		for _, q := range []string{id[24:], id[:30], "LAB-fan", "still"} {
			p.open("/alerts?q=" + q)
			p.sees("a fan in the lab stands still")
			p.misses("/var on db3")
		}
		for _, q := range []string{"labels", "annotations", "%25%25", "_"} {
			p.open("/alerts?q=" + q)
			p.sees("No alert fits")
		}
	})
}

// TestGiveUpInADialog asks in a dialog, whose safe choice has the focus.
func TestGiveUpInADialog(t *testing.T) {
	t.Parallel()
	onEach(t, one, func(t *testing.T, s *site) {
		ids := deskSite(t, s, quotaHome)
		p := s.signIn(t, operator)
		p.open("/alerts/" + ids["quota-home"])
		p.press("Give up for desk")
		p.sees("Give up sending this alert to desk?")
		if focus := p.focused(); focus != "Cancel" {
			t.Errorf("%q has the focus, not the safe choice", focus)
		}
		p.keys(kb.Escape)
		if !p.eventually(func() bool { return !strings.Contains(p.shows(), "Give up sending") }) {
			t.Error("Escape does not close the dialog")
		}
		p.press("Give up for desk")
		p.fill("Reason", "noise")
		p.submit("Give up")
		p.sees("Given up", "No ticket: given up by otto: noise")
		evaluate[bool](p, `(document.querySelector("form[action$=take-up] input[name=seen]").remove(), true)`)
		p.press("Take up again for desk")
		p.sees("The form does not say what it was made from. Load the page again and repeat the change.")
		if p.path() != "/alerts/"+ids["quota-home"] {
			t.Errorf("a form that was refused leads to %s", p.path())
		}
	})
}

// TestFindAlerts filters by the address, searches by text, ticket and id, and
// goes by keyboard.
func TestFindAlerts(t *testing.T) {
	t.Parallel()
	onGallery(t, func(t *testing.T, g *gallery) {
		p := g.signIn(t, viewer)
		p.open("/alerts?parked=1")
		p.sees("quota of /home is used up", "the certificate of shop.example")
		p.misses("/var on db3", "mail queue")
		p.open("/alerts?status=closed")
		p.sees("the mail queue of mx2 grows")
		p.misses("quota of /home")
		p.open("/alerts")
		p.focus("Text of the alert")
		p.keys("stands")
		p.leave(func() { p.keys(kb.Enter) })
		p.sees("a fan in the lab stands still", "nobody forwards it")
		p.misses("/var on db3")
		if !strings.Contains(p.path(), "q=stands") {
			t.Errorf("the filter is not in the address %s", p.path())
		}
		p.open("/alerts/" + g.ids["disk-db3"][:30])
		p.sees("/var on db3 is 96 % full", "It grows by 2 % an hour.")
		if p.path() != "/alerts/"+g.ids["disk-db3"] {
			t.Errorf("the beginning of an id leads to %s", p.path())
		}
		p.open("/connectors/mirror/alerts")
		p.sees("No alert yet", "mirror has forwarded none")
		p.open("/alerts/" + g.ids["lab-fan"])
		p.sees("No connector forwards it", `Its subscription does not match: labels.team != "lab"`, "1 connector takes nothing from desk")
		p.open("/alerts/" + g.ids["backup-night"])
		p.sees("No ticket yet", "answered 423 Locked: the queue is locked by its owner.", "Next try", "tries failed")
		p.open("/alerts/" + g.ids["cert-shop"])
		p.sees("No ticket yet: refused: create a ticket: ", "answered 413 Request Entity Too Large. ")
		p.misses("nginx")
		p.press("What a retry sends, and what came back of desk")
		p.sees("What came back refused: create a ticket: ", "answered 413 Request Entity Too Large: <html> <head><title>413")
		if status := p.open("/alerts/" + strings.Repeat("0", 8)); status != http.StatusNotFound {
			t.Errorf("no such alert: %d", status)
		}
	})
}

// TestAlertsByAPI does over the API what the pages do.
func TestAlertsByAPI(t *testing.T) {
	t.Parallel()
	onEach(t, one, func(t *testing.T, s *site) {
		ids := deskSite(t, s, quotaHome, diskFull)
		api := s.token(t, operator)
		var list struct {
			Items []struct{ ID, Key string }
			Next  string
		}
		api.get("/alerts?limit=1", http.StatusOK, &list)
		if len(list.Items) != 1 || list.Next == "" {
			t.Fatalf("the first page: %+v", list)
		}
		first := list.Items[0].ID
		api.get("/alerts?limit=1&cursor="+list.Next, http.StatusOK, &list)
		if len(list.Items) != 1 || list.Items[0].ID == first {
			t.Errorf("the second page: %+v", list)
		}
		var shown struct {
			Answers []struct{ Standing, Headline string }
		}
		api.get("/alerts/"+ids["quota-home"], http.StatusOK, &shown)
		if len(shown.Answers) != 1 || shown.Answers[0].Standing != "parked" || !strings.Contains(shown.Answers[0].Headline, "No ticket yet") {
			t.Errorf("explained: %+v", shown)
		}
		edit := map[string]any{"fields": map[string]string{"summary": "space of /home is used up"}}
		api.send(http.MethodPatch, "/alerts/"+ids["quota-home"], "", edit, http.StatusPreconditionRequired)
		api.send(http.MethodPatch, "/alerts/"+ids["quota-home"], `"7"`, edit, http.StatusPreconditionFailed)
		api.send(http.MethodPatch, "/alerts/"+ids["quota-home"], `"1"`, edit, http.StatusOK)
		if _, err := s.alert("quota-home", delivered); err != nil {
			t.Error(err)
		}
		api.send(http.MethodPost, "/alerts/"+ids["quota-home"]+"/give-up", "*", map[string]any{"connector": "desk", "reason": "x"}, http.StatusConflict)
		api.send(http.MethodPost, "/parked/retry", "", map[string]any{"all": true}, http.StatusOK)
		s.token(t, viewer).send(http.MethodPost, "/parked/retry", "", map[string]any{"all": true}, http.StatusForbidden)
	})
}

// client asks the API with a token.
type client struct {
	t           *testing.T
	base, token string
}

// token makes a token with a person's role, at the command line.
func (s *site) token(t *testing.T, who account) client {
	t.Helper()
	out, err := s.Run(t.Context(), "token", "create", "test-"+string(who.role), "--role", string(who.role), "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Token == "" {
		t.Fatalf("no token in %s: %v", out, err)
	}
	return client{t, s.Servers[0].URL, made.Token}
}

func (c client) get(path string, status int, into any) {
	c.t.Helper()
	c.do(http.MethodGet, path, "", nil, status, into)
}

func (c client) send(method, path, match string, body any, status int) {
	c.t.Helper()
	c.do(method, path, match, body, status, nil)
}

func (c client) do(method, path, match string, body any, status int, into any) {
	c.t.Helper()
	got, answer, err := ask(c.t.Context(), c.base, c.token, method, path, match, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if got != status {
		c.t.Fatalf("%s %s answers %d, want %d: %s", method, path, got, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			c.t.Fatalf("%s %s answers %s: %v", method, path, answer, err)
		}
	}
}

// ask sends a request to the API of a server and returns what it answers.
func ask(ctx context.Context, base, token, method, path, match string, body any) (status int, answer []byte, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, base+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
