package config

import (
	"strings"
	"testing"
)

func TestSQLServerURLs(t *testing.T) {
	for url, good := range map[string]bool{
		"sqlserver://sa:hunter2@db:1433?database=tieline":         true,
		"sqlserver://db/SQLEXPRESS?Database=tieline&encrypt=true": true,
		"sqlserver://sa@db:1433":                                  false,
		"sqlserver://sa@db:1433?database=":                        false,
		"sqlserver:///tieline?database=tieline":                   false,
	} {
		c, err := Load(given("", map[string]string{"TIELINE_DATABASE_URL": url}, nil))
		if (err == nil) != good {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil && strings.Contains(c.DatabaseText(), "hunter2") {
			t.Errorf("the password is in %q", c.DatabaseText())
		}
	}
}
