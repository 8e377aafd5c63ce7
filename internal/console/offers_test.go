package console_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tieline/internal/access"
)

// settingsPages are those of the settings, with which the walk over connectors has
// nothing to do.
var settingsPages = map[string]string{
	"GET /settings/accounts":               "/settings/accounts",
	"GET /settings/accounts/{name}":        "/settings/accounts/ann",
	"GET /settings/accounts/{name}/remove": "/settings/accounts/ann/remove",
	"GET /settings/tokens":                 "/settings/tokens",
	"GET /settings/tokens/{name}/revoke":   "/settings/tokens/ci/revoke",
	"GET /settings/audit":                  "/settings/audit",
}

var (
	offered   = regexp.MustCompile(`<(form|button|input|a)\b[^>]*>`)
	attribute = regexp.MustCompile(`\b(method|action|formaction|href)="([^"]*)"`)
)

// TestPagesOfferWhatTheRoleMay walks every page as every role that may see it: no
// form, button or link on it leads where that role is refused, and a page that is
// all about one change is not shown to who may not make it.
func TestPagesOfferWhatTheRoleMay(t *testing.T) {
	b := newBench(t)
	b.connector()
	b.parked(3)
	b.draft("description: another\n")
	b.accounts()
	paths := b.walk()
	for pattern, path := range settingsPages {
		paths[pattern] = path
	}
	needs := map[string]access.Permission{}
	for _, route := range b.console.Routes() {
		needs[route.Pattern] = route.Needs
	}
	for _, role := range access.Roles() {
		b.role = role
		who, shown, forms := access.Principal{Role: role}, 0, 0
		for pattern, path := range paths {
			if !who.May(needs[pattern]) {
				continue
			}
			shown++
			page := b.get(path, http.StatusOK)
			for _, tag := range offered.FindAllString(page, -1) {
				method, to := leads(tag, path)
				if to == "" {
					continue
				}
				forms += strings.Count(method, http.MethodPost)
				_, asks := b.mux.Handler(httptest.NewRequest(method, to, nil))
				if !who.May(needs[asks]) {
					t.Errorf("%s shows a %s what is refused to them: %s (%s)", path, role, tag, asks)
				}
			}
		}
		if shown < 15 || forms < shown {
			t.Errorf("%d pages with %d forms were shown to a %s: not all", shown, forms, role)
		}
	}
}

// leads says where a tag of a page asks to; "" = nowhere on this server.
func leads(tag, page string) (method, to string) {
	values := map[string]string{}
	for _, found := range attribute.FindAllStringSubmatch(tag, -1) {
		values[found[1]] = html.UnescapeString(found[2])
	}
	switch {
	case strings.HasPrefix(tag, "<a"):
		method, to = http.MethodGet, values["href"]
	case strings.HasPrefix(tag, "<form"):
		method, to = strings.ToUpper(values["method"]), values["action"]
		if method == "" {
			method = http.MethodGet
		}
		if to == "" {
			to = page
		}
	default: // a button of its own address; its form's method is post
		method, to = http.MethodPost, values["formaction"]
	}
	at, err := url.Parse(page)
	if err != nil || to == "" {
		return method, ""
	}
	there, err := at.Parse(to)
	if err != nil || there.Host != "" || there.Scheme != "" {
		return method, ""
	}
	return method, there.RequestURI()
}

// accounts makes what the settings show: an account, a token and an audit entry.
func (b *bench) accounts() {
	b.Helper()
	if _, err := b.db.AddAccount(b.Context(), access.Account{Name: "ann", Kind: access.Local, Role: access.Admin}); err != nil {
		b.Fatal(err)
	}
	_, _, err := b.access.CreateToken(b.Context(), access.NewToken{Name: "ci", Role: access.Viewer, Valid: access.MaxTokenTime, Who: "ann"})
	if err != nil {
		b.Fatal(err)
	}
	if err := b.access.Record(b.Context(), access.Entry{Who: "ann", Action: "add account", Target: "/settings/accounts", Outcome: access.Done}); err != nil {
		b.Fatal(err)
	}
}
