package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"tieline/internal/store/engine"
	"tieline/internal/store/sqlite"
)

// MigrationPlan is what Migrate would do.
type MigrationPlan struct {
	From, To int64  // versions; 0 = an empty database
	Group    string // the management group's name; "" = none yet
	Steps    []MigrationStep
}

// MigrationStep is one version's migration.
type MigrationStep struct {
	Version    int64
	Name       string
	Statements string // as they would be run, up to where the way back begins
}

// PlanMigration returns what Migrate would do, and changes nothing; a SQLite
// file that is not there is not made. A schema newer than the binary is refused.
func PlanMigration(ctx context.Context, url string) (plan MigrationPlan, err error) {
	if isSQLite(url) {
		file := strings.TrimPrefix(strings.TrimPrefix(url, "sqlite:"), "//")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			plan.To, err = newest(sqlite.Migrations())
			if err != nil {
				return plan, err
			}
			plan.Steps, err = steps(sqlite.Migrations(), 0)
			return plan, err
		}
	}
	e, err := openEngine(ctx, url, engine.Options{MaxConns: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return plan, err
	}
	db := &DB{engine: e, url: url}
	defer func() { err = errors.Join(err, e.Close()) }()
	if plan.From, plan.To, err = db.versions(ctx); err != nil {
		return plan, err
	}
	if plan.From > plan.To {
		return plan, db.compare(plan.From, plan.To)
	}
	if plan.From > 0 {
		err := e.Read.QueryRowContext(ctx, "SELECT name FROM management_group").Scan(&plan.Group)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return plan, db.explain(err, "read the management group")
		}
	}
	plan.Steps, err = steps(e.Migrations, plan.From)
	return plan, err
}

// steps are the migrations after a version, in their order.
func steps(migrations fs.FS, after int64) ([]MigrationStep, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []MigrationStep
	for _, name := range names {
		number, what, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil || version <= after {
			continue // newest refuses a name without a version
		}
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		up = strings.TrimSpace(strings.TrimPrefix(up, "-- +goose Up"))
		all = append(all, MigrationStep{Version: version, Name: strings.ReplaceAll(what, "_", " "), Statements: up})
	}
	return all, nil
}
