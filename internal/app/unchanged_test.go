package app

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/service/availability"
)

// TestTheAuditTellsWhatChangedNothing does what changes nothing, or cannot be done,
// in every way there is, and reads what the audit says of it.
func TestTheAuditTellsWhatChangedNothing(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, newDesk(t).document)
	a := start(t, settings(dir, "one"))
	s := a.web.services.access
	for name, role := range map[string]access.Role{"ann": access.Admin, "bob": access.Viewer} {
		if _, err := s.AddAccount(t.Context(), name, password, role); err != nil {
			t.Fatal(err)
		}
	}
	_, token, err := s.CreateToken(t.Context(), access.NewToken{Name: "root", Role: access.Admin, Valid: access.MaxTokenTime, Who: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	says := func(action string, want access.Outcome) {
		t.Helper()
		all, err := s.Audit(t.Context(), access.Query{Limit: 1})
		if err != nil || len(all) != 1 || all[0].Action != action || all[0].Outcome != want {
			t.Errorf("after %s, which is %s, the newest entry is %+v: %v", action, want, all, err)
		}
	}
	var etag string
	do := func(status int, method, path, body string) (answer map[string]any) {
		t.Helper()
		resp := call(t, method, "http://"+a.Addr()+"/api/v1"+path, token.Reveal(), body, "If-Match", etag)
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status {
			t.Fatalf("%s %s: %d: %s: %v", method, path, resp.StatusCode, text, err)
		}
		etag = resp.Header.Get("ETag")
		if len(text) > 0 {
			if err := json.Unmarshal(text, &answer); err != nil {
				t.Fatal(err)
			}
		}
		return answer
	}
	asJSON := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	do(200, "PUT", "/connectors/desk/availability", asJSON(do(200, "GET", "/connectors/desk/availability", "")))
	says("set-availability", access.Unchanged)
	etag = "*"
	do(200, "PATCH", "/accounts/bob", `{"role":"viewer"}`)
	says("change-account", access.Unchanged)
	do(200, "DELETE", "/accounts/bob/sessions", "")
	says("end-sessions", access.Unchanged)
	do(200, "POST", "/parked/retry", `{"all":true}`)
	says("retry-parked", access.Unchanged)

	live := do(200, "GET", "/connectors/desk/draft", "")["text"].(string)
	do(200, "PUT", "/connectors/desk/draft", asJSON(map[string]string{"text": live}))
	says("save-draft", access.Unchanged)
	do(200, "PUT", "/connectors/desk/draft", asJSON(map[string]string{"text": live + "# a note\n"}))
	says("save-draft", access.Done)
	do(200, "PUT", "/connectors/desk/draft", asJSON(map[string]string{"text": live}))
	says("save-draft", access.Done)
	if v := do(200, "POST", "/connectors/desk/draft/apply", `{}`)["version"]; v != 1.0 {
		t.Errorf("the same document is version %v", v)
	}
	says("apply-draft", access.Unchanged)
	if there := do(200, "GET", "/connectors/desk/draft", "")["draft"]; there != false {
		t.Error("its draft is there still")
	}

	p := newPerson(t)
	base := "http://" + a.Addr()
	if status, path, page := p.send(base+"/sign-in", "/sign-in", url.Values{"name": {"ann"}, "password": {password}}); status != 200 || path != "/" {
		t.Fatalf("ann signs in: %d at %s: %s", status, path, page)
	}
	says("sign in", access.Done)
	seen := availability.OrderTag([]string{"one"})
	_, _, page := p.send(base+"/connectors/desk", "/connectors/desk/order", url.Values{"server": {"one"}, "by": {"-1"}, "seen": {seen}})
	if !strings.Contains(page, "is the only one in") {
		t.Errorf("the only server is moved up: %s", page)
	}
	says("move server", access.Failed)
}
