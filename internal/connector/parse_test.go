package connector

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/fault"
)

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustParse(t testing.TB, text string) *Document {
	t.Helper()
	doc, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse: %s", fault.Message(err))
	}
	return doc
}

// with returns the least document with lines added.
func with(lines ...string) string {
	return "name: c\nsources: [{name: s, kind: generic}]\nremote: {kind: rt}\n" + strings.Join(lines, "\n")
}

func TestParseReadsEverything(t *testing.T) {
	doc := mustParse(t, string(read(t, "testdata/full.yaml")))
	if got, want := doc.Sources[0].Compare, Duration(2*time.Minute); got != want {
		t.Errorf("compare = %v, want %v", got, want)
	}
	if got := doc.Fields["Alert Source"].CEL; got != `source + "/" + labels[?"instance"].orValue("-")` {
		t.Errorf("CEL field = %q", got)
	}
	want := map[string]any{
		"queue": "Alerts", "priority": 10,
		"fields": map[string]any{"Alert ID": "key", "nested": []any{1, 2.5, true, nil}},
	}
	if diff := cmp.Diff(want, doc.Remote.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got := doc.States.Classes["waiting"]; got != ClassOpen {
		t.Errorf("class of waiting = %q", got)
	}
	if got := doc.Lifecycle.Refire[ClassResolved].Within; got != Duration(12*time.Hour) {
		t.Errorf("refire within = %v", got)
	}
	if doc.Limits.Burst != 10 {
		t.Errorf("burst = %d, want the rate", doc.Limits.Burst)
	}
}

func TestParseFillsInDefaults(t *testing.T) {
	doc := mustParse(t, string(read(t, "testdata/least.yaml")))
	ha := HighAvailability{Polling: Duration(30 * time.Second), Tolerance: 3, Failback: "manual"}
	if diff := cmp.Diff(ha, doc.Availability); diff != "" {
		t.Errorf("high availability (-want +got):\n%s", diff)
	}
	limits := Limits{
		Concurrency: 8, Burst: 1, Timeout: seconds(10), Window: seconds(30), Attempts: 20,
		Backoff: Backoff{First: seconds(1), Max: seconds(300)},
	}
	if diff := cmp.Diff(limits, doc.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if doc.States.Open != "open" || doc.States.Closed != "closed" {
		t.Errorf("states of files = %q, %q", doc.States.Open, doc.States.Closed)
	}
	if doc.Sources[0].Compare != 0 {
		t.Errorf("a source without url compares every %v", doc.Sources[0].Compare)
	}
	if len(doc.Lifecycle.Refire) != len(Classes) {
		t.Errorf("refire has %d classes, want all %d", len(doc.Lifecycle.Refire), len(Classes))
	}
}

func TestZeroIsNotTheDefault(t *testing.T) {
	doc := mustParse(t, `
name: c
sources: [{name: s, kind: generic, url: "http://x", compare: 0s}, {name: s2, kind: generic, url: "http://x"}]
remote: {kind: rt, poll: 0s}
states: {closed: ""}
lifecycle: {close: {action: leave}}
`)
	if doc.Sources[0].Compare != 0 || doc.Sources[1].Compare != seconds(60) || doc.Remote.Poll != 0 || doc.States.Closed != "" {
		t.Errorf("given zeros were replaced: %+v", doc)
	}
}

func TestMarshalComesBackTheSame(t *testing.T) {
	texts := []string{
		string(read(t, "testdata/full.yaml")), string(read(t, "testdata/least.yaml")),
		with(`states: {closed: "", ended: []}`, `lifecycle: {close: {action: comment}}`),
	}
	for _, text := range texts {
		doc := mustParse(t, text)
		canonical, err := Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		again := mustParse(t, string(canonical))
		if diff := cmp.Diff(doc, again); diff != "" {
			t.Errorf("%s changed (-first +again):\n%s\n%s", doc.Name, diff, canonical)
		}
	}
}

func TestParseReportsEveryProblem(t *testing.T) {
	_, err := Parse([]byte(`
name: Web
sources:
  - {name: am, kind: alertmanager, tokn: env:X}
  - {name: am, kind: generic, token: hunter2}
subscription: severity + 1
remote: {kind: rt, endpoints: ["https://bob:hunter2@rt"], poll: 5}
fields:
  subject: "{{ .Summry }}"
  body: {cel: "1 + 2"}
  prio: [1]
states: {back: {resolved: gone}, classes: {x: sleeping}}
lifecycle: {close: {action: explode}, refire: {reborn: {action: new}}}
limits: {concurrency: 1000, backoff: {first: 10m}}
high_availability: {polling_interval: 500ms, tolerance: 1, failback: maybe}
retention: {days: -1}
name: twice
`))
	if fault.KindOf(err) != fault.Invalid {
		t.Fatalf("kind = %v, want Invalid: %v", fault.KindOf(err), err)
	}
	got := make(map[string]string)
	for _, p := range fault.ProblemsOf(err) {
		got[p.Path] = p.Message
	}
	want := map[string]string{
		"name":                               `line 17: key "name" is given twice`,
		"sources[0].tokn":                    `line 4: unknown key "tokn"; known here: name, kind, token, url, api_token, compare, settings`,
		"sources[1].name":                    `source "am" is listed twice`,
		"sources[1].token":                   `a secret is given by reference: "env:NAME" or "file:/path"`,
		"subscription":                       `1:10: found no matching overload for '_+_' applied to '(string, int)'`,
		"remote.endpoints[0]":                `an address must not carry credentials, because documents are shown; give them by reference`,
		"remote.poll":                        `line 7: expected a duration with its unit, such as "30s" or "5m", found "5"`,
		"fields.subject":                     `there is no .Summry; an alert has .Annotations, .Description, .EndsAt, .Key, .Labels, .Severity, .Source, .StartsAt, .Status, .Summary, .URL`,
		"fields.body":                        `the expression gives int; string is needed; string(...) converts`,
		"fields.prio":                        `line 11: expected keys with values, found a list`,
		"states.back.resolved":               `"gone" is not one of open, acknowledged, closed`,
		"states.classes.x":                   `"sleeping" is not one of open, resolved, closed, cancelled, merged, deleted`,
		"lifecycle.close.action":             `"explode" is not one of resolve, comment, leave`,
		"lifecycle.refire.reborn":            `no such class; the classes are open, resolved, closed, cancelled, merged, deleted`,
		"limits.concurrency":                 `1000 is out of range: from 1 to 256`,
		"limits.backoff.first":               `10m is longer than limits.backoff.max, 5m`,
		"high_availability.polling_interval": `500ms is out of range: from 1s to 1h`,
		"high_availability.tolerance":        `1 is out of range: from 2 to 100`,
		"high_availability.failback":         `"maybe" is not one of manual, automatic`,
		"retention.days":                     `-1 is out of range: from 0 to 36500`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error repeats a secret: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]struct{ text, path, message string }{
		"nothing":            {"", "", "the document is empty"},
		"broken YAML":        {"name: [", "", "line 1: did not find expected node content"},
		"two documents":      {with("---", "name: d"), "", "a second document follows after ---; apply each connector by itself"},
		"alias":              {with("severity: &a {default: x}"), "severity", "line 4: anchors (&name) and aliases (*name) are not supported; write the value out"},
		"merge key":          {with("severity: {<<: {default: x}}"), "severity", "line 4: a key must be plain text"},
		"not a mapping":      {"- a", "", "line 1: expected keys with values, found a list"},
		"bool for number":    {with("limits: {attempts: true}"), "limits.attempts", `line 4: expected a whole number, found "true"`},
		"not a number":       {with("limits: {rate: .nan}"), "limits.rate", `line 4: expected a number, found ".nan"`},
		"not a bool":         {with("lifecycle: {skip_closed_unsent: 3}"), "lifecycle.skip_closed_unsent", `line 4: expected true or false, found "3"`},
		"odd key":            {with(`severity: {map: {"a b": [1]}}`), `severity.map["a b"]`, "line 4: expected a text, found a list"},
		"compare, no url":    {"name: c\nsources: [{name: s, kind: generic, compare: 1m}]\nremote: {kind: rt}", "sources[0].compare", "comparing needs the source's url"},
		"no sources":         {"name: c\nremote: {kind: rt}", "sources", "a connector needs at least one source"},
		"resolve to nothing": {with(`states: {closed: ""}`), "lifecycle.close.action", "resolve needs states.closed, the remote state of a closed alert"},
		"reopen to nothing":  {with(`states: {open: ""}`), "lifecycle.refire.resolved.action", "reopen needs states.open, the remote state of an open alert"},
		"endless range":      {with(`fields: {body: "{{ range 1000000000 }}{{ end }}"}`), "fields.body", "range over a number is not supported; range over .Labels or .Annotations"},
		"recursion":          {with(`fields: {body: '{{ define "a" }}{{ template "a" }}{{ end }}'}`), "fields.body", "define and block are not supported"},
		"unknown function":   {with(`fields: {x: "{{ env \"HOME\" }}"}`), "fields.x", `1: function "env" not defined`},
		"hidden field":       {with(`fields: {x: "{{ if eq .Key \"no\" }}{{ .Nope }}{{ end }}"}`), "fields.x", "there is no .Nope; an alert has .Annotations, .Description, .EndsAt, .Key, .Labels, .Severity, .Source, .StartsAt, .Status, .Summary, .URL"},
		"unknown variable":   {with(`subscription: host == "a"`), "subscription", "1:1: undeclared reference to 'host'"},
		"not a bool result":  {with(`subscription: summary`), "subscription", "the expression gives string; bool is needed"},
		"never at rest": {
			with("states: {open: new, closed: done, back: {new: closed, done: open}}"), "states",
			`the maps there and back never come to rest: alert open -> ticket "new" -> alert closed -> ticket "done" -> alert open`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.text))
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("err = %v, want an Invalid one", err)
			}
			want := []fault.Problem{{Path: test.path, Message: test.message}}
			if diff := cmp.Diff(want, fault.ProblemsOf(err)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryMistakeOfATemplate: one text tells all that is wrong with it at once.
func TestEveryMistakeOfATemplate(t *testing.T) {
	const known = "; an alert has .Annotations, .Description, .EndsAt, .Key, .Labels, .Severity, .Source, .StartsAt, .Status, .Summary, .URL"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"fields":      {`{x: "{{ .Summry }} {{ if .Kee }}{{ .Sev }}{{ end }} {{ .Summry }}"}`, []string{"there is no .Summry" + known, "there is no .Kee" + known, "there is no .Sev" + known}},
		"functions":   {`{x: "{{ trimm .Summary }}\n{{ .Nope }}{{ if uper .Key }}{{ end }}"}`, []string{`1: function "trimm" not defined`, "there is no .Nope" + known, `2: function "uper" not defined`}},
		"syntax":      {`{x: "{{ .Summary ) }} {{ env }} {{ .Key }}"}`, []string{"1: unexpected right paren", `1: function "env" not defined`}},
		"never ends":  {`{x: "{{ if .Key }}"}`, []string{"1: unexpected EOF"}},
		"carried out": {`{x: "{{ truncate .Key .Key }} {{ join 1 .Labels }}"}`, []string{"expected int", "expected string"}},
		"variables":   {`{x: "{{ $k := .Key }}{{ truncate $k $k }}"}`, []string{"expected int"}},
		"expression":  {`{x: {cel: "nope + labels.a + nada"}}`, []string{"1:1: undeclared reference to 'nope'", "1:19: undeclared reference to 'nada'"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(with("fields: " + c.text)))
			problems := fault.ProblemsOf(err)
			if len(problems) != len(c.want) {
				t.Fatalf("%d problems, want %d: %v", len(problems), len(c.want), err)
			}
			for i, p := range problems {
				if p.Path != "fields.x" || !strings.Contains(p.Message, c.want[i]) {
					t.Errorf("problem %d is %s: %q, want %q", i, p.Path, p.Message, c.want[i])
				}
			}
		})
	}
}

// TestOneProblemForAnEndpoint: what is no address is not told twice.
func TestOneProblemForAnEndpoint(t *testing.T) {
	again := func(*Document) []fault.Problem {
		return []fault.Problem{{Path: "remote.endpoints[0]", Message: "is no HTTP address"}, {Path: "remote.settings.queue", Message: "is needed"}}
	}
	_, err := Parse([]byte("name: c\nsources: [{name: s, kind: generic}]\nremote: {kind: rt, endpoints: ['ftp://rt']}"), again)
	var paths []string
	for _, p := range fault.ProblemsOf(err) {
		paths = append(paths, p.Path)
	}
	if got := strings.Join(paths, " "); got != "remote.endpoints[0] remote.settings.queue" {
		t.Errorf("problems at %s", got)
	}
}

func TestParseRefusesAHugeDocument(t *testing.T) {
	_, err := Parse(make([]byte, MaxSize+1))
	if fault.KindOf(err) != fault.TooLarge {
		t.Errorf("err = %v, want TooLarge", err)
	}
}

func TestChecksReportAlong(t *testing.T) {
	_, err := Parse([]byte(with("limits: {attempts: 0}")), func(doc *Document) []fault.Problem {
		return []fault.Problem{{Path: "remote.settings.queue", Message: "a queue is needed"}}
	})
	want := []fault.Problem{
		{Path: "limits.attempts", Message: "0 is out of range: from 1 to 1000"},
		{Path: "remote.settings.queue", Message: "a queue is needed"},
	}
	if diff := cmp.Diff(want, fault.ProblemsOf(err)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// TestRest holds the states whose maps come to rest against those that do not.
func TestRest(t *testing.T) {
	tests := map[string]struct {
		states States
		rests  bool
	}{
		"nothing back":         {States{Open: "open", Closed: "resolved"}, true},
		"usual":                {States{Closed: "resolved", Back: map[string]string{"open": "acknowledged", "resolved": "acknowledged"}}, true},
		"there and back alike": {States{Open: "open", Closed: "done", Back: map[string]string{"open": "open", "done": "closed"}}, true},
		"settles on open":      {States{Open: "open", Closed: "done", Back: map[string]string{"open": "open", "done": "acknowledged"}}, true},
		"one state for both":   {States{Open: "x", Closed: "x", Back: map[string]string{"x": "acknowledged"}}, true},
		"swapped":              {States{Open: "a", Closed: "b", Back: map[string]string{"a": "closed", "b": "open"}}, false},
		"by acknowledgement":   {States{Open: "a", Closed: "b", Back: map[string]string{"a": "closed", "b": "acknowledged"}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if circle := test.states.circle(); (circle == nil) != test.rests {
				t.Errorf("circle = %v, rests should be %v", circle, test.rests)
			}
		})
	}
}

func TestExamples(t *testing.T) {
	files, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	parsed := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".yaml") {
			continue
		}
		if _, err := Parse(read(t, "../../examples/"+file.Name())); err != nil {
			t.Errorf("%s: %s", file.Name(), fault.Message(err))
		}
		parsed++
	}
	if parsed < 3 {
		t.Errorf("only %d examples found", parsed)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(read(f, "testdata/full.yaml"))
	f.Add(read(f, "testdata/least.yaml"))
	f.Add([]byte(with("severity: &a {default: x}", "states: *a")))
	f.Add([]byte(with(`fields: {x: {cel: "labels[?\"a\"].orValue('')"}}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := Parse(text)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.TooLarge {
				t.Fatalf("kind %v: %v", kind, err)
			}
			return
		}
		canonical, err := Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(canonical)
		if len(canonical) > MaxSize {
			return // defaults made it grow beyond the limit
		}
		if err != nil {
			t.Fatalf("canonical text refused: %s\n%s", fault.Message(err), canonical)
		}
		if diff := cmp.Diff(doc, again); diff != "" {
			t.Fatalf("changed (-first +again):\n%s", diff)
		}
	})
}
