// Package peer starts database servers that a test has to itself: one that it
// restarts, or keeps from answering.
package peer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Postgres starts a PostgreSQL server for one test and ends it with the test.
// Command runs a verb of the script that starts it, as "restart" or "pause"; script
// is the script's path from the test's package. Both fail the test with what the
// script said.
func Postgres(t *testing.T, script string) (url string, command func(verb string)) {
	t.Helper()
	script, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tieline-peer-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the server runs as another user
		t.Fatal(err)
	}
	call := func(verb string) string {
		out, err := exec.Command(script, verb, dir).Output() //nolint:gosec // the test names it
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Fatalf("%s %s: %v\n%s", script, verb, err, exit.Stderr)
			}
			t.Fatalf("%s %s: %v", script, verb, err)
		}
		return string(out)
	}
	t.Cleanup(func() {
		call("destroy")
		_ = os.RemoveAll(dir)
	})
	for line := range strings.Lines(call("start")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PG_URL="); ok {
			url = strings.Trim(value, `'"`)
		}
	}
	if url == "" {
		t.Fatalf("%s told no PG_URL", script)
	}
	return url, func(verb string) { call(verb) }
}
