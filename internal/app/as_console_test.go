package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/alert"
	"tieline/internal/api"
	"tieline/internal/intake"
)

// answer is what an operation of the API answered.
type answer struct {
	status int
	etag   string
	body   map[string]any
	text   string
}

// ask calls an operation as a visitor.
func (w *wall) ask(v visitor, method, path, match, body string) answer {
	w.Helper()
	mux := http.NewServeMux()
	w.web.mount(mux)
	r := v.request(method, api.Prefix+path)
	sent := httptest.NewRequest(method, api.Prefix+path, strings.NewReader(body))
	sent.Header = r.Header
	sent.Header.Set("Content-Type", "application/json")
	if match != "" {
		sent.Header.Set("If-Match", match)
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, sent)
	got := answer{status: rec.Code, etag: rec.Header().Get("ETag"), text: rec.Body.String()}
	if got.text != "" {
		if err := json.Unmarshal(rec.Body.Bytes(), &got.body); err != nil {
			w.Errorf("%s %s: %v\n%s", method, path, err, got.text)
		}
	}
	return got
}

func (w *wall) is(got answer, status int, says string) {
	w.Helper()
	if got.status != status || !strings.Contains(got.text, says) {
		w.Errorf("%d, want %d with %q\n%s", got.status, status, says, got.text)
	}
}

// TestSourcesByTheAPI: the last alert seen of a source, and a token for it.
func TestSourcesByTheAPI(t *testing.T) {
	w := newWall(t)
	operator, viewer := w.token(access.Operator), w.token(access.Viewer)
	w.is(w.ask(viewer, "GET", "/connectors/nope/sources", "", ""), 404, "nope")
	before := w.ask(viewer, "GET", "/connectors/desk/sources", "", "")
	w.is(before, 200, `"name":"shop"`)
	if strings.Contains(before.text, "last_alert_at") || strings.Contains(before.text, `"token"`) {
		t.Error("an alert or a token that there is not: " + before.text)
	}
	_, err := w.db.Accept(t.Context(), intake.Batch{Server: "one", Generation: 1, Items: []intake.Observed{{
		Observation: alert.Observation{Source: "shop", Key: "k", Status: alert.Open},
		Route:       func(*alert.Alert) []intake.Routing { return []intake.Routing{{Connector: "desk"}} },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	w.is(w.ask(viewer, "GET", "/connectors/desk/sources", "", ""), 200, "last_alert_at")

	const path = "/connectors/desk/sources/shop/token"
	w.is(w.ask(viewer, "POST", path, before.etag, ""), 403, "operator")
	w.is(w.ask(operator, "POST", path, "", ""), 428, "If-Match")
	w.is(w.ask(operator, "POST", path, `"v7.r7"`, ""), 412, "changed in between")
	w.is(w.ask(operator, "POST", "/connectors/desk/sources/none/token", before.etag, ""), 404, "no source none")
	made := w.ask(operator, "POST", path, before.etag, "")
	w.is(made, 201, `"reference":"env:SHOP_TOKEN"`)
	text, _ := made.body["token"].(string)
	if len(text) < 40 || made.body["draft"] != true || made.etag == before.etag {
		t.Errorf("made %+v", made)
	}
	draft := w.ask(operator, "GET", "/connectors/desk/draft", "", "")
	w.is(draft, 200, "env:SHOP_TOKEN")
	if strings.Contains(draft.text, text) || draft.etag != made.etag {
		t.Error("the draft has the token, or is another: " + draft.etag)
	}
	// Where there is a reference, the draft stays as it is, and the token is another.
	again := w.ask(operator, "POST", path, made.etag, "")
	if again.status != 201 || again.etag != made.etag || again.body["token"] == text {
		t.Errorf("made again %+v", again)
	}
	w.is(w.ask(operator, "POST", path, "*", ""), 201, "env:SHOP_TOKEN")
	entries, err := w.db.Entries(t.Context(), access.Query{Limit: 1})
	if err != nil || len(entries) != 1 || entries[0].Action != "make-source-token" || strings.Contains(entries[0].Detail, text) || entries[0].Outcome != access.Done {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}

// TestOneselfByTheAPI: one's own password and sessions, for those who have them.
func TestOneselfByTheAPI(t *testing.T) {
	w := newWall(t)
	s := w.web.services.access
	const first, second = "correct horse battery", "another horse battery"
	if _, err := s.ChangeAccount(t.Context(), "viewer", access.Change{Password: first}); err != nil {
		t.Fatal(err)
	}
	change := func(v visitor, present, next string) answer {
		return w.ask(v, "POST", "/me/password", "", `{"present": "`+present+`", "password": "`+next+`"}`)
	}
	token := w.token(access.Viewer)
	w.is(change(token, first, second), 403, "is an API token")
	w.is(w.ask(token, "DELETE", "/me/sessions", "", ""), 403, "is an API token")
	me, other := w.session(access.Viewer), w.session(access.Viewer)
	w.is(change(me, "a wrong one, surely", second), 400, "is not the present password")
	w.is(change(me, first, "short"), 422, "password")
	forged := me
	forged.csrf = "forged"
	w.is(change(forged, first, second), 403, "")
	w.is(change(me, first, second), 204, "")
	for _, v := range []visitor{me, other} {
		w.is(w.ask(v, "GET", "/me", "", ""), 401, "")
	}
	if _, err := s.SignIn(t.Context(), "viewer", second, access.Origin{Address: "192.0.2.1"}); err != nil {
		t.Error(err)
	}
	me, other = w.session(access.Viewer), w.session(access.Viewer)
	operator := w.session(access.Operator)
	w.is(w.ask(me, "DELETE", "/me/sessions", "", ""), 200, `"ended":2`)
	w.is(w.ask(other, "GET", "/me", "", ""), 401, "")
	w.is(w.ask(operator, "GET", "/me", "", ""), 200, "operator")

	a, err := w.db.AddAccount(t.Context(), access.Account{Name: "olga", Kind: access.OIDC, Subject: "s", Role: access.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	w.is(change(w.signedIn(a, access.ViaOIDC), first, second), 409, "the OpenID provider has it")
}

// signedIn is the visitor with a new session of an account.
func (w *wall) signedIn(a access.Account, via string) visitor {
	w.Helper()
	rec := httptest.NewRecorder()
	if err := w.web.guard.SignIn(rec, httptest.NewRequest("POST", guard.SignInPath, nil), a, via); err != nil {
		w.Fatal(err)
	}
	v := visitor{Principal: access.Principal{Name: a.Name, Role: a.Role, Via: via}, cookie: cookieOf(rec)}
	mux := http.NewServeMux()
	w.web.guard.Mount(mux, []guard.Route{{Pattern: "GET /token", Needs: access.View, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write([]byte(guard.Token(r.Context())))
	})}})
	rec = httptest.NewRecorder()
	mux.ServeHTTP(rec, v.request("GET", "/token"))
	v.csrf = rec.Body.String()
	return v
}

// TestWhoWasActiveByTheAPI asks for a connector that nobody was ever Active for, and
// beyond what is answered.
func TestWhoWasActiveByTheAPI(t *testing.T) {
	w := newWall(t)
	viewer := w.token(access.Viewer)
	w.is(w.ask(viewer, "GET", "/connectors/nope/history", "", ""), 404, "nope")
	w.is(w.ask(viewer, "GET", "/connectors/desk/history?hours=9999", "", ""), 422, "query.hours")
	never := w.ask(viewer, "GET", "/connectors/desk/history", "", "")
	w.is(never, 200, `"active":[],"gaps":[]`)
	if _, goes := never.body["nobody"]; goes {
		t.Errorf("nobody ever was Active, and a gap goes on: %s", never.text)
	}
	w.is(w.ask(viewer, "GET", "/connectors/desk/history?hours=1", "", ""), 200, `"complete":true`)
}

// TestParkedRequestsSayWhatIsWrong: a connector that there is not, and a request that
// names nothing, are told as such.
func TestParkedRequestsSayWhatIsWrong(t *testing.T) {
	w := newWall(t)
	operator := w.token(access.Operator)
	w.is(w.ask(operator, "GET", "/parked?connector=desk", "", ""), 200, `"items":[]`)
	w.is(w.ask(operator, "GET", "/alerts?connector=desk", "", ""), 200, `"items":[]`)
	for _, list := range []string{"/parked", "/alerts"} {
		w.is(w.ask(operator, "GET", list+"?connector=nosuch", "", ""), 404, "there is no connector")
	}
	w.is(w.ask(operator, "POST", "/parked/retry", "", `{}`), 400, "no parked link is named")
	w.is(w.ask(operator, "POST", "/parked/retry", "", `{"all":true,"connector":"nosuch"}`), 404, "nosuch")
	w.is(w.ask(operator, "POST", "/parked/give-up", "*", `{"all":true,"connector":"nosuch","reason":"noise"}`), 404, "nosuch")
}
