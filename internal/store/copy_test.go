package store

import (
	"database/sql"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
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

// TestCopyWaitsForWhatIsUnderWay: a transaction that saw no mark is in the copy,
// however long it takes to commit.
func TestCopyWaitsForWhatIsUnderWay(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 2)
		go func() {
			ended <- db.write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.ExecContext(t.Context(), "INSERT INTO strike (name, failures, last_at, until_at) VALUES ('late', 1, 1, 1)")
				close(begun)
				for err == nil { // an engine may end a transaction that says nothing
					select {
					case <-release:
						return nil
					case <-time.After(100 * time.Millisecond):
						_, err = tx.ExecContext(t.Context(), "UPDATE strike SET failures = 1 WHERE name = 'late'")
					}
				}
				return err
			})
		}()
		<-begun
		to := freshSQLite(t)
		read := make(chan struct{})
		var once sync.Once
		go func() {
			_, err := Copy(t.Context(), url, to, CopyOptions{Progress: func(string, int64, bool) { once.Do(func() { close(read) }) }})
			ended <- err
		}()
		for db.Engine() != "sqlite" { // where the transaction keeps the mark out
			if g, err := db.Group(t.Context()); err != nil || g.Moved() != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		select {
		case <-read:
			t.Error("the old database is read beside it")
		case <-time.After(300 * time.Millisecond):
		}
		close(release)
		for range 2 {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
		var n int
		if err := open(t, to).engine.Read.QueryRow("SELECT count(*) FROM strike WHERE name = 'late'").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d of its rows are in the copy: %v", n, err)
		}
	})
}
