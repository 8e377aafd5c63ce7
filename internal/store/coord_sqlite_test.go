package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tieline/internal/store/coord"
)

// presenceFolder is where the processes of a SQLite database keep presences.
func presenceFolder(url string) string { return strings.TrimPrefix(url, "sqlite:") + ".presence" }

// presenceFiles lists the presences' files.
func presenceFiles(t *testing.T, url string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(presenceFolder(url), "*"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range all {
		if coord.ValidPresence(filepath.Base(f)) {
			files = append(files, filepath.Base(f))
		}
	}
	return files
}

func TestFilesOfDeadProcessesAreSwept(t *testing.T) {
	url := freshSQLite(t)
	db := open(t, url)
	holder, dead := startHolder(t, url)
	alive := openSession(t, db, "alive")
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	if files := presenceFiles(t, url); len(files) != 2 {
		t.Fatalf("files before the sweep: %v, want those of %s and %s", files, dead, alive.Presence())
	}
	next := openSession(t, db, "next")
	for _, name := range presenceFiles(t, url) {
		if name != alive.Presence() && name != next.Presence() {
			t.Errorf("the file %s of a dead process is still there", name)
		}
	}
	if held, err := db.engine.Coordination.Held(t.Context(), alive.Presence()); !held || err != nil {
		t.Errorf("the sweep took a live presence: held %v, %v", held, err)
	}
	_, _ = alive.Close(), next.Close()
	if files := presenceFiles(t, url); len(files) != 0 {
		t.Errorf("files after the last session closed: %v", files)
	}
}

func TestRemovedPresenceFileIsNoticed(t *testing.T) {
	url := freshSQLite(t)
	db := open(t, url)
	join(t, db, "north")
	s := openSession(t, db, "north")
	mustBeat(t, s, beatOf("north", 1, s))
	if err := os.RemoveAll(presenceFolder(url)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Beat(t.Context(), beatOf("north", 2, s)); !errors.Is(err, coord.ErrNoPresence) {
		t.Errorf("beat after the file was removed: %v, want ErrNoPresence", err)
	}
	if g, err := db.ReadGroup(t.Context()); err != nil || serverOf(g, "north").Presence != "" {
		t.Errorf("the row publishes a presence that nobody can see: %+v, %v", serverOf(g, "north"), err)
	}
	_ = s.Close()
	s = openSession(t, db, "north")
	mustBeat(t, s, beatOf("north", 3, s))
	if s.Presence() == "" {
		t.Error("the next session has no presence")
	}
}

func TestUnusablePresenceFolderCostsThePresenceOnly(t *testing.T) {
	url := freshSQLite(t)
	log := &logText{}
	db, err := Open(t.Context(), url, Options{Migrate: true, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := os.WriteFile(presenceFolder(url), nil, 0o600); err != nil { // a file in its place
		t.Fatal(err)
	}
	join(t, db, "north")
	s := openSession(t, db, "north")
	if s.Presence() != "" {
		t.Errorf("presence %q", s.Presence())
	}
	mustBeat(t, s, beatOf("north", 1, s))
	if !strings.Contains(log.String(), "no presence") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}

func TestListenerFollowsANewFileOfWakeUps(t *testing.T) {
	url := freshSQLite(t)
	here, there := open(t, url), open(t, url)
	theirs := listen(t, there)
	until(t, here, "ready", theirs)
	if err := os.RemoveAll(presenceFolder(url)); err != nil {
		t.Fatal(err)
	}
	until(t, here, "again", theirs)
}
