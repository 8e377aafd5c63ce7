package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tieline/internal/access"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/remote"
	"tieline/internal/service/documents"
	"tieline/internal/store"
)

const shop = "name: shop # ours\nsources: [{name: am, kind: generic}]\nremote: {kind: files}\nseverity: {map: {critical: high}}\n"

// documentsDesk answers the document operations, as an administrator asks.
func documentsDesk(t *testing.T) *httptest.Server {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tieline.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.SaveDocument(t.Context(), store.SaveDocument{Connector: "shop", Text: shop, Who: "cli", Settings: ha.Settings{Polling: time.Second, Tolerance: 3, Failback: ha.Manual}})
	if err != nil {
		t.Fatal(err)
	}
	s := documents.New(db, documents.Kinds{
		Check:    func(*connector.Document) []fault.Problem { return nil },
		Settings: func(*connector.Document) ha.Settings { return ha.Settings{Polling: time.Second, Tolerance: 3} },
		Notes:    func(*connector.Document) []fault.Problem { return nil },
		Adapter:  func(*connector.Document) (remote.Adapter, error) { return nil, fault.New(fault.Invalid, "none here") },
	})
	mux := http.NewServeMux()
	for _, r := range New(Services{Documents: s}, Options{}) {
		mux.Handle(r.Pattern, r.Handler)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Principal{Name: "root", Role: access.Admin})))
	}))
	t.Cleanup(server.Close)
	return server
}

// call asks and returns status, ETag and the answer as JSON.
func call(t *testing.T, method, url, match, body string) (status int, etag string, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return resp.StatusCode, resp.Header.Get("ETag"), answer
}

func TestDraftThroughTheAPI(t *testing.T) {
	url := documentsDesk(t).URL + Prefix + "/connectors/shop"
	status, first, answer := call(t, http.MethodGet, url+"/draft", "", "")
	if status != 200 || first != `"v1.r0"` || answer["draft"] != false || answer["text"] != shop {
		t.Fatalf("%d %s %v", status, first, answer)
	}
	edit := `{"set": [{"path": "severity.map.warning", "value": "low"}, {"path": "limits.rate", "value": 5}]}`
	if status, _, _ := call(t, http.MethodPatch, url+"/draft", "", edit); status != 428 {
		t.Errorf("an edit of nothing that was read: %d", status)
	}
	status, second, answer := call(t, http.MethodPatch, url+"/draft", first, edit)
	text, _ := answer["text"].(string)
	if status != 200 || second != `"v1.r1"` || !strings.Contains(text, "warning: low") || !strings.Contains(text, "rate: 5\n") || !strings.Contains(text, "# ours") {
		t.Fatalf("%d %s %v", status, second, answer)
	}
	if changes, _ := answer["changes"].([]any); len(changes) != 2 {
		t.Errorf("changes %v", answer["changes"])
	}
	other := strings.Replace(shop, "high", "top", 1)
	asJSON, _ := json.Marshal(map[string]string{"text": other})
	if status, _, _ = call(t, http.MethodPut, url+"/draft", first, string(asJSON)); status != 412 {
		t.Errorf("an edit of what is no more: %d", status)
	}
	status, _, answer = call(t, http.MethodPost, url+"/draft/compare", first, string(asJSON))
	merged, _ := answer["merged_mine"].(string)
	if status != 200 || !strings.Contains(merged, "critical: top") || !strings.Contains(merged, "rate: 5") || answer["etag"] != second {
		t.Fatalf("%d %v", status, answer)
	}
	asJSON, _ = json.Marshal(map[string]string{"text": merged})
	status, third, _ := call(t, http.MethodPost, url+"/draft/resolve", second, string(asJSON))
	if status != 200 || third != `"v1.r2"` {
		t.Fatalf("%d %s", status, third)
	}
	if status, _, answer = call(t, http.MethodGet, url+"/draft/dry-run?alerts=10", "", ""); status != 200 || answer["looked"] != 0.0 {
		t.Errorf("%d %v", status, answer)
	}
	status, tag, answer := call(t, http.MethodPost, url+"/draft/apply", third, `{"comment": "as agreed"}`)
	if status != 200 || tag != `"2"` || answer["text"] != merged || answer["comment"] != "as agreed" || answer["who"] != "root" {
		t.Fatalf("%d %s %v", status, tag, answer)
	}
	if status, _, _ = call(t, http.MethodDelete, url+"/draft", third, ""); status != 412 {
		t.Errorf("discarded after it was applied: %d", status)
	}
}

func TestVersionsThroughTheAPI(t *testing.T) {
	url := documentsDesk(t).URL + Prefix + "/connectors/shop"
	_, etag, _ := call(t, http.MethodGet, url+"/draft", "", "")
	_, etag, _ = call(t, http.MethodPatch, url+"/draft", etag, `{"set": [{"path": "severity.map.critical", "value": "top"}]}`)
	if status, _, _ := call(t, http.MethodPost, url+"/draft/apply", etag, `{}`); status != 200 {
		t.Fatalf("apply: %d", status)
	}
	status, _, answer := call(t, http.MethodGet, url+"/versions?limit=1", "", "")
	items, _ := answer["items"].([]any)
	if status != 200 || len(items) != 1 || answer["next"] == nil || items[0].(map[string]any)["version"] != 2.0 {
		t.Fatalf("%d %v", status, answer)
	}
	status, _, answer = call(t, http.MethodGet, url+"/versions?limit=1&cursor="+answer["next"].(string), "", "")
	items, _ = answer["items"].([]any)
	if status != 200 || len(items) != 1 || answer["next"] != nil || items[0].(map[string]any)["version"] != 1.0 {
		t.Fatalf("%d %v", status, answer)
	}
	status, _, answer = call(t, http.MethodGet, url+"/versions/2/diff", "", "")
	if changes, _ := answer["changes"].([]any); status != 200 || len(changes) != 1 || !strings.Contains(answer["diff"].(string), "+severity") {
		t.Errorf("%d %v", status, answer)
	}
	if status, _, _ = call(t, http.MethodGet, url+"/versions/1/diff", "", ""); status != 404 {
		t.Errorf("what was before the first: %d", status)
	}
	if status, _, _ = call(t, http.MethodPost, url+"/versions/1/roll-back", `"1"`, ""); status != 412 {
		t.Errorf("rolled back from a version that is not current: %d", status)
	}
	status, tag, answer := call(t, http.MethodPost, url+"/versions/1/roll-back", `"2"`, "")
	if status != 200 || tag != `"3"` || answer["text"] != shop {
		t.Errorf("%d %s %v", status, tag, answer)
	}
	if status, tag, _ = call(t, http.MethodGet, url+"/document", "", ""); status != 200 || tag != `"3"` {
		t.Errorf("%d %s", status, tag)
	}
	if status, _, answer = call(t, http.MethodGet, url+"/document/running", "", ""); status != 200 || answer["version"] != 3.0 {
		t.Errorf("%d %v", status, answer)
	}
}

func TestNewConnectorThroughTheAPI(t *testing.T) {
	url := documentsDesk(t).URL + Prefix + "/connectors"
	body := `{"name": "fresh", "text": "name: fresh\nsources: [{name: x, kind: generic}]\nremote: {kind: files}\n"}`
	status, etag, answer := call(t, http.MethodPost, url, "", body)
	if status != 201 || etag != `"v0.r1"` || answer["base"] != 0.0 {
		t.Fatalf("%d %s %v", status, etag, answer)
	}
	if status, _, _ = call(t, http.MethodPost, url, "", body); status != 409 {
		t.Errorf("made twice: %d", status)
	}
	for _, try := range []struct {
		path string
		want int
	}{{"/fresh/draft/count?subscription=severity+%3D%3D+%22x%22", 200}, {"/fresh/draft/value?template=x", 404}, {"/nosuch/draft", 404}} {
		if status, _, _ = call(t, http.MethodGet, url+try.path, "", ""); status != try.want {
			t.Errorf("%s: %d", try.path, status)
		}
	}
	if status, _, _ = call(t, http.MethodPost, url+"/fresh/draft/probe", "", `{"endpoint": 0}`); status != 400 {
		t.Errorf("a probe of what cannot be called: %d", status)
	}
	if status, _, _ = call(t, http.MethodPost, url+"/fresh/draft/apply", etag, `{}`); status != 200 {
		t.Errorf("apply: %d", status)
	}
}

// TestSourcesOfADraftThatCannotBeRead: nobody knows which sources it has, which is
// not to have none.
func TestSourcesOfADraftThatCannotBeRead(t *testing.T) {
	url := documentsDesk(t).URL + Prefix + "/connectors/shop"
	_, live, _ := call(t, http.MethodGet, url+"/draft", "", "")
	status, draft, answer := call(t, http.MethodPut, url+"/draft", live, `{"text": "name: [shop\n"}`)
	if status != 200 {
		t.Fatalf("%d %v", status, answer)
	}
	for path, method := range map[string]string{"/sources": http.MethodGet, "/sources/am/token": http.MethodPost} {
		status, _, answer := call(t, method, url+path, draft, "")
		detail, _ := answer["detail"].(string)
		if status != 409 || !strings.Contains(detail, "the draft of connector shop cannot be read: ") || answer["next"] == nil {
			t.Errorf("%s %s: %d %v", method, path, status, answer)
		}
	}
}
