package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnotherManagementGroup: whoever names a management group must not work on
// the database of another, with any verb.
func TestAnotherManagementGroup(t *testing.T) {
	s := newSite(t)
	_, stop := s.serve("--server", "only", "--management-group", "prod")
	stop()
	for _, line := range []string{
		"status", "alert list", "alert retry --all-parked", "connector list", "ha history default", "db check", "db migrate", "db migrate --dry-run",
		"user list", "reconcile default", "serve --listen 127.0.0.1:0", "console --listen 127.0.0.1:0",
	} {
		for _, name := range []string{"flag", "environment"} {
			given := strings.Fields(line)
			delete(s.env, "TIELINE_MANAGEMENT_GROUP")
			if name == "flag" {
				given = append(given, "--management-group", "test")
			} else {
				s.env["TIELINE_MANAGEMENT_GROUP"] = "test"
			}
			r := s.run(given...)
			if r.code != 7 || !strings.Contains(r.err, `the database belongs to management group "prod"`) || !strings.Contains(r.err, `"test"`) {
				t.Errorf("%s, by %s: %+v", line, name, r)
			}
		}
	}
	s.env["TIELINE_MANAGEMENT_GROUP"] = "prod"
	s.ok("status")
	delete(s.env, "TIELINE_MANAGEMENT_GROUP")
	s.ok("status") // the database says which it is
}

// TestAGroupThatWasMoved: a change made in the database it left would reach nobody.
func TestAGroupThatWasMoved(t *testing.T) {
	s := newSite(t)
	_, stop := s.serve("--server", "only", "--management-group", "prod")
	stop()
	old, next := filepath.Join(s.env["TIELINE_DATA_DIR"], "tieline.db"), filepath.Join(s.dir, "next.db")
	r := s.run("db", "copy", "sqlite:"+old, "sqlite:"+next, "--management-group", "test")
	if r.code != 7 || !strings.Contains(r.err, `belongs to management group "prod"`) {
		t.Errorf("copied as another group's: %+v", r)
	}
	if _, err := os.Stat(next); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the database it was not copied to is there: %v", err)
	}
	s.ok("status", "--management-group", "prod") // it is where it was
	s.ok("db", "copy", "sqlite:"+old, "sqlite:"+next, "--management-group", "prod")
	for _, line := range []string{"connector apply -f " + s.document(validDocument), "alert retry --all-parked", "ha settings set default --tolerance 4", "send key=x"} {
		if r := s.run(strings.Fields(line)...); r.code != 7 || !strings.Contains(r.err, `"prod" was moved to another database`) {
			t.Errorf("%s: %+v", line, r)
		}
	}
	if r := s.run("status", "--management-group", "prod"); r.code != 0 || !strings.Contains(r.err, `Attention: management group "prod" was moved to another database`) {
		t.Errorf("what it left behind is shown without a word: %+v", r)
	}
	if r := s.run("status", "--management-group", "test"); r.code != 7 || !strings.Contains(r.err, `belongs to management group "prod"`) {
		t.Errorf("another group's name: %+v", r)
	}
	s.ok("ha", "settings", "set", "default", "--tolerance", "4", "--database", "sqlite:"+next)
}
