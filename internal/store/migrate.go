package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
)

// Migrate brings the schema of a database to this binary's version and returns
// the versions before and after; 0 is an empty database. Servers that start at
// once take turns. A schema newer than the binary is refused.
func Migrate(ctx context.Context, url string, log *slog.Logger) (from, to int64, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e, err := openEngine(ctx, url, engine.Options{Log: log})
	if err != nil {
		return 0, 0, err
	}
	db := &DB{engine: e, url: url, log: log}
	from, to, err = db.migrate(ctx)
	return from, to, errors.Join(err, e.Close())
}

// schema checks the version of the schema, and migrates when asked to.
func (db *DB) schema(ctx context.Context, o Options) error {
	have, want, err := db.versions(ctx)
	if err != nil {
		return err
	}
	if have < want && o.Migrate {
		_, _, err := db.migrate(ctx)
		return err
	}
	if have == 0 && o.Empty {
		db.unmade = true
		return nil
	}
	return db.compare(have, want)
}

// compare refuses a schema that is not of this binary.
func (db *DB) compare(have, want int64) error {
	switch {
	case have > want:
		return fault.New(fault.Refused, fmt.Sprintf("the schema of %s is version %d, newer than version %d of this program",
			db.engine.Where, have, want)).WithNext("install the newer tieline on this host")
	case have < want:
		return fault.New(fault.Refused, fmt.Sprintf("the schema of %s is version %d, this program needs version %d",
			db.engine.Where, have, want)).WithNext("run tieline db migrate")
	}
	return nil
}

// versions returns the version the database has (0 = none) and the binary's.
func (db *DB) versions(ctx context.Context) (have, want int64, err error) {
	want, err = newest(db.engine.Migrations)
	if err != nil {
		return 0, 0, err
	}
	var exists bool
	if err := db.engine.Read.QueryRowContext(ctx, db.engine.Statements.HasSchema).Scan(&exists); err != nil {
		return 0, 0, db.explain(err, "read the schema's version")
	}
	if !exists {
		return 0, want, nil
	}
	var version sql.NullInt64
	err = db.engine.Read.QueryRowContext(ctx, "SELECT max(version_id) FROM "+goose.DefaultTablename).Scan(&version)
	return version.Int64, want, db.explain(err, "read the schema's version")
}

// newest is the highest version among embedded migrations named 00001_what.sql.
func newest(migrations fs.FS) (int64, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return 0, err
	}
	var version int64
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("migration %s has no version: %w", name, err)
		}
		version = max(version, n)
	}
	return version, nil
}

func (db *DB) migrate(ctx context.Context) (from, to int64, err error) {
	err = db.engine.Lock(ctx, func() error {
		// Another server may have migrated while this one waited.
		from, to, err = db.versions(ctx)
		if err != nil {
			return err
		}
		if from >= to {
			return db.compare(from, to)
		}
		if err := db.up(ctx); err != nil {
			return err
		}
		db.log.InfoContext(ctx, "migrated the schema", "from", from, "to", to)
		return nil
	})
	return from, to, db.notMigrated(ctx, db.explain(err, "migrate the schema"))
}

// notMigrated says what to do about a migration that the database refused: most
// often the user may not make a table.
func (db *DB) notMigrated(ctx context.Context, err error) error {
	var other *wrapped
	if ctx.Err() != nil || !errors.As(err, &other) {
		return err
	}
	return fault.Wrap(fault.Refused, err, "the schema of "+db.engine.Where+" cannot be migrated: "+other.err.Error()).
		WithNext("if a right is missing, give the user all rights to this database and its schema; then run tieline db migrate")
}

func (db *DB) up(ctx context.Context) error {
	p, err := goose.NewProvider(goose.Dialect(db.engine.Goose), db.engine.Write, db.engine.Migrations)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	_, err = p.Up(ctx)
	return err
}
