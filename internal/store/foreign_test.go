package store

import (
	"net/url"
	"strings"
	"testing"

	"tieline/internal/fault"
	"tieline/internal/store/mysql"
)

// TestAnotherServerListens: a URL that names a server of another kind is told from
// a server that is away, on each engine.
func TestAnotherServerListens(t *testing.T) {
	postgres, mariadb := addressOf(t, freshPostgres(t)), addressOf(t, freshMariaDB(t))
	for _, url := range []string{
		"mysql://u:hush@" + postgres + "/tieline?timeout=500ms",
		"postgres://u:hush@" + mariadb + "/tieline?sslmode=disable",
		"postgres://u:hush@" + mariadb + "/tieline",
		"sqlserver://u:hush@" + postgres + "?database=tieline",
		"sqlserver://u:hush@" + mariadb + "?database=tieline",
		"sqlserver://u:hush@" + postgres + "?database=tieline&encrypt=true",
	} {
		_, err := Open(t.Context(), url, Options{})
		if text := fault.Message(err); fault.KindOf(err) != fault.Unavailable || !strings.Contains(text, "what listens there") ||
			!strings.Contains(text, "is it ") || strings.Contains(text, "hush") {
			t.Errorf("%s: %v", url, text)
		}
	}
}

// TestNobodyListens: that is told, too.
func TestNobodyListens(t *testing.T) {
	const free = "127.0.0.1:1" // nobody uses that one
	for _, url := range []string{"mysql://u@" + free + "/tieline", "postgres://u@" + free + "/tieline", "sqlserver://u@" + free + "?database=tieline"} {
		_, err := Open(t.Context(), url, Options{})
		if text := fault.Message(err); !strings.Contains(text, "nothing listens there") || !strings.Contains(text, "start the database server") {
			t.Errorf("%s: %v", url, text)
		}
	}
}

func addressOf(t *testing.T, text string) string {
	t.Helper()
	if mysql.IsURL(text) {
		c, err := mysql.Config(text)
		if err != nil {
			t.Fatal(err)
		}
		return c.Addr
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal("the URL of PostgreSQL cannot be read")
	}
	return u.Host
}
