package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/api"
)

// withoutETag are the operations that change what has no version to decide on: they
// make something new, or ask for something to be done that is right or refused
// whatever was changed meanwhile. All others name what they were decided on.
var withoutETag = []string{
	"add-account", "create-token", "create-connector", // new; a name in use is refused
	"end-sessions", "revoke-token", // of a token nothing changes
	"change-own-password", "end-own-sessions", // of whoever asks; the first names the present password
	"remove-server", "refresh", // of servers, who change by themselves
	"retry-alert", "retry-parked", "give-parked-up", // of links, likewise; each may say what it was decided on
	"probe-remote", // changes nothing
}

// operation is what the test needs of one in the OpenAPI document.
type operation struct {
	ID         string                `json:"operationId"`
	Summary    string                `json:"summary"`
	Tags       []string              `json:"tags"`
	Permission string                `json:"x-permission"`
	Security   []map[string][]string `json:"security"`
	Body       json.RawMessage       `json:"requestBody"`
	Parameters []struct {
		Name string `json:"name"`
		In   string `json:"in"`
	} `json:"parameters"`
	Responses map[string]struct {
		Content map[string]json.RawMessage `json:"content"`
	} `json:"responses"`
}

func (o operation) takes(in, name string) bool {
	for _, p := range o.Parameters {
		if p.In == in && p.Name == name {
			return true
		}
	}
	return false
}

// TestEveryOperationIsDescribed reads the OpenAPI document as a client would, and
// compares it with the table of routes.
func TestEveryOperationIsDescribed(t *testing.T) {
	w := newWall(t)
	mux, rec := http.NewServeMux(), httptest.NewRecorder()
	w.web.mount(mux)
	mux.ServeHTTP(rec, w.token(access.Viewer).request("GET", api.Prefix+"/openapi.json"))
	var spec struct {
		OpenAPI string `json:"openapi"`
		Servers []struct {
			URL string `json:"url"`
		} `json:"servers"`
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &spec); err != nil || spec.OpenAPI != "3.1.0" || len(spec.Servers) != 1 || spec.Servers[0].URL != api.Prefix {
		t.Fatalf("the document is of %q for %v: %v", spec.OpenAPI, spec.Servers, err)
	}
	described := map[string]bool{}
	ids := map[string]bool{}
	for path, item := range spec.Paths {
		for method, o := range item {
			described[strings.ToUpper(method)+" "+api.Prefix+path] = true
			if ids[o.ID] {
				t.Errorf("two operations are called %s", o.ID)
			}
			ids[o.ID] = true
			w.described(method, path, o)
		}
	}
	for _, r := range w.web.routes {
		if r.API() && !described[r.Pattern] && !strings.Contains(r.Pattern, "/openapi.") && !strings.HasSuffix(r.Pattern, "/") {
			t.Errorf("%s is not described", r.Pattern)
		}
	}
	resolves(t, rec.Body.Bytes())
}

// described checks one operation.
func (w *wall) described(method, path string, o operation) {
	w.Helper()
	if o.Summary == "" || len(o.Tags) == 0 || len(o.Security) != 2 || o.Permission == "" {
		w.Errorf("%s: summary %q, tags %v, security %v, permission %q", o.ID, o.Summary, o.Tags, o.Security, o.Permission)
	}
	for _, found := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		if !o.takes("path", found[1]) {
			w.Errorf("%s does not describe %s of its path", o.ID, found[1])
		}
	}
	want := []string{"400", "401", "403", "500", "503"}
	if o.Body != nil {
		want = append(want, "413", "422")
	}
	if method != "get" && !slices.Contains(withoutETag, o.ID) {
		want = append(want, "409", "412", "428")
		if !o.takes("header", "If-Match") {
			w.Errorf("%s changes something whatever it is by now", o.ID)
		}
	}
	for _, status := range want {
		if _, ok := o.Responses[status]; !ok {
			w.Errorf("%s does not say that it may answer %s", o.ID, status)
		}
	}
	for status, r := range o.Responses {
		if _, problem := r.Content["application/problem+json"]; status >= "400" && !problem {
			w.Errorf("%s answers %s as no problem", o.ID, status)
		}
	}
	if strings.HasPrefix(o.ID, "list-") && (!o.takes("query", "limit") || !o.takes("query", "cursor")) {
		w.Errorf("%s lists without pages", o.ID)
	}
}

// resolves checks that what a document refers to is in it.
func resolves(t *testing.T, text []byte) {
	t.Helper()
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"\$ref": "#/([^"]+)"`).FindAllSubmatch(text, -1)
	if len(found) < 20 {
		t.Errorf("the document refers to %d things: it is not the whole", len(found))
	}
	for _, ref := range found {
		at := whole
		for _, step := range strings.Split(string(ref[1]), "/") {
			object, _ := at.(map[string]any)
			at = object[step]
		}
		if at == nil {
			t.Errorf("there is no %s", ref[1])
		}
	}
}
