package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestAWrongFilterIsRefused: no page shows everything where somebody asked for a
// part of it by a word that it does not know.
func TestAWrongFilterIsRefused(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.role = "admin"
	const desk = "/connectors/desk"
	for _, c := range []struct{ path, name, value, takes string }{
		{"/alerts", "status", "bogus", "open, closed"}, {"/alerts", "overdue", "maybe", "it takes 1"},
		{desk + "/alerts", "status", "OPEN", "open, closed"}, {desk + "/alerts", "stage", "zzz", "fresh, uncertain, looked, verify, twins, settled"},
		{desk + "/alerts", "before", "zzz", "a place that a link to older alerts names"}, {desk + "/alerts", "before", "1.zzz", "a place"},
		{desk + "/alerts", "parked", "maybe", "it takes 1"},
		{"/", "show", "all", "attention"}, {"/", "page", "-1", "a page's number, from 1"}, {"/servers", "page", "two", "a page's number, from 1"},
		{desk, "window", "2h", "1h, 24h, 7d, 30d"}, {desk + "/history", "window", "x", "1h, 24h, 7d, 30d"}, {desk + "/history", "before", "0", "older changes"},
		{"/history", "before", "yesterday", "older changes"}, {"/parked", "after", "zzz", "older ones"}, {"/settings/audit", "before", "zzz", "older entries"},
		{desk + "/draft", "show", "bogus", "fails, "}, {desk + "/draft", "try", "many", "a number of alerts"}, {desk + "/draft", "from", "-3", "a number of alerts"},
	} {
		address := c.path + "?q=disk&" + c.name + "=" + url.QueryEscape(c.value)
		page := b.get(address, http.StatusBadRequest)
		b.says(page, c.name+" : there is no \""+c.value+"\"", c.takes, "The page without a filter")
		if !strings.Contains(page, `href="`+c.path+`">The page without a filter`) {
			t.Errorf("%s does not lead to the page without a filter", address)
		}
	}
	// The forms send what nobody filled in.
	for _, path := range []string{"/alerts?q=&status=&stage=&connector=&parked=1", "/?show=&q=", desk + "/history?window=", desk + "/draft?try=50&show="} {
		b.get(path, http.StatusOK)
	}
}

// TestNextStepsAreOfTheConsole: nobody who uses a browser is told to type a
// command for what a page has.
func TestNextStepsAreOfTheConsole(t *testing.T) {
	b := newBench(t)
	b.connector()
	for path, says := range map[string]string{
		"/alerts/xyz": "Look for it in the list of alerts", "/alerts/00000000-0000-4000-8000-000000000000": "Look for it in the list of alerts",
		"/connectors/none": "", "/connectors/none/remote": "The overview lists the connectors", "/connectors/none/draft": "The overview lists the connectors",
		"/connectors/desk/history/roll-back?to=7": "", "/servers/none/remove": "", "/connectors/desk/make-active?server=none": "has no server none",
	} {
		w := httptest.NewRecorder()
		r := b.request(http.MethodGet, path, nil)
		if b.mux.ServeHTTP(w, r); w.Code == http.StatusSeeOther {
			next := b.request(http.MethodGet, w.Header().Get("Location"), nil)
			for _, cookie := range w.Result().Cookies() {
				next.AddCookie(cookie)
			}
			w = httptest.NewRecorder()
			b.mux.ServeHTTP(w, next)
		}
		if said := text(w.Body.String()); strings.Contains(said, "tieline ") || !strings.Contains(said, says) {
			t.Errorf("%s says %s", path, said)
		}
	}
	if page := b.get("/alerts/xyz", http.StatusNotFound); !strings.Contains(page, `href="/alerts">Alerts</a>`) {
		t.Errorf("there is no way to the list:\n%s", page)
	}
}
