package app

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tieline/internal/config"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/remotetest"
	"tieline/internal/store"
)

func alertNamed(key, status string) map[string]any {
	return map[string]any{"key": key, "status": status, "severity": "critical", "summary": "trouble with " + key}
}

func TestFirstStartForwardsToFiles(t *testing.T) {
	c := config.Default()
	c.Server, c.Listen, c.DataDir = "only", "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	a := start(t, c)
	outbox := filepath.Join(c.DataDir, "files", "outbox")
	for _, want := range []string{"curl http://" + a.Addr() + "/v1/sources/default", outbox, "tieline.db"} {
		if !strings.Contains(a.Welcome(), want) {
			t.Errorf("the welcome does not say %q:\n%s", want, a.Welcome())
		}
	}
	post(t, a, "default", alertNamed("disk", "open"))
	eventually(t, "a message in the outbox", func() bool {
		messages, _ := filepath.Glob(filepath.Join(outbox, "*.json"))
		if len(messages) == 0 {
			return false
		}
		text, err := os.ReadFile(messages[0])
		return err == nil && strings.Contains(string(text), "trouble with disk")
	})
	stop(t, a)

	again := start(t, c)
	if !strings.Contains(again.Welcome(), "default: default (generic) -> files") {
		t.Errorf("a second start lost the connector:\n%s", again.Welcome())
	}
	eventually(t, "Active again", func() bool { return isActive(t, again, "default") })
}

func TestFailoverByStopping(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document)
	one, two := start(t, settings(dir, "one")), start(t, settings(dir, "two"))
	eventually(t, "one is Active", func() bool { return isActive(t, one, "desk") })
	if isActive(t, two, "desk") {
		t.Fatal("both are Active")
	}
	for i := range 20 {
		post(t, []*App{one, two}[i%2], "shop", alertNamed(fmt.Sprintf("a%02d", i), "open"))
	}
	stop(t, one)
	eventually(t, "two is Active", func() bool { return isActive(t, two, "desk") })
	for i := range 20 {
		post(t, two, "shop", alertNamed(fmt.Sprintf("a%02d", i), "closed"))
	}
	eventually(t, "every ticket is closed", func() bool {
		closed := 0
		for _, ticket := range d.Tickets() {
			if ticket.State == "closed" {
				closed++
			}
		}
		return closed == 20
	})
	for subject, n := range d.subjects() {
		if n != 1 {
			t.Errorf("%d tickets %q", n, subject)
		}
	}
	if _, body := get(t, two, "/active/desk"); !strings.Contains(body, `"epoch":2`) {
		t.Errorf("after one failover the Active answers %s", body)
	}
}

func TestDocumentsAreAppliedLive(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document)
	one, two := start(t, settings(dir, "one")), start(t, settings(dir, "two"))
	eventually(t, "one is Active", func() bool { return isActive(t, one, "desk") })
	saved := apply(t, dir, d.document+"fields:\n  subject: \"NEW {{ .Summary }}\"\n")
	for _, a := range []*App{one, two} {
		eventually(t, "the new version runs on "+a.cfg.Server, func() bool {
			s, ok := a.standing("desk")
			return ok && s.Document == saved.Version
		})
	}
	post(t, two, "shop", alertNamed("x", "open"))
	eventually(t, "a ticket of the new mapping", func() bool { return d.subjects()["NEW trouble with x"] == 1 })

	apply(t, dir, strings.NewReplacer("name: desk", "name: second", "name: shop", "name: store").Replace(d.document))
	eventually(t, "a connector applied later is served", func() bool { return isActive(t, one, "second") || isActive(t, two, "second") })
	post(t, one, "store", alertNamed("y", "open"))
	eventually(t, "its ticket", func() bool { return d.subjects()["trouble with y"] == 1 })
}

// A sender that is faster than the news of a document must not be turned away.
func TestSourceIsKnownAsSoonAsItsDocumentIsStored(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document)
	a := start(t, settings(dir, "one"))
	doc, err := connector.Parse([]byte(strings.NewReplacer("name: desk", "name: second", "name: shop", "name: store").Replace(d.document)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := connector.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	saveQuietly(t, dir, store.SaveDocument{Connector: "second", Text: string(text), Settings: HASettings(doc)})
	post(t, a, "store", alertNamed("x", "open"))
	eventually(t, "its ticket", func() bool { return d.subjects()["trouble with x"] == 1 })
	resp, err := http.Post("http://"+a.Addr()+"/v1/sources/none", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("a source that nobody describes: %d, want 404", resp.StatusCode)
	}
}

func TestDocumentThatCannotRunHere(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	token := filepath.Join(dir, "token")
	apply(t, dir, strings.Replace(d.document, "  settings:", "  token: file:"+token+"\n  settings:", 1))
	a := start(t, settings(dir, "one"))
	r := a.units.get("desk").report()
	if r.Eligible || !strings.Contains(r.Reason, token) {
		t.Errorf("without its secret the report is %+v", r)
	}
	post(t, a, "shop", alertNamed("x", "open"))
	if isActive(t, a, "desk") {
		t.Error("Active for a document it cannot run")
	}
	if err := os.WriteFile(token, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	apply(t, dir, strings.Replace(d.document, "  settings:", "  token: file:"+token+"\n  settings:", 1))
	eventually(t, "the alert that waited has its ticket", func() bool { return d.subjects()["trouble with x"] == 1 })
}

func TestDocumentOfANewerProgram(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document)
	doc, err := connector.Parse([]byte(d.document))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("name: desk", "name: future", "kind: webhook", "kind: telepathy").Replace(d.document)
	save(t, dir, store.SaveDocument{Connector: "future", Text: text, Settings: HASettings(doc)})
	a := start(t, settings(dir, "one"))
	eventually(t, "the other connector works", func() bool { return isActive(t, a, "desk") })
	r := a.units.get("future").report()
	if r.Eligible || !strings.Contains(r.Reason, "telepathy") {
		t.Errorf("the report of a document this program cannot run is %+v", r)
	}
	if isActive(t, a, "future") {
		t.Error("Active for a document it cannot run")
	}
	post(t, a, "shop", alertNamed("x", "open"))
	eventually(t, "the other connector's ticket", func() bool { return d.subjects()["trouble with x"] == 1 })

	apply(t, dir, strings.Replace(d.document, "name: desk", "name: future", 1))
	eventually(t, "the alert taken in before has its second ticket", func() bool { return d.subjects()["trouble with x"] == 2 })
}

func TestRefusals(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document)
	first := start(t, settings(dir, "one"))
	for name, change := range map[string]func(*config.Config){
		"without high availability": func(c *config.Config) { c.HighAvailability = false },
		"another management group":  func(c *config.Config) { c.ManagementGroup = "other" },
		"a name that is in use":     func(c *config.Config) { c.Server = "one" },
		"an address in use":         func(c *config.Config) { c.Listen = first.Addr() },
	} {
		t.Run(name, func(t *testing.T) {
			c := settings(dir, "two")
			change(&c)
			err := New(Options{Config: c}).Start(t.Context())
			if fault.KindOf(err) != fault.Refused || fault.Message(err) == "" {
				t.Errorf("start: %v, want it refused with a reason", err)
			}
		})
	}
}

func TestProbesAndMetrics(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document)
	a := start(t, settings(dir, "one"))
	eventually(t, "Active", func() bool { return isActive(t, a, "desk") })
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/active/desk": 200, "/active/none": 404, "/": 200, "/metrics": 200, "/nothing": 404,
	} {
		if status, body := get(t, a, path); status != want {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}
	post(t, a, "shop", alertNamed("x", "open"))
	eventually(t, "the delivery is counted", func() bool {
		_, text := get(t, a, "/metrics")
		return strings.Contains(text, `tieline_delivery_seconds_count{connector="desk"} 1`)
	})
	_, text := get(t, a, "/metrics")
	for _, want := range []string{
		`tieline_state{connector="desk",state="Active"} 1`, `tieline_epoch{connector="desk"} 1`, `tieline_links_due{connector="desk"} 0`,
		`tieline_takeovers_total{connector="desk",reason="first start"} 1`, `tieline_database_up 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics has no line %s", want)
		}
	}
}

func TestRequestsNameTheServer(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	agents := make(chan string, 100)
	d.Always(func(r *http.Request) (well remotetest.Fault) {
		agents <- r.UserAgent()
		return well
	})
	apply(t, dir, d.document)
	a := start(t, settings(dir, "one"))
	post(t, a, "shop", alertNamed("x", "open"))
	if agent := <-agents; agent != "tieline/"+Version()+" (one)" {
		t.Errorf("the desk was called by %q", agent)
	}
}

func TestAdministrationNeedsTheKey(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	apply(t, dir, d.document)
	a := start(t, settings(dir, "one"))
	for _, key := range []string{"", "Bearer wrong", a.group.NudgeKey.Reveal()} {
		req, err := http.NewRequest(http.MethodPost, "http://"+a.Addr()+"/v1/connectors/desk/reconcile", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("with %.10q: %d, want 401", key, resp.StatusCode)
		}
	}
}
