package store

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	"tieline/internal/fault"
)

// TestUserWhoMayMakeNoTables is told so, and what to do.
func TestUserWhoMayMakeNoTables(t *testing.T) {
	owner := freshPostgres(t)
	name := "app_" + strings.ToLower(rand.Text())
	onServer(t, owner, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	onServer(t, owner, "CREATE ROLE "+name+" LOGIN PASSWORD 'hush'")
	t.Cleanup(func() { onServer(t, owner, "DROP ROLE "+name) })
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal("the URL of PostgreSQL cannot be read")
	}
	u.User = url.UserPassword(name, "hush")
	_, _, err = Migrate(t.Context(), u.String(), nil)
	text := fault.Message(err)
	if fault.KindOf(err) != fault.Refused || !strings.Contains(text, "permission denied") || !strings.Contains(text, "give the user all rights") ||
		strings.Contains(text+err.Error(), "hush") {
		t.Errorf("migrate: %v", text)
	}
}
