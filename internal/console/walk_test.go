package console_test

import (
	"net/http"
	"regexp"
	"strings"

	"tieline/internal/access"
)

// notWalked are the pages that are not asked over many connectors, with why.
var notWalked = map[string]string{
	"GET /live":                            "a stream; it asks what its page asks",
	"GET /":                                "there is no such page",
	"GET /connectors":                      "leads to the overview",
	"GET /assets/{name}":                   "a file",
	"GET /favicon.ico":                     "a file",
	"GET /sign-in":                         "one row, of the set-up; it needs the guard",
	"GET /sign-in/oidc":                    "leads on; it needs a provider",
	"GET /sign-in/oidc/begin":              "leads on; it needs a provider",
	"GET /set-up":                          "one row, of the set-up",
	"GET /settings/audit":                  "accounts, tokens and the audit do not grow with connectors or links",
	"GET /settings/tokens":                 "as the audit",
	"GET /settings":                        "leads to the accounts",
	"GET /settings/accounts/{name}":        "as the audit",
	"GET /settings/accounts/{name}/remove": "as the audit",
	"GET /settings/accounts":               "as the audit",
	"GET /settings/tokens/{name}/revoke":   "as the audit",
}

// asked is what pages need in their address besides the parameters.
var asked = map[string]string{
	"GET /alerts/{alert}/give-up":                   "?connector=desk",
	"GET /connectors/{connector}/make-active":       "?server=fra1",
	"GET /connectors/{connector}/history/roll-back": "?to=1",
	"GET /connectors/{connector}/draft":             "?try=50",
}

// walk returns the addresses of every page of the route table that shows
// connectors or links, with those of an alert of the database.
func (b *bench) walk() map[string]string {
	b.Helper()
	b.role = access.Admin
	links := regexp.MustCompile(`/alerts/([0-9a-f-]{36})`).FindStringSubmatch(b.get("/alerts", http.StatusOK))
	if links == nil {
		b.Fatal("the list shows no alert")
	}
	fill := strings.NewReplacer("{$}", "", "{connector}", "desk", "{alert}", links[1], "{server}", "fra1")
	paths, left := map[string]string{}, 0
	for _, route := range b.console.Routes() {
		method, pattern, _ := strings.Cut(route.Pattern, " ")
		if method != http.MethodGet {
			continue
		}
		if notWalked[route.Pattern] != "" {
			left++
			continue
		}
		path := fill.Replace(pattern)
		if strings.Contains(path, "{") {
			b.Errorf("%s has a parameter that the walk gives no value: add one, or say in notWalked why not", route.Pattern)
			continue
		}
		paths[route.Pattern] = path + asked[route.Pattern]
	}
	if left != len(notWalked) {
		b.Errorf("notWalked names %d pages, and the route table has %d of them", len(notWalked), left)
	}
	return paths
}
