package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"tieline/internal/access"
	"tieline/internal/api"
)

// matched is an operation that takes If-Match, and how it is tried.
type matched struct {
	id, method, path, body string
	tag                    string // where the right ETag is read
	other                  string // an ETag that is not right
	any                    int    // what "*" is answered by
	refused                string // a body that is refused for another reason than the tag; "" = none
}

// elsewhere are the operations whose tags other tests try: of links and alerts
// (TestWhatWasSentIsKept), and where If-Match is the beginning of a comparison and
// not of a change.
var elsewhere = []string{
	"edit-alert", "retry-alert", "give-alert-up", "take-alert-up", "retry-parked", "give-parked-up",
	"compare-draft", "resolve-draft", "make-source-token",
}

// TestEveryIfMatch: without If-Match a change is 428, with another tag 412, "*"
// is taken, and what is refused although the tag is right is 409.
func TestEveryIfMatch(t *testing.T) {
	const document, active = "/connectors/desk", "/connectors/desk/active/fra1"
	settings := `{"polling_interval_seconds":30,"tolerance":3,"failback":"manual"}`
	table := []matched{
		{"move-server", "POST", document + "/order/lon1", `{"by":-1}`, document + "/order", `"0011223344556677"`, 200, `{"by":5}`},
		{"make-active", "POST", active, "", active, `"7.lon1.."`, 202, ""},
		{"set-availability", "PUT", document + "/availability", settings, document + "/availability", `"77"`, 200, ""},
		{"save-draft", "PUT", document + "/draft", `{"text":"name: desk\n"}`, document + "/draft", `"v77.r0"`, 200, ""},
		{"edit-draft", "PATCH", document + "/draft", `{"set":[{"path":"description","value":"x"}]}`, document + "/draft", `"v1.r77"`, 200, ""},
		{"discard-draft", "DELETE", document + "/draft", "", document + "/draft", `"v1.r77"`, 204, ""},
		{"apply-draft", "POST", document + "/draft/apply", `{}`, document + "/draft", `"v1.r77"`, 409, ""}, // there is none by now
		{"roll-back", "POST", document + "/versions/1/roll-back", "", document + "/document", `"77"`, 409, ""},
		{"change-account", "PATCH", "/accounts/viewer", `{"role":"operator"}`, "/accounts/viewer", `"77"`, 200, ""},
		{"remove-account", "DELETE", "/accounts/viewer", "", "/accounts/viewer", `"77"`, 204, ""},
	}
	c := newClient(t)
	c.join()
	c.who = c.token(access.Admin)
	var known []string
	for _, o := range table {
		known = append(known, o.id)
		c.ask(http.StatusPreconditionRequired, o.method, o.path, "", o.body)
		c.ask(http.StatusPreconditionFailed, o.method, o.path, o.other, o.body)
		if o.refused != "" {
			tag, _ := c.ask(http.StatusOK, "GET", o.tag, "", "")
			c.ask(http.StatusConflict, o.method, o.path, tag, o.refused)
		}
		c.ask(o.any, o.method, o.path, "*", o.body)
	}
	for _, op := range c.operations() {
		if op.takes("header", "If-Match") && !slices.Contains(known, op.ID) && !slices.Contains(elsewhere, op.ID) {
			t.Errorf("nobody tries the If-Match of %s", op.ID)
		}
	}
}

// TestRefusedWithTheRightTag: a client that reads again after 412 and repeats must
// come to an end, so what the document itself refuses is 409.
func TestRefusedWithTheRightTag(t *testing.T) {
	c := newClient(t)
	c.who = c.token(access.Admin)
	const desk, draft = "/connectors/desk", "/connectors/desk/draft"
	tagOf := func(path string) string { tag, _ := c.ask(200, "GET", path, "", ""); return tag }

	_, problem := c.ask(409, "POST", desk+"/versions/1/roll-back", tagOf(desk+"/document"), "")
	c.says(problem, "version 1 is the current one")
	_, problem = c.ask(409, "DELETE", draft, tagOf(draft), "")
	c.says(problem, "has no draft")
	_, problem = c.ask(409, "POST", draft+"/apply", tagOf(draft), `{}`)
	c.says(problem, "has no draft")

	c.ask(200, "PATCH", draft, tagOf(draft), `{"set":[{"path":"description","value":"mine"}]}`)
	before := tagOf(draft)
	c.ask(200, "PUT", desk+"/availability", "*", `{"polling_interval_seconds":20,"tolerance":3,"failback":"manual"}`) // a version is applied meanwhile
	for _, change := range [][3]string{
		{"PATCH", draft, `{"set":[{"path":"description","value":"x"}]}`}, {"DELETE", draft, ""}, {"POST", draft + "/apply", `{}`},
	} {
		_, problem = c.ask(412, change[0], change[1], before, change[2])
		c.says(problem, "meanwhile")
	}
	_, problem = c.ask(409, "POST", draft+"/apply", tagOf(draft), `{}`)
	c.says(problem, "after the draft was begun")
	_, problem = c.ask(409, "POST", draft+"/apply", "*", `{}`)
	c.says(problem, "after the draft was begun")
	c.ask(204, "DELETE", draft, tagOf(draft), "")
}

// operations are those of the OpenAPI document.
func (c *client) operations() (all []operation) {
	c.Helper()
	rec := httptest.NewRecorder()
	c.mux.ServeHTTP(rec, c.who.request("GET", api.Prefix+"/openapi.json"))
	var spec struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &spec); err != nil || len(spec.Paths) == 0 {
		c.Fatalf("the document has %d paths: %v", len(spec.Paths), err)
	}
	for _, item := range spec.Paths {
		for _, o := range item {
			all = append(all, o)
		}
	}
	return all
}
