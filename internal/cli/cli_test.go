package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const validDocument = `name: desk
sources:
  - name: shop
    kind: generic
remote:
  kind: files
  settings:
    directory: DIR
`

func (s *site) document(text string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, "connector.yaml")
	text = strings.ReplaceAll(text, "DIR", s.dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

func TestExitCodes(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	good := s.document(validDocument)
	for _, c := range []struct {
		name string
		args string
		in   string
		code int
		says string
	}{
		{"help", "--help", "", 0, ""},
		{"version", "version", "", 0, ""},
		{"an unknown command", "frobnicate", "", 2, "frobnicate"},
		{"an unknown word under a command", "alert frobnicate", "", 2, "frobnicate"},
		{"an unknown flag", "status --frobnicate", "", 2, "--frobnicate"},
		{"too many arguments", "status a b", "", 2, "--help"},
		{"an unknown output form", "status -o xml", "", 2, "-o table, -o json or -o yaml"},
		{"a flag that is required", "connector validate", "", 2, "file"},
		{"a valid document", "connector validate -f " + good, "", 0, ""},
		{"a wrong document", "connector validate -f -", "name: A B\nsourcse: []\n", 2, "sourcse"},
		{"a file that is not there", "connector validate -f /none.yaml", "", 3, "/none.yaml"},
		{"a connector that is not there", "connector show none", "", 3, "none"},
		{"another base", "connector apply --base 9 -f " + good, "", 4, "9"},
		{"an alert that is not there", "alert show 1234", "", 3, "1234"},
		{"a stage that is not there", "alert list --stage frobnicate", "", 2, "fresh"},
		{"an unknown shell", "completion frobnicate", "", 2, "frobnicate"},
		{"help on nothing there is", "help frobnicate", "", 2, "frobnicate"},
		{"a list of more than is listed", "alert list --limit 1001", "", 2, "1000"},
		{"a list of a connector that is not there", "alert list --connector none", "", 3, "none"},
		{"parked links of a connector that is not there", "alert retry --all-parked --connector none", "", 3, "none"},
		{"a history of nothing", "ha history desk --limit -1", "", 2, "--limit"},
		{"a version that cannot be", "connector show desk --version -1", "", 2, "-1"},
		{"a word given twice", "send key=a key=b", "", 2, "given twice"},
		{"a list of nothing", "alert list --limit 0", "", 2, "--limit"},
		{"the history of a connector that is not there", "ha history none", "", 3, "none"},
		{"nothing to retry", "alert retry", "", 2, "--all-parked"},
		{"a server that is not there", "send key=x --url http://127.0.0.1:1", "", 6, "127.0.0.1:1"},
		{"an alert without a key", "send summary=x", "", 2, "key"},
		{"a switchover with nobody there", "ha switchover none", "", 3, "none"},
		{"no settings to set", "ha settings set desk", "", 2, "--tolerance"},
		{"a configuration file that is not there", "status --config /none.yaml", "", 3, "/none.yaml"},
		{"a database that is not there", "status --data-dir /none", "", 3, "tieline serve"},
		{"a database that is away", "status --database postgres://u@127.0.0.1:1/d", "", 6, "127.0.0.1:1"},
		{"a database of no known kind", "status --database oracle://x", "", 2, "postgres://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := s.runWith(c.in, strings.Fields(c.args)...)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", r.code, c.code, r.out, r.err)
			}
			if !strings.Contains(r.err, c.says) {
				t.Errorf("the error does not say %q: %s", c.says, r.err)
			}
		})
	}
}

func TestEveryCommandTeaches(t *testing.T) {
	root := newRoot(&command{Streams: System()})
	for _, group := range root.Commands() {
		for _, cmd := range append(group.Commands(), group) {
			if cmd.Short == "" {
				t.Errorf("%s has no short help", cmd.CommandPath())
			}
			takesInput := strings.Contains(cmd.Use, " ")
			if takesInput && cmd.Example == "" && cmd.Name() != "completion" {
				t.Errorf("%s takes arguments and shows no example", cmd.CommandPath())
			}
		}
	}
}

func TestAnEmptyGroup(t *testing.T) {
	s := newSite(t)
	if out := s.ok("db", "migrate"); !strings.Contains(out, "from version 0 to") {
		t.Errorf("the first migration says %q", out)
	}
	if out := s.ok("db", "migrate"); !strings.Contains(out, "up to date") {
		t.Errorf("the second migration says %q", out)
	}
	if out := s.ok("status"); !strings.Contains(out, "tieline connector apply") {
		t.Errorf("the status of an empty group does not say what to do: %q", out)
	}
	var status statusView
	s.json(&status, "status")
	if status.Connectors == nil || len(status.Connectors) != 0 {
		t.Errorf("connectors = %v, want an empty list", status.Connectors)
	}
	var checks []struct{ Name string }
	s.json(&checks, "db", "check")
	if len(checks) == 0 {
		t.Error("db check found nothing to say")
	}
}

// TestCheckThatNeedsAttention: a database that works, and could be better, is told
// apart from one that is fine and from an error.
func TestCheckThatNeedsAttention(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	if r := s.run("db", "check"); r.code != 0 {
		t.Fatalf("a database that is fine: %+v", r)
	}
	folder := filepath.Join(s.env["TIELINE_DATA_DIR"], "tieline.db.presence")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // no folder for presences
		t.Fatal(err)
	}
	if r := s.run("db", "check"); r.code != 8 || !strings.Contains(r.out, "ATTENTION") {
		t.Errorf("a database without presences: %+v", r)
	}
}

func TestNotesOnAValidDocument(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	file := s.document(`name: desk
sources: [{name: am, kind: alertmanager, url: "http://am.test", settings: {silence: 24h}}]
states: {back: {open: acknowledged}}
remote: {kind: webhook, endpoints: ["http://desk.test"]}
`)
	for _, verb := range []string{"validate", "apply", "apply"} {
		var said struct{ Notes []struct{ Path string } }
		s.json(&said, "connector", verb, "-f", file)
		if len(said.Notes) != 2 || said.Notes[0].Path != "remote.settings" || said.Notes[1].Path != "sources[0].settings.receiver" {
			t.Errorf("%s -o json notes %+v", verb, said.Notes)
		}
		out := s.ok("connector", verb, "-f", file)
		for _, want := range []string{"at least once", `Configure "lookup"`, "repeat_interval", "Set it to the name"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q:\n%s", verb, want, out)
			}
		}
	}
	if out := s.ok("connector", "validate", "-f", s.document(validDocument)); strings.Contains(out, "Note") {
		t.Errorf("a note on a document that wants none: %s", out)
	}
}

func TestConnectorDocuments(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	file := s.document(validDocument)
	s.ok("connector", "apply", "-f", file, "-m", "the first")
	if out := s.ok("connector", "apply", "-f", file); !strings.Contains(out, "unchanged, at version 1") {
		t.Errorf("applying what is current says %q", out)
	}
	s.ok("connector", "apply", "-f", s.document(validDocument+"subscription: severity == \"critical\"\n"), "--base", "1")
	if out := s.ok("connector", "diff", "desk"); !strings.Contains(out, "+subscription: severity == \"critical\"\n") {
		t.Errorf("the diff is\n%s", out)
	}
	s.ok("ha", "settings", "set", "desk", "--polling-interval", "10s", "--failback", "automatic")
	if shown, short := s.ok("ha", "settings", "show", "desk"), s.ok("ha", "settings", "desk"); short != shown {
		t.Errorf("\"ha settings\" shows %q, \"ha settings show\" %q", short, shown)
	}
	if out := s.ok("ha", "settings", "show", "desk"); !strings.Contains(out, "10s") || !strings.Contains(out, "automatic") {
		t.Errorf("the settings are\n%s", out)
	}
	if r := s.run("ha", "settings", "set", "desk", "--tolerance", "1"); r.code != 2 || !strings.Contains(r.err, "high_availability.tolerance") {
		t.Errorf("a tolerance of 1: %+v", r)
	}
	s.ok("connector", "rollback", "desk", "--to", "1")
	var history []documentView
	s.json(&history, "connector", "history", "desk")
	if len(history) != 4 || history[0].Version != 4 || history[0].Who != "tester" || history[3].Comment != "the first" {
		t.Errorf("the history is %+v", history)
	}
	var shown documentView
	s.json(&shown, "connector", "show", "desk")
	if want := strings.ReplaceAll(validDocument, "DIR", s.dir); shown.Text != want {
		t.Errorf("after going back the document is\n%s\nwant\n%s", shown.Text, want)
	}
	if out := s.ok("connector", "show", "desk", "--effective"); !strings.Contains(out, "polling_interval: 30s") {
		t.Errorf("the effective document does not show defaults:\n%s", out)
	}
}

func TestServeWithoutSettings(t *testing.T) {
	s := newSite(t)
	url, stop := s.serve("--server", "only")
	s.ok("send", "key=disk-db3", "severity=critical", "summary=/var is full", "host=db3")
	if out := s.ok("send", "--url", url, "key=disk-db3", "severity=critical", "summary=/var is full", "host=db3"); !strings.Contains(out, "repeated") {
		t.Errorf("a repeat is answered %q", out)
	}
	var alerts []alertView
	eventually(t, "the alert is delivered", func() bool {
		s.json(&alerts, "alert", "list")
		return len(alerts) == 1 && len(alerts[0].Links) == 1 && alerts[0].Links[0].DeliveredAt == nil && !alerts[0].Links[0].Due
	})
	id := alerts[0].ID[:8]
	if out := s.ok("alert", "show", id); !strings.Contains(out, "The remote system has revision 1") {
		t.Errorf("the answer to why there is no ticket:\n%s", out)
	}
	var events []eventView
	s.json(&events, "alert", "timeline", id)
	if len(events) < 2 || events[0].Server != "only" {
		t.Errorf("the timeline is %+v", events)
	}
	sent := events[len(events)-1]
	if sent.Kind != "sent" || !strings.HasSuffix(sent.Endpoint, "outbox") || sent.TookMS <= 0 {
		t.Errorf("the timeline does not tell where the alert was sent and how long it took: %+v", sent)
	}
	if out := s.ok("alert", "timeline", id); !strings.Contains(out, "("+sent.Endpoint+", ") {
		t.Errorf("the timeline for people does not tell where the alert was sent:\n%s", out)
	}
	var status statusView
	s.json(&status, "status", "default")
	if k := status.Connectors[0]; k.Active != "only" || k.Epoch != 1 || k.Servers[0].State != "Active" || k.Servers[0].Runs != 1 {
		t.Errorf("the status is %+v", k)
	}
	if r := s.run("ha", "switchover", "default"); r.code != 7 {
		t.Errorf("a switchover with no other server: %+v", r)
	}
	if r := stop(); r.code != 0 {
		t.Errorf("a planned stop: %+v", r)
	}
	s.json(&status, "status")
	if got := status.Connectors[0].Servers[0].State; got != "Offline" {
		t.Errorf("after a planned stop the server is %s, want Offline", got)
	}
	if r := s.run("send", "key=x"); r.code != 6 || !strings.Contains(r.err, "no server") {
		t.Errorf("send without a server: %+v", r)
	}
}

func TestTwoServers(t *testing.T) {
	s := newSite(t)
	s.serve("--server", "one", "--high-availability")
	s.serve("--server", "two", "--high-availability")
	var status statusView
	eventually(t, "two can follow", func() bool {
		s.json(&status, "status")
		servers := status.Connectors[0].Servers
		return len(servers) == 2 && servers[0].State == "Active" && servers[1].State == "Passive" && servers[1].Eligible
	})
	if out := s.ok("ha", "switchover", "default", "--to", "two"); !strings.Contains(out, "two is Active for default, epoch 2") {
		t.Errorf("the switchover says %q", out)
	}
	var active struct {
		Active string
		Epoch  int64
	}
	s.json(&active, "ha", "switchover", "default", "--to", "two")
	if active.Active != "two" || active.Epoch != 2 {
		t.Errorf("a switchover to the Active says %+v", active)
	}
	var moved struct{ Order []string }
	if err := json.Unmarshal([]byte(s.ok("ha", "move-up", "default", "two", "-o", "json")), &moved); err != nil || !slices.Equal(moved.Order, []string{"two", "one"}) {
		t.Errorf("moving up says %+v, %v", moved, err)
	}
	s.json(&status, "status")
	if got := status.Connectors[0].Servers[0].Server; got != "two" {
		t.Errorf("%s is first in order after moving two up", got)
	}
	var history []map[string]any
	s.json(&history, "ha", "history", "default")
	text, _ := json.Marshal(history)
	for _, want := range []string{"operator", "moved up", "tester"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the history does not tell of %q: %s", want, text)
		}
	}
	if r := s.run("serve", "--server", "three", "--listen", "127.0.0.1:0"); r.code != 7 || !strings.Contains(r.err, "high availability") {
		t.Errorf("a third server without high availability: %+v", r)
	}
}

func TestWatchEndsWithCtrlC(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	ctx, press := context.WithCancel(t.Context())
	defer press()
	out := &presser{press: press}
	if code := Run(ctx, []string{"status", "--watch", "--every", "100ms"}, Streams{In: strings.NewReader(""), Out: out, Err: out, Env: s.lookup}); code != 0 {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

// presser presses Ctrl-C at the second picture.
type presser struct {
	buffer
	press context.CancelFunc
}

func (p *presser) Write(b []byte) (int, error) {
	n, err := p.buffer.Write(b)
	if strings.Count(p.String(), "Management group") == 2 {
		p.press()
	}
	return n, err
}

func TestConfig(t *testing.T) {
	s := newSite(t)
	s.env["TIELINE_SERVER"] = "fromenv"
	var got map[string]string
	s.json(&got, "config", "show", "--data-dir", "/elsewhere")
	if got["server"] != "fromenv" || got["data_dir"] != "/elsewhere" {
		t.Errorf("the settings are %v", got)
	}
	if out := s.ok("config", "sample"); !strings.Contains(out, "high_availability: true") {
		t.Errorf("the sample is\n%s", out)
	}
	s.env["TIELINE_LISTEN"] = "nowhere"
	if r := s.run("config", "show"); r.code != 2 || !strings.Contains(r.err, "TIELINE_LISTEN: must be host:port") {
		t.Errorf("a wrong setting: %+v", r)
	}
}
