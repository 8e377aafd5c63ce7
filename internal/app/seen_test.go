package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/ha"
	"tieline/internal/remotetest"
	"tieline/internal/store"
)

// client asks the API as an operator's token.
type client struct {
	*wall
	mux *http.ServeMux
	who visitor
}

func newClient(t *testing.T) *client {
	c := &client{wall: newWall(t), mux: http.NewServeMux()}
	c.web.mount(c.mux)
	c.who = c.token(access.Operator)
	return c
}

// ask sends a request, which must be answered so, and returns the ETag and the
// body of the answer.
func (c *client) ask(status int, method, path, ifMatch, body string) (etag string, answer map[string]any) {
	c.Helper()
	r := c.who.request(method, "/api/v1"+path)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader([]byte(body))), int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	if ifMatch != "" {
		r.Header.Set("If-Match", ifMatch)
	}
	w := httptest.NewRecorder()
	c.mux.ServeHTTP(w, r)
	if w.Code != status {
		c.Fatalf("%s %s with If-Match %s: %d, want %d: %s", method, path, ifMatch, w.Code, status, w.Body)
	}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			c.Fatal(err)
		}
	}
	return w.Header().Get("ETag"), answer
}

// says checks what a problem tells, and that it tells a next step.
func (c *client) says(problem map[string]any, what string) {
	c.Helper()
	detail, _ := problem["detail"].(string)
	if next, _ := problem["next"].(string); !strings.Contains(detail, what) || next == "" {
		c.Errorf("the problem is %v, and should say %q", problem, what)
	}
}

// join has three servers join, of which the first is Active; all can be.
func (c *client) join() {
	c.Helper()
	for i, name := range []string{"ams1", "fra1", "lon1"} {
		err := c.db.Join(c.Context(), store.Join{Server: name, Boot: name, Address: "http://" + name, Group: "g", HighAvailability: true, Promised: time.Hour})
		if err != nil {
			c.Fatal(err)
		}
		s, err := c.db.Coordinator().Open(c.Context(), name, name)
		if err != nil {
			c.Fatal(err)
		}
		c.Cleanup(func() { _ = s.Close() })
		group, err := s.Beat(c.Context(), ha.Beat{Server: name, Boot: name, Number: 1, Presence: s.Presence(), Promised: time.Hour,
			Reports: []ha.Report{{Connector: "desk", Runs: 1, Eligible: true, Reaches: true}}})
		if err != nil {
			c.Fatal(err)
		}
		if l := group.Leases[0]; i == 0 {
			if _, err := s.Take(c.Context(), ha.Take{Connector: l.Connector, Epoch: l.Epoch, Beat: l.Beat, Server: name, Boot: name,
				Promised: time.Hour, Identity: group.Identity, Reason: ha.ReasonFirst}); err != nil {
				c.Fatal(err)
			}
		}
	}
}

// TestCommandsNameWhatTheyWereDecidedOn: of two operators with the same view, the
// second is told what the first one changed, and changes nothing.
func TestCommandsNameWhatTheyWereDecidedOn(t *testing.T) {
	c := newClient(t)
	c.join()
	order := func() []any {
		_, answer := c.ask(200, "GET", "/connectors/desk/order", "", "")
		return answer["servers"].([]any)
	}
	seen, _ := c.ask(200, "GET", "/connectors/desk/order", "", "")
	_, problem := c.ask(428, "POST", "/connectors/desk/order/lon1", "", `{"by":-1}`)
	c.says(problem, "what it was decided on")
	after, moved := c.ask(200, "POST", "/connectors/desk/order/lon1", seen, `{"by":-1}`)
	if want := []any{"ams1", "lon1", "fra1"}; !slices.Equal(moved["after"].([]any), want) || !slices.Equal(order(), want) {
		t.Errorf("moved to %v, the order is %v", moved, order())
	}
	_, problem = c.ask(412, "POST", "/connectors/desk/order/lon1", seen, `{"by":-1}`)
	c.says(problem, "it is ams1, lon1, fra1 now")
	c.ask(400, "POST", "/connectors/desk/order/lon1", "lon1", `{"by":-1}`)
	if now, _ := c.ask(200, "GET", "/connectors/desk/order", "", ""); now != after {
		t.Errorf("the order's ETag is %s, told was %s", now, after)
	}
	c.ask(409, "POST", "/connectors/desk/order/ams1", "*", `{"by":-1}`)
	c.ask(200, "POST", "/connectors/desk/order/lon1", "*", `{"by":-1}`)

	seen, _ = c.ask(200, "GET", "/connectors/desk/active/fra1", "", "")
	c.ask(428, "POST", "/connectors/desk/active/fra1", "", "")
	c.ask(202, "POST", "/connectors/desk/active/fra1", seen, "")
	_, problem = c.ask(412, "POST", "/connectors/desk/active/lon1", seen, "")
	c.says(problem, "somebody has asked for fra1 to be Active")
	c.ask(202, "POST", "/connectors/desk/active/lon1", "*", "")
}

// refusing is a server that is Active for connector desk, whose remote system
// refuses every write, and somebody who operates it.
func refusing(t *testing.T) (*App, *client) {
	dir, desk := t.TempDir(), newDesk(t)
	apply(t, dir, desk.document)
	a := start(t, settings(dir, "one"))
	eventually(t, "the server is Active", func() bool { return isActive(t, a, "desk") })
	c := &client{wall: &wall{T: t, db: a.db, web: a.web}, mux: http.NewServeMux()}
	c.web.mount(c.mux)
	if _, err := a.web.services.access.AddAccount(t.Context(), "admin", password, access.Admin); err != nil {
		t.Fatal(err)
	}
	c.who = c.token(access.Operator)
	desk.Always(func(r *http.Request) remotetest.Fault {
		if r.Method == http.MethodGet {
			return remotetest.Fault{}
		}
		return remotetest.Fault{Status: http.StatusUnprocessableEntity}
	})
	return a, c
}

// TestWhatWasSentIsKept: the parked desk shows what the remote system did not
// take, also when the alert says something else by now; and what is done to a
// link is done to the link that was seen.
func TestWhatWasSentIsKept(t *testing.T) {
	a, c := refusing(t)
	post(t, a, "shop", map[string]any{"key": "disk", "summary": "disk of db1 is full"})
	var parked map[string]any
	seen := func() string {
		eventually(t, "the link is parked", func() bool {
			_, list := c.ask(200, "GET", "/parked", "", "")
			items := list["items"].([]any)
			if len(items) == 1 {
				parked = items[0].(map[string]any)
			}
			return len(items) == 1
		})
		return parked["etag"].(string)
	}
	first := seen()
	tried := func() string { return parked["tried"].(map[string]any)["text"].(string) }
	if !strings.Contains(tried(), "subject: disk of db1 is full") {
		t.Errorf("what was sent is %q", tried())
	}
	link := "/alerts/" + parked["alert"].(string)
	post(t, a, "shop", map[string]any{"key": "disk", "summary": "disk of db2 is full"})
	eventually(t, "the change is stored", func() bool { return seen() != first })
	if now := parked["message"].(map[string]any)["subject"]; !strings.Contains(tried(), "db1") || now != "disk of db2 is full" {
		t.Errorf("what was sent is %q; a retry sends %q", tried(), now)
	}
	about := `{"connector":"desk","reason":"noise"}`
	c.ask(428, "POST", link+"/give-up", "", about)
	_, problem := c.ask(412, "POST", link+"/give-up", first, about)
	c.says(problem, "it is parked: refused")
	for _, what := range []string{"/give-up", "/take-up", "/retry"} {
		asks := `{"connector":"nope","reason":"noise"}`
		if what != "/give-up" {
			asks = `{"connector":"nope"}`
		}
		_, problem := c.ask(404, "POST", link+what, first, asks)
		c.says(problem, `no connector "nope" forwards alert`)
	}
	_, problem = c.ask(412, "POST", link+"/retry", first, `{"connector":"desk"}`)
	c.says(problem, "has changed since")
	c.ask(400, "POST", link+"/retry", first, `{}`)
	named := func(etag string) string {
		text, _ := json.Marshal(map[string]any{"reason": "noise", "links": []any{map[string]any{"alert": parked["alert"], "connector": "desk", "etag": etag}}})
		return string(text)
	}
	_, problem = c.ask(412, "POST", "/parked/give-up", "", named(first))
	c.says(problem, "has changed since")
	second := seen()
	if _, given := c.ask(200, "POST", "/parked/give-up", "", named(second)); given["links"] != 1.0 {
		t.Errorf("given up are %v", given)
	}
	nameless := `{"reason":"noise","links":[{"alert":"` + parked["alert"].(string) + `","connector":"desk"}]}`
	_, problem = c.ask(428, "POST", "/parked/give-up", "", nameless)
	c.says(problem, "does not say what it was decided on")
	c.ask(409, "POST", "/parked/give-up", "*", nameless) // whatever became of it: it is parked no more
	c.ask(412, "POST", link+"/take-up", second, `{"connector":"desk"}`)
	_, shown := c.ask(200, "GET", link, "", "")
	third := shown["links"].([]any)[0].(map[string]any)["etag"].(string)
	c.ask(204, "POST", link+"/take-up", third, `{"connector":"desk"}`)
	c.ask(409, "POST", link+"/take-up", "*", `{"connector":"desk"}`)
}

// TestAStreamEndsWithItsSession: a page that keeps itself up to date is told
// nothing more once its person has signed out elsewhere.
func TestAStreamEndsWithItsSession(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, newDesk(t).document)
	a := start(t, settings(dir, "one"))
	if _, err := a.web.services.access.AddAccount(t.Context(), "ann", password, access.Admin); err != nil {
		t.Fatal(err)
	}
	p, base := newPerson(t), "http://"+a.Addr()
	if status, path, page := p.send(base+"/sign-in", "/sign-in", url.Values{"name": {"ann"}, "password": {password}}); status != 200 || path != "/" {
		t.Fatalf("ann signs in: %d at %s: %s", status, path, page)
	}
	stream, err := p.Get(base + "/live?page=/")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stream.Body)
		read <- err
	}()
	if n, err := a.web.services.access.EndSessions(t.Context(), "ann"); n != 1 || err != nil {
		t.Fatalf("%d sessions were ended: %v", n, err)
	}
	select {
	case err := <-read:
		if err != nil {
			t.Errorf("the stream ends with %v", err)
		}
	case <-time.After(guard.StreamTime / 5):
		t.Error("the stream goes on")
	}
	if status, _, _ := p.open(base + "/live?page=/"); status != http.StatusUnauthorized {
		t.Errorf("it is opened again: %d", status)
	}
}
