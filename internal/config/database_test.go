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

// TestPasswordsThatAURLCannotHold tells how they are written, and never what they are.
func TestPasswordsThatAURLCannotHold(t *testing.T) {
	for _, url := range []string{
		"mysql://tieline:hunter%line@db/tieline", "postgres://tieline:hunter2%@db/tieline", "sqlserver://sa:hunter/2@db?database=tieline",
		"mariadb://tieline:hunter#2@db/tieline", "postgres://tieline:hunter?2@db/tieline",
	} {
		err := CheckDatabase(url)
		if err == nil || !strings.Contains(err.Error(), `"%" is written %25`) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", url, err)
		}
	}
	c, err := Load(given("", map[string]string{"TIELINE_DATABASE_URL": "mysql://tieline:hunter%25line@db/tieline"}, nil))
	if err != nil || strings.Contains(c.DatabaseText(), "hunter") {
		t.Errorf("written as it says: %q, %v", c.DatabaseText(), err)
	}
}
