package cli

import (
	"os"
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	s := newSite(t)
	s.serve("--server", "only")
	s.ok("send", "key=disk-db3", "summary=/var is full")
	var alerts []alertView
	s.json(&alerts, "alert", "list")
	id := alerts[0].ID
	for _, c := range []struct{ args, want string }{
		{"status d", "default"}, {"connector show ", "default"}, {"ha switchover default --to ", "only"},
		{"ha move-up default ", "only"}, {"ha remove o", "only"}, {"status -o j", "json"},
		{"ha switchover --to ", "only"}, {"alert list --source d", "default"}, {"send --source ", "default"}, {"alert close --source ", "default"},
		{"alert retry x --connector ", "default"}, {"serve --log-level w", "warn"}, {"console --log-format j", "json"}, {"status --database my", "mysql://"},
		{"alert show ", id + "\t/var is full"}, {"alert timeline " + id[:9], id + "\t/var is full"}, {"alert retry ", id + "\t/var is full"},
		{"alert close ", id + "\t/var is full"},
	} {
		words := strings.Split("__complete "+c.args, " ")
		if out := s.ok(words...); !strings.Contains(out, c.want+"\n") {
			t.Errorf("%q completes to %q, want %s", c.args, out, c.want)
		}
	}
}

// TestCompletionWithoutADatabase offers nothing, neither an error nor files, and
// does not make the database.
func TestCompletionWithoutADatabase(t *testing.T) {
	s := newSite(t)
	for _, line := range []string{"status ", "alert show ", "ha switchover --to ", "version "} {
		if out := s.ok(strings.Split("__complete "+line, " ")...); out != ":4\n" { // 4: no files either
			t.Errorf("%q completes to %q", line, out)
		}
	}
	if _, err := os.Stat(s.env["TIELINE_DATA_DIR"]); !os.IsNotExist(err) {
		t.Errorf("completing made the data directory: %v", err)
	}
}

// TestAlertsByAnyPartOfTheirIDs: ids of alerts that came together begin alike.
func TestAlertsByAnyPartOfTheirIDs(t *testing.T) {
	s := newSite(t)
	s.serve("--server", "only")
	s.ok("send", "key=a")
	s.ok("send", "key=b")
	table := s.ok("alert", "list")
	var alerts []alertView
	s.json(&alerts, "alert", "list")
	a, b := alerts[0].ID, alerts[1].ID
	for _, part := range []string{a, strings.ToUpper(a), a[24:], a[20:], strings.ReplaceAll(a[20:], "-", "")} {
		if out := s.ok("alert", "show", part); !strings.Contains(out, "Alert "+a+"\n") {
			t.Errorf("%s shows\n%s", part, out)
		}
	}
	if !strings.Contains(table, a) || !strings.Contains(table, b) {
		t.Errorf("the table does not show ids that can be copied:\n%s", table)
	}
	if r := s.run("alert", "show", a[:1]); r.code != 4 || !strings.Contains(r.err, a) || !strings.Contains(r.err, b) {
		t.Errorf("an ambiguous id: %+v, want both listed", r)
	}
	if out := s.ok("alert", "close", a[24:]); out != "1 alert was closed.\n" {
		t.Errorf("closing one says %q", out)
	}
	if out := s.ok("alert", "close", a, b); out != "1 alert was closed.\n" {
		t.Errorf("closing one that is closed and one that is open says %q", out)
	}
}
