package console

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/connector"
	"tieline/internal/connector/edit"
	"tieline/internal/service/documents"
)

const formText = `name: shop
sources: [{name: am, kind: alertmanager}]
remote:
  kind: webhook
  endpoints:
    - http://one # the house
    - http://two
    - http://three
severity:
  map: {critical: high}
fields:
  Team: {cel: labels.team}
`

// posted makes a form's changes of the text it showed.
func posted(t *testing.T, form url.Values) string {
	t.Helper()
	doc, _ := connector.Examine([]byte(formText))
	f := formReader{form: form, shown: show(documents.State{Text: formText, Doc: doc})}
	if err := f.read(); err != nil {
		t.Fatal(err)
	}
	if len(f.changes) == 0 {
		return formText
	}
	text, err := edit.Open(formText)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range f.changes {
		if err := change(text); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func TestFormSaysOnlyWhatWasChanged(t *testing.T) {
	unchanged := url.Values{
		"v:remote.endpoints[0]": {"http://one"}, "v:remote.poll": {"15s"}, "v:limits.concurrency": {"8"}, "v:states.open": {"open"},
		"v:severity.map.critical": {"high"}, "v:severity.default": {""}, "l:states.ended": {"cancelled, closed, deleted, merged, rejected, resolved"},
		"map:Team": {"labels.team"}, "cel:Team": {"1"}, "map:subject": {"{{ .Summary | default .Labels.alertname | default .Key }}"},
		"refire:open:action": {"new"}, "refire:open:within": {""}, "add:remote.endpoints": {" "}, "key:severity.map": {""}, "new:severity.map": {""},
		"y:remote.settings": {""}, "source-name": {""}, "csrf": {"x"}, "seen": {`"v1.r0"`}, "do": {""},
	}
	if got := posted(t, unchanged); got != formText {
		t.Errorf("what stood there was written: %s", cmp.Diff(formText, got))
	}
}

func TestFormChanges(t *testing.T) {
	for _, c := range []struct {
		name     string
		form     url.Values
		old, new string // part of the text that becomes another
	}{
		{"a value", url.Values{"v:severity.map.critical": {"top"}}, "{critical: high}", "{critical: top}"},
		{"a number", url.Values{"v:limits.rate": {"2.5"}}, "labels.team}\n", "labels.team}\nlimits:\n  rate: 2.5\n"},
		{"what should be a number", url.Values{"v:limits.attempts": {"many"}}, "labels.team}\n", "labels.team}\nlimits:\n  attempts: many\n"},
		{"a truth", url.Values{"v:lifecycle.skip_closed_unsent": {"true"}}, "labels.team}\n", "labels.team}\nlifecycle:\n  skip_closed_unsent: true\n"},
		{"an empty state, which is a value", url.Values{"v:states.open": {""}}, "labels.team}\n", "labels.team}\nstates:\n  open: \"\"\n"},
		{"back to the default", url.Values{"v:severity.map.critical": {""}}, "severity:\n  map: {critical: high}\n", ""},
		{"a further word", url.Values{"key:severity.map": {"warning"}, "new:severity.map": {"low"}}, "high}", "high, warning: low}"},
		{"a word with a dot", url.Values{"key:severity.map": {"p.1"}, "new:severity.map": {"low"}}, "high}", "high, p.1: low}"},
		{"a further server", url.Values{"add:remote.endpoints": {"http://four"}}, "three\n", "three\n    - http://four\n"},
		{"a row up", url.Values{"do": {"up:remote.endpoints[2]"}}, "two\n    - http://three", "three\n    - http://two"},
		{"a row removed", url.Values{"do": {"remove:remote.endpoints[1]"}}, "    - http://two\n", ""},
		{"several rows emptied", url.Values{"v:remote.endpoints[1]": {""}, "v:remote.endpoints[2]": {""}}, "    - http://two\n    - http://three\n", ""},
		{"a template for an expression", url.Values{"map:Team": {"{{ .Labels.team }}"}}, "{cel: labels.team}", "'{{ .Labels.team }}'"},
		{"another expression", url.Values{"map:Team": {"source"}, "cel:Team": {"1"}}, "{cel: labels.team}", "{cel: source}"},
		{"a mapping emptied", url.Values{"map:Team": {""}}, "fields:\n  Team: {cel: labels.team}\n", ""},
		{"a row of the life cycle table", url.Values{"refire:open:action": {"comment"}, "refire:open:within": {"1h"}}, "labels.team}\n", "labels.team}\nlifecycle:\n  refire:\n    open:\n      action: comment\n      within: 1h\n"},
		{"a list", url.Values{"l:states.ended": {"closed , done"}}, "labels.team}\n", "labels.team}\nstates:\n  ended:\n    - closed\n    - done\n"},
		{"a part as YAML", url.Values{"y:remote.settings": {"ended: [done]\r\n"}}, "three\n", "three\n  settings:\n    ended: [done]\n"},
		{"a further source", url.Values{"source-name": {"scripts"}, "source-kind": {"generic"}}, "kind: alertmanager}]", "kind: alertmanager}, {kind: generic, name: scripts}]"},
	} {
		want := strings.Replace(formText, c.old, c.new, 1)
		if diff := cmp.Diff(want, posted(t, c.form)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestFormsThatAreNotOurs(t *testing.T) {
	doc, _ := connector.Examine([]byte(formText))
	for _, form := range []url.Values{
		{"v:a..b": {"x"}}, {"v:": {"x"}}, {"l:[": {"x"}}, {"key:[": {"x"}}, {"do": {"up:remote"}}, {"do": {"remove:"}}, {"y:x..": {"a: b"}},
	} {
		f := formReader{form: form, shown: show(documents.State{Text: formText, Doc: doc})}
		if err := f.read(); err == nil {
			t.Errorf("%v was read", form)
		}
	}
}

func TestFirstTextOfANewConnector(t *testing.T) {
	for kind, want := range map[string]string{
		"rt":    "name: shop\nsources:\n  - kind: alertmanager\n    name: shop\nremote:\n  kind: rt\n  endpoints:\n    - http://rt\n  token: env:RT\n  settings:\n    queue: Alerts\n",
		"files": "name: shop\nsources:\n  - kind: alertmanager\n    name: shop\nremote:\n  kind: files\n  settings:\n    directory: /srv/x\n",
	} {
		got := firstText(map[string]string{
			"name": "shop", "source_kind": "alertmanager", "remote_kind": kind, "endpoint": "http://rt", "queue": "Alerts", "token": "env:RT", "directory": "/srv/x",
		})
		if got != want {
			t.Errorf("%s: %s", kind, cmp.Diff(want, got))
		}
	}
}

func TestSnippets(t *testing.T) {
	text := strings.Replace(formText, "alertmanager}", "alertmanager, token: env:T}", 1)
	doc, _ := connector.Examine([]byte(text))
	p := sourcesPage{documentPage: documentPage{shown: show(documents.State{Text: text, Doc: doc})}}
	row := sourceRow{Path: "sources[0]"}
	row.Name, row.Addresses = "am", []string{"http://one:8642/v1/sources/am"}
	if got := p.Alertmanager(row); !strings.Contains(got, "url: http://one:8642/v1/sources/am\n") || !strings.Contains(got, "credentials_file:") {
		t.Errorf("the receiver:\n%s", got)
	}
	if got := p.Curl(row); !strings.Contains(got, "Authorization: Bearer $AM_TOKEN") || strings.Count(got, "curl ") != 2 {
		t.Errorf("the commands:\n%s", got)
	}
	row.Addresses, row.Path = nil, "sources[9]"
	if got := p.Curl(row); !strings.Contains(got, "http://SERVER:8642/v1/sources/am") || strings.Contains(got, "Authorization") {
		t.Errorf("while no server has joined:\n%s", got)
	}
}
