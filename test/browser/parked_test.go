package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestParkedDesk ticks, retries and gives up.
func TestParkedDesk(t *testing.T) {
	t.Parallel()
	onEach(t, one, func(t *testing.T, s *site) {
		ids := deskSite(t, s, quotaHome, quotaVar, diskFull)
		p := s.signIn(t, operator)
		p.open("/parked")
		p.submit("Retry ticked")
		p.sees("No link is ticked")
		p.tick("quota of /var is used up, desk")
		p.submit("Give ticked up")
		p.sees("Giving up needs a reason")
		p.fill("Reason for giving up", "a test volume")
		p.submit("Give ticked up")
		p.sees("1 link was given up")
		p.misses("quota of /var")
		p.open("/alerts/" + ids["quota-var"])
		p.sees("No ticket: given up by otto: a test volume")
		s.desk.accept("quota")
		p.press("Take up again")
		p.sees("Ticket 2 shows what the alert says", "taken up")
		p.open("/parked?q=permission&connector=desk")
		p.sees("quota of /home is used up")
		p.submit("Retry all that fit")
		p.sees("1 link is due now")
		if _, err := s.alert("quota-home", delivered); err != nil {
			t.Error(err)
		}
		p.open("/parked")
		p.sees("Nothing is parked")
	})
}

// TestParkedDeskShowsBoth: what is sent stands beside what came back, one link is
// retried alone, and an empty desk says what is true.
func TestParkedDeskShowsBoth(t *testing.T) {
	t.Parallel()
	onEach(t, one, func(t *testing.T, s *site) {
		ids := deskSite(t, s, quotaHome, quotaVar)
		s.desk.refuse("quota of /var", http.StatusBadRequest, "the field Impact is missing")
		p := s.signIn(t, operator)
		p.open("/parked")
		p.press("What was sent of quota of /home is used up to desk")
		p.sees("sent subject: quota of /home is used up", "severity: warning", "of revision 1", "a retry is made anew from revision 1, by version 1 of the document", "403", "no permission in queue Alerts")
		p.tick("quota of /home is used up, desk")
		p.submit("Retry quota of /var is used up, desk")
		p.sees("1 link is due now, to be sent again in turn.", "400", "the field Impact is missing", "no permission in queue Alerts")
		p.focus("Reason for giving up")
		p.keys("noise" + kb.Enter) // presses nothing by itself
		p.sees("Give ticked up")
		if p.path() != "/parked" {
			t.Errorf("Enter in the field of the reason leads to %s", p.path())
		}
		s.desk.stop("quota", true)
		p.submit("Retry all parked")
		p.sees("2 links are due now", "Nothing is parked now", "2 links are due or being sent.")
		p.misses("took")
		s.desk.accept("quota")
		s.desk.accept("quota of /var")
		s.desk.stop("quota", false)
		p.sees("Nothing is parked No link is due or being sent either.")
		p.open("/alerts/" + ids["quota-var"])
		p.sees("accepted", "matched desk", "every alert of its sources (version 1 of the document)", "claimed desk", "in epoch 1", "a send may start for 30 s", "sent desk")
	})
}

// TestListsKeepUp: what others do shows on an open list, and nothing that a
// person did there is lost.
func TestListsKeepUp(t *testing.T) {
	t.Parallel()
	onEach(t, one, func(t *testing.T, s *site) {
		deskSite(t, s, quotaHome, diskFull)
		list, tab, desk := s.signIn(t, viewer), s.signIn(t, viewer), s.signIn(t, operator)
		list.open("/alerts?severity=critical")
		tab.open("/connectors/desk/alerts")
		desk.open("/parked")
		list.fill("Source", "half a wo")
		desk.tick("quota of /home is used up, desk")
		desk.press("What was sent of quota of /home is used up to desk")
		desk.fill("Reason for giving up", "half a reas")
		if err := s.raise("desk", quotaVar); err != nil {
			t.Fatal(err)
		}
		list.sees("quota of /var is used up", "parked")
		tab.sees("quota of /var is used up", "parked")
		desk.sees("quota of /var is used up", "subject: quota of /home")
		list.misses("quota of /home")
		if got := list.focused(); got != "Source" {
			t.Errorf("%q has the focus", got)
		}
		if got := evaluate[string](list, `document.activeElement.value`); got != "half a wo" {
			t.Errorf("what was typed is %q", got)
		}
		left := evaluate[string](desk, `[...document.querySelectorAll("input[name=link]")].map(b => b.ariaLabel + "=" + b.checked).join() + document.activeElement.value`)
		if want := "quota of /var is used up, desk=false,quota of /home is used up, desk=truehalf a reas"; left != want {
			t.Errorf("the desk has %q, want %q", left, want)
		}
		// A tick is of the link as it was, whatever the list shows of it since.
		worse := quotaHome
		worse.Summary = "quota of /home is used up by far"
		if err := s.raise("desk", worse); err != nil {
			t.Fatal(err)
		}
		desk.sees(worse.Summary)
		desk.submit("Retry ticked")
		desk.sees("has changed since: it is parked: refused: ", "Look at it, and ask again if that is still right.", "no permission in queue Alerts")
		if kept := evaluate[string](desk, `document.querySelectorAll("input[name=link]:checked").length + document.querySelector("main input[name=reason]").value`); kept != "0half a reas" {
			t.Errorf("ticked and typed are %q", kept)
		}
		desk.open("/parked")
		s.desk.accept("quota")
		if _, err := s.Run(t.Context(), "alert", "retry", "--all-parked"); err != nil {
			t.Fatal(err)
		}
		desk.sees("Nothing is parked")
		if !list.eventually(func() bool {
			urgent, err := tryEvaluate[int](list, `document.querySelectorAll("#alert-list tr.urgent").length`)
			return err == nil && urgent == 0
		}) {
			t.Errorf("an alert that is delivered is still marked: %s", list.shows())
		}
	})
}

// TestGiveAllUp: what is given up is what the question counted.
func TestGiveAllUp(t *testing.T) {
	t.Parallel()
	onEach(t, one, func(t *testing.T, s *site) {
		deskSite(t, s, quotaVar)
		p := s.signIn(t, operator)
		p.open("/parked")
		p.press("Give all up")
		p.sees("Give up the 1 link that is parked?")
		if err := s.raise("desk", quotaHome); err != nil {
			t.Fatal(err)
		}
		if _, err := s.alert("quota-home", parked); err != nil {
			t.Fatal(err)
		}
		p.fill("Reason", "noise & such")
		p.submit("Give up")
		p.sees("Give up all 2 links that are parked?", "there were 1, and 2 are parked now", "ask again if that is still right")
		if typed := evaluate[string](p, `document.getElementById("reason").value`); typed != "noise & such" {
			t.Errorf("the reason is %q", typed)
		}
		p.accessible()
		p.submit("Give up")
		p.sees("2 links were given up.", "Nothing is parked")
	})
}
