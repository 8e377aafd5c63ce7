package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tieline/internal/store/engine"
)

// inspector answers a person's questions about one database file.
type inspector struct {
	path        string
	write, read *sql.DB
	presences   presences
}

func (i inspector) inspect() engine.Inspect {
	return engine.Inspect{
		Version: i.version, Way: i.way, Isolation: i.isolation, Sessions: i.sessions, Privileges: i.privileges, Sizes: i.sizes,
	}
}

func (i inspector) version(ctx context.Context) (found, todo string, err error) {
	err = i.read.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&found)
	return "SQLite " + found + ", in this program; for several processes of one host", "", err
}

// way looks at what the file is on: the locks of files that presences and SQLite
// itself rely on hold on one host.
func (i inspector) way(context.Context) (found, todo string, err error) {
	name, err := network(filepath.Dir(i.path))
	if err != nil {
		return "", "", err
	}
	if name != "" {
		return "a file on a network file system, " + name + ", whose locks may not hold between hosts",
			"keep the file on a local disk and run all servers on that host, or move to a database server (tieline db copy)", nil
	}
	return "a file of this host", "", nil
}

// sessions counts the presences held. SQLite knows of no connections but its
// own process's.
func (i inspector) sessions(context.Context) (found, todo string, err error) {
	held, err := i.presences.held()
	if err != nil {
		return "", "", err
	}
	switch held {
	case 0:
		return "no server holds a presence", "", nil
	case 1:
		return "1 server of this host holds a presence", "", nil
	}
	return fmt.Sprintf("%d servers of this host hold presences", held), "", nil
}

func (i inspector) isolation(ctx context.Context) (found, todo string, err error) {
	var mode string
	err = i.read.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
	if err == nil && mode != "wal" {
		todo = "readers wait for writers in this mode: keep the file on a local disk, where write-ahead logging works"
	}
	return "one writer at a time; journal mode " + mode, todo, err
}

// privileges tries what a server does: writing to the file, and making presence
// files beside it.
func (i inspector) privileges(ctx context.Context) (found, todo string, err error) {
	tx, err := i.write.BeginTx(ctx, nil)
	if err == nil {
		err = tx.Rollback()
	}
	if err != nil {
		return "", "", err
	}
	probe, err := os.CreateTemp(filepath.Dir(i.path), ".tieline-check-*")
	if err != nil {
		//nolint:nilerr // that it may not is the finding
		return "files cannot be made beside the database: " + err.Error(),
			"let the servers' user write to " + filepath.Dir(i.path) + "; presences and the log are files there", nil
	}
	err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	return fmt.Sprintf("the file and the folder %s can be written", filepath.Dir(i.path)), "", err
}

func (i inspector) sizes(ctx context.Context) (all []engine.Size, err error) {
	rows, err := i.read.QueryContext(ctx, `
SELECT m.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_master m ON m.name = d.name
WHERE m.tbl_name NOT LIKE 'sqlite_%' GROUP BY 1 ORDER BY 2 DESC, 1`)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var s engine.Size
		if err := rows.Scan(&s.Table, &s.Bytes); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for n := range all {
		if err := i.read.QueryRowContext(ctx, `SELECT count(*) FROM "`+all[n].Table+`"`).Scan(&all[n].Rows); err != nil {
			return nil, err
		}
	}
	return all, nil
}
