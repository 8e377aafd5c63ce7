package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/store"
	"tieline/internal/store/param"
	"tieline/internal/storetest"
)

// TestEveryStatementIsSQLServers runs the conformance suite over shadows and
// looks at each statement that SQL Server would have been told.
func TestEveryStatementIsSQLServers(t *testing.T) {
	shadow := store.NewShadow()
	t.Run("suite", func(t *testing.T) {
		storetest.RunStatements(t, func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), store.ShadowFile) })
	})
	told := shadow.Told()
	if len(told) < 100 {
		t.Fatalf("only %d statements were told: the shadow does not see them", len(told))
	}
	look(t, told)
}

// TestAdministrationIsSQLServers does the same for what servers and people do to
// the management group.
func TestAdministrationIsSQLServers(t *testing.T) {
	shadow := store.NewShadow()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), store.ShadowFile), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := t.Context()
	join := func(server string, connectors ...string) error {
		return db.Join(ctx, store.Join{
			Server: server, Boot: server + "-boot", Version: "test", Group: "plant", HighAvailability: true,
			Connectors: connectors, Promised: 90 * time.Second,
		})
	}
	save := func(name string) error {
		_, err := db.SaveDocument(ctx, store.SaveDocument{Connector: name, Text: "name: " + name, Who: "ann"})
		return err
	}
	for i, err := range []error{
		save("tickets"), save("pager"), join("north"), join("south"), join("west", "tickets"), join("west"),
		db.JoinConnectors(ctx, "north", "north-boot", nil), db.Move(ctx, "tickets", "south", -1, "ann"),
		db.Leave(ctx, "west", "west-boot"), db.RemoveServer(ctx, "west", "ann"),
	} {
		if err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	_ = db.Wish(ctx, "tickets", "south", "ann") // refused: no server reports itself eligible here
	if _, err := db.AvailabilityHistory(ctx, "tickets", 10); err != nil {
		t.Error(err)
	}
	if _, err := db.Check(ctx); err != nil {
		t.Error(err)
	}
	look(t, shadow.Told())
}

// look reports what SQL Server would not take, and writes the statements to the
// file that TIELINE_DUMP_STATEMENTS names, for another parser.
func look(t *testing.T, told []store.Told) {
	t.Helper()
	markers := param.New(param.AtP)
	var dump []string
	for _, s := range told {
		text := markers.Statement(s.Text).Text
		dump = append(dump, text)
		for _, fault := range storetest.NotTSQL(text, s.Args) {
			t.Errorf("%s in\n%s", fault, text)
		}
	}
	if path := os.Getenv("TIELINE_DUMP_STATEMENTS"); path != "" {
		slices.Sort(dump)
		if err := os.WriteFile(path, []byte(strings.Join(dump, "\n;;;;\n")), 0o600); err != nil {
			t.Error(err)
		}
	}
}
