package store

import (
	"strings"
	"testing"

	"tieline/internal/fault"
)

// found are the lines of a check by their names.
func found(t *testing.T, db *DB) map[string]CheckLine {
	t.Helper()
	lines, err := db.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]CheckLine{}
	for _, line := range lines {
		by[line.Name] = line
	}
	return by
}

// TestCheckOfAnEmptyDatabase: whoever prepares a database learns what is missing
// before anything is made in it. Nobody else takes it as it is.
func TestCheckOfAnEmptyDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		if _, err := Open(t.Context(), url, Options{}); fault.KindOf(err) != fault.Refused {
			t.Errorf("open: %v", err)
		}
		db, err := Open(t.Context(), url, Options{Empty: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		lines := found(t, db)
		if schema := lines["schema"]; schema.OK || !strings.Contains(schema.Text, "version 0") || !strings.Contains(schema.Next, "tieline db migrate") {
			t.Errorf("schema: %+v", schema)
		}
		for _, name := range []string{"reach", "version", "way", "writes", "isolation", "privileges", "presence"} {
			if line, told := lines[name]; !told && (name != "privileges" || db.Engine() != "sqlite") || told && !line.OK {
				t.Errorf("%s: %+v", name, line)
			}
		}
		if clock, told := lines["clock"]; told != (db.Engine() != "sqlite") || told && !clock.OK {
			t.Errorf("clock: %+v", clock)
		}
	})
}

// TestCheckOfAClock: one that is set wrong needs attention.
func TestCheckOfAClock(t *testing.T) {
	for by, want := range map[string]string{"- 11000000": "behind", "+ 10800000000": "ahead of"} {
		db := open(t, freshSQLite(t))
		for _, text := range []string{
			"DROP VIEW clock", "CREATE VIEW clock AS SELECT CAST(unixepoch('subsec') * 1000000 AS integer) " + by + " AS now",
		} {
			if _, err := db.engine.Write.ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		if line := found(t, db)["clock"]; line.OK || !strings.Contains(line.Text, want) || !strings.Contains(line.Next, "time service") {
			t.Errorf("a clock %s: %+v", by, line)
		}
	}
}

// TestCheckOfADatabaseThatTakesNoWrites: the words are not those of one that does
// not answer, in the check and in the errors of what is to be written.
func TestCheckOfADatabaseThatTakesNoWrites(t *testing.T) {
	url := freshPostgres(t)
	open(t, url)
	db, err := Open(t.Context(), url+"&default_transaction_read_only=on", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if line := found(t, db)["writes"]; line.OK || !strings.Contains(line.Text, "takes no writes (default_transaction_read_only is on)") || line.Next == "" {
		t.Errorf("writes: %+v", line)
	}
	err = db.Join(t.Context(), Join{Server: "north", Boot: "b", Promised: 1})
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), "takes no writes (it is a hot standby, or default_transaction_read_only is on)") {
		t.Errorf("join: %v", err)
	}
}

func TestCheckTriesWhatCoordinationNeeds(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		join(t, db, "north")
		lines, err := db.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]CheckLine{}
		for _, line := range lines {
			found[line.Name] = line
			t.Log(line.Name, line.OK, line.Text)
		}
		for _, name := range []string{"session", "presence", "wake-ups", "clock", "servers"} {
			if !found[name].OK {
				t.Errorf("%s: %v %q", name, found[name].OK, found[name].Text)
			}
		}
		if text := found["servers"].Text; !strings.Contains(text, "north was heard") {
			t.Errorf("servers: %q", text)
		}
	})
}
