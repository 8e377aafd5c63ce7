package documents_test

import (
	"slices"
	"strings"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

func TestDryRun(t *testing.T) {
	b := setup(t)
	b.raise("critical", "critical", "warning", "info")
	state := b.mustSet("olga", b.open().Seen(), "subscription", `severity != "info"`)
	state = b.mustSet("olga", state.Seen(), "fields.subject", `{{ .Severity }}: {{ .Summary }}`)
	state = b.mustSet("olga", state.Seen(), "fields.team", `{{ .Labels.team | default "nobody" }}`)
	run := must(b.s.DryRun(t.Context(), state, 0))(t)
	if run.Looked != 4 || !run.Complete || run.Live != 2 || run.Draft != 3 || run.Begins != 1 || run.Ends != 0 || run.Differs != 2 || run.Failed != 0 {
		t.Errorf("dry run %+v", run)
	}
	for _, trial := range run.Trials {
		switch trial.Alert.Severity {
		case "critical":
			if !slices.Equal(trial.Differs, []string{"subject", "fields.team"}) || trial.Draft.Ticket.Subject != "critical: disk full" ||
				trial.Live.Ticket.Subject != "disk full" || trial.Draft.Ticket.Severity != "high" || trial.Draft.Ticket.Fields["team"] != "nobody" {
				t.Errorf("a critical one: %v %+v", trial.Differs, trial.Draft.Ticket)
			}
		case "warning":
			if trial.Live.Matches || !trial.Draft.Matches || !slices.Equal(trial.Differs, []string{"matches"}) {
				t.Errorf("a warning: %+v", trial)
			}
		default:
			if trial.Draft.Matches || len(trial.Differs) > 0 {
				t.Errorf("an info: %+v", trial)
			}
		}
	}
	if short := must(b.s.DryRun(t.Context(), state, 2))(t); short.Looked != 2 || short.Asked != 2 {
		t.Errorf("on two alerts: %+v", short)
	}
	wrong := b.mustSet("olga", state.Seen(), "subscription", "no ==")
	if _, err := b.s.DryRun(t.Context(), wrong, 0); fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) == 0 {
		t.Errorf("of a wrong draft: %v", err)
	}
}

// An expression that costs too much for one alert is told, not waited for.
func TestDryRunTellsWhatCannotBeMapped(t *testing.T) {
	b := setup(t)
	b.raise("critical")
	state := b.mustSet("olga", b.open().Seen(), "fields.team.cel", `labels["team"]`)
	run := must(b.s.DryRun(t.Context(), state, 0))(t)
	if run.Failed != 1 || run.Differs != 1 || !strings.Contains(run.Trials[0].Draft.Problem, "fields.team") || run.Trials[0].Draft.Ticket != nil {
		t.Errorf("dry run %+v", run)
	}
}

// A ticket where the current version makes none is not another ticket, and the
// trial says why there was none.
func TestDryRunTellsWhatTheDraftMends(t *testing.T) {
	b := setup(t)
	b.raise("critical")
	b.apply("shop", shop+"fields: {team: {cel: 'labels[\"team\"]'}}\n")
	state := b.mustSet("olga", b.open().Seen(), "fields.team", "ops")
	run := must(b.s.DryRun(t.Context(), state, 0))(t)
	trial := run.Trials[0]
	if run.Counts[documents.Mends] != 1 || run.Counts[documents.Changes] != 0 || trial.Draft.Ticket == nil || !strings.Contains(trial.Live.Problem, "fields.team") {
		t.Errorf("dry run %+v", run)
	}
}

func TestSubscriptionCount(t *testing.T) {
	b := setup(t)
	b.raise("critical", "warning", "critical")
	state := b.open()
	for text, want := range map[string]int{`severity == "critical"`: 2, "": 3, `labels.nosuch == "x"`: 0} {
		count := must(b.s.Subscription(t.Context(), state, text))(t)
		if count.Matches != want || count.Looked != 3 || !count.Complete || count.Problem != "" {
			t.Errorf("%q: %+v", text, count)
		}
		if strings.Contains(text, "nosuch") && (count.Failed != 3 || count.Why == "") {
			t.Errorf("%q: %+v", text, count)
		}
	}
	if count := must(b.s.Subscription(t.Context(), state, "severity"))(t); count.Problem == "" || count.Looked != 0 {
		t.Errorf("what is no subscription: %+v", count)
	}
}

func TestValuesAndAlertsForAPreview(t *testing.T) {
	b := setup(t)
	state := b.open()
	if a := must(b.s.Alert(t.Context(), state, ""))(t); a != nil {
		t.Errorf("an alert of an empty database: %+v", a)
	}
	ids := b.raise("critical", "warning")
	a := must(b.s.Alert(t.Context(), state, ids[0].String()))(t)
	if a.Severity != "critical" {
		t.Errorf("alert %+v", a)
	}
	if newest := must(b.s.Alert(t.Context(), state, ""))(t); newest == nil {
		t.Error("no newest alert")
	}
	if _, err := b.s.Alert(t.Context(), state, "nonsense"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("nonsense: %v", err)
	}
	if _, err := b.s.Alert(t.Context(), state, alert.NewID().String()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an unknown alert: %v", err)
	}
	for _, c := range []struct {
		value connector.Value
		text  string
		wrong bool
	}{
		{connector.Value{Template: "{{ .Summary | upper }}"}, "DISK FULL", false},
		{connector.Value{CEL: `labels.alertname + "!"`}, "DiskFull!", false},
		{connector.Value{Template: "{{ .Nope }}"}, "", true},
		{connector.Value{CEL: "1 +"}, "", true},
		{connector.Value{CEL: `labels["nope"]`}, "", true},
	} {
		if p := b.s.Value(a, c.value); p.Text != c.text || (p.Problem != "") != c.wrong {
			t.Errorf("%+v: %+v", c.value, p)
		}
	}
}

func TestWordsThatWereSeen(t *testing.T) {
	b := setup(t)
	b.raise("critical", "warning", "warning", "")
	words, looked, err := b.s.Severities(t.Context(), b.open())
	if err != nil || looked != 4 || len(words) != 3 || words[0].Word != "warning" || words[0].Mapped || words[0].Means != "warning" || words[0].Count != 2 {
		t.Fatalf("%d looked at, %+v: %v", looked, words, err)
	}
	for _, w := range words {
		if w.Word == "critical" && (!w.Mapped || w.Means != "high") {
			t.Errorf("critical: %+v", w)
		}
	}
	if states := must(b.s.States(t.Context(), b.open()))(t); len(states) != 0 {
		t.Errorf("states of no ticket: %+v", states)
	}
}

func TestSources(t *testing.T) {
	b := setup(t)
	t.Setenv("SHOP_TEST_TOKEN", "x")
	b.raise("critical")
	sources := must(b.s.Sources(t.Context(), b.open()))(t)
	if len(sources) != 1 || sources[0].Last.IsZero() || sources[0].Secret != "ok" {
		t.Fatalf("sources %+v", sources)
	}
	t.Setenv("SHOP_TEST_TOKEN", "")
	if sources = must(b.s.Sources(t.Context(), b.open()))(t); sources[0].Secret != "missing" {
		t.Errorf("a token that is not there: %+v", sources[0])
	}
	state := b.mustSet("olga", b.open().Seen(), "sources[0].token", "file:/etc/passwd")
	if sources = must(b.s.Sources(t.Context(), state))(t); sources[0].Secret != "" {
		t.Errorf("a draft asked whether this server has a file: %+v", sources[0])
	}
}
