package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	markers := param.New(param.AtP)
	var dump []string
	for _, s := range told {
		text := markers.Statement(s.Text).Text
		dump = append(dump, text)
		for _, fault := range notTSQL(text, s.Args) {
			t.Errorf("%s in\n%s", fault, text)
		}
	}
	if path := os.Getenv("TIELINE_DUMP_STATEMENTS"); path != "" {
		slices.Sort(dump)
		if err := os.WriteFile(path, []byte(strings.Join(dump, "\n;;;;\n")), 0o600); err != nil {
			t.Error(err)
		}
	}
	t.Log(fmt.Sprint(len(told), " statements"))
}
