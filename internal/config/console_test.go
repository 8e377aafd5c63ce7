package config

import (
	"strings"
	"testing"

	"tieline/internal/fault"
)

func TestConsoleAndOIDC(t *testing.T) {
	c, err := Load(given(`
console: {url: "https://tieline.example/", proxies: [10.0.0.7, 10.1.0.0/16]}
oidc:
  issuer: https://login.example/realms/ops
  client_id: tieline
  client_secret: env:OIDC_SECRET
  admins: [ops-leads, "platform admins"]
`, map[string]string{"TIELINE_OIDC_VIEWERS": "*, guests"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Console.Origin() != "https://tieline.example" || joinPrefixes(c.Console.Proxies) != "10.0.0.7/32,10.1.0.0/16" {
		t.Errorf("console %+v", c.Console)
	}
	if !c.OIDC.On() || strings.Join(c.OIDC.Admins, "|") != "ops-leads|platform admins" || strings.Join(c.OIDC.Viewers, "|") != "*|guests" {
		t.Errorf("oidc %+v", c.OIDC)
	}
}

func TestConsoleAndOIDCProblems(t *testing.T) {
	for text, want := range map[string]string{
		"console: {url: ftp://x}":                                            "console.url",
		"console: {url: https://x/console}":                                  "console.url",
		"console: {proxies: [nowhere]}":                                      "console.proxies",
		"oidc: {client_id: x}":                                               "oidc.issuer",
		"oidc: {issuer: login}":                                              "oidc.issuer",
		"oidc: {client_secret: hunter2}":                                     "oidc.client_secret",
		"oidc: {issuer: https://x, viewers: ['*']}":                          "console.url oidc.client_id",
		"oidc: {name_claim: ''}":                                             "oidc.name_claim",
		"oidc: {issuer: https://x, client_id: y}\nconsole: {url: https://z}": "oidc.viewers",
	} {
		_, err := Load(given(text, nil, nil))
		for path := range strings.FieldsSeq(want) {
			found := false
			for _, p := range fault.ProblemsOf(err) {
				found = found || p.Path == path
			}
			if !found {
				t.Errorf("%s: no problem at %s: %v", text, path, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Error("the client's secret is in the error")
		}
	}
}
