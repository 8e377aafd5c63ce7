package store

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
)

// TestCopyKnowsEveryTable holds the list of tables against the schema: one that
// is added and not listed would be left behind.
func TestCopyKnowsEveryTable(t *testing.T) {
	for _, c := range []struct{ url, list string }{
		{"sqlite:" + filepath.Join(t.TempDir(), "t.db"), "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"},
		{freshPostgres(t), "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"},
	} {
		db := open(t, c.url)
		var names []string
		err := each(t.Context(), db.engine.Read, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			names = append(names, name)
			return err
		}, c.list)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name == "goose_db_version" || name == "management_group" {
				continue
			}
			i := slices.IndexFunc(tables, func(c copied) bool { return c.name == name })
			if i < 0 {
				t.Errorf("%s: table %s is not copied", db.Engine(), name)
				continue
			}
			if have := columnsOf(t, db, name); !slices.Equal(have, listedColumns(tables[i])) {
				t.Errorf("%s: table %s has the columns %v, copied are %v", db.Engine(), name, have, listedColumns(tables[i]))
			}
		}
		if len(names) != len(tables)+2 {
			t.Errorf("%s has %d tables, %d are copied", db.Engine(), len(names), len(tables))
		}
	}
}

func columnsOf(t *testing.T, db *DB, table string) []string {
	t.Helper()
	rows, err := db.engine.Read.QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE 1 = 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func listedColumns(c copied) []string {
	var names []string
	for _, column := range c.columns {
		names = append(names, column.Name)
	}
	if c.numbered {
		names = append(names, "id")
	}
	slices.Sort(names)
	return names
}
