package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"tieline/internal/store/engine"
)

// inspector answers a person's questions about one database.
type inspector struct {
	db          *sql.DB
	coordinator *Coordinator
}

func (i inspector) inspect() engine.Inspect {
	all := engine.Inspect{
		Version: i.version, Way: i.way, Writes: i.writes, Isolation: i.isolation, Sessions: i.sessions, Privileges: i.privileges,
		Sizes: i.sizes, Clock: "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint",
	}
	if len(i.coordinator.places.each) > 1 {
		all.Hosts = i.hosts
	}
	return all
}

// hosts asks each of several hosts what it is. Two that take writes are a split.
func (i inspector) hosts(ctx context.Context) (found, todo string, err error) {
	p := i.coordinator.places
	all := p.others(ctx, -1)
	var mine standing
	parts := make([]string, 0, len(all))
	for _, a := range all {
		text := "takes writes"
		switch {
		case a.Err != nil:
			cause, next := why(a.Err)
			text = "is away: " + cmp.Or(cause, "it does not answer")
			todo = cmp.Or(todo, "what "+p.name(a.At)+" is cannot be seen: "+cmp.Or(next, "look at it"))
		case a.Got.readOnly != "":
			text = takesNoWrites(a.Got.readOnly).Cause
		case p.name(a.At) == p.watch.inUse().host:
			mine, text = a.Got, "is in use"
		}
		if a.Err == nil && a.Got.timeline > 0 {
			text += fmt.Sprintf(", timeline %d", a.Got.timeline)
		}
		parts = append(parts, p.name(a.At)+" "+text)
	}
	for _, a := range all {
		if split := mine.split(a.Got); a.Err == nil && split != nil {
			todo = split.Next
		}
	}
	return strings.Join(parts, "; "), todo, nil
}

// writes tells why the database takes none.
func (i inspector) writes(ctx context.Context) (found, todo string, err error) {
	var readOnly, recovering string
	err = i.db.QueryRowContext(ctx, "SELECT current_setting('transaction_read_only'), pg_is_in_recovery()::text").Scan(&readOnly, &recovering)
	if why := readOnlyBy(readOnly, recovering); why != "" {
		r := takesNoWrites(why)
		return r.Cause, r.Next, err
	}
	return "it takes them", "", err
}

// oldestVersion is the oldest PostgreSQL that is known to work.
const oldestVersion = 140000

func (i inspector) version(ctx context.Context) (found, todo string, err error) {
	var number int
	err = i.db.QueryRowContext(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num')::int").Scan(&found, &number)
	if number < oldestVersion {
		todo = "use PostgreSQL 14 or later"
	}
	return "PostgreSQL " + found, todo, err
}

func (i inspector) way(context.Context) (found, todo string, err error) {
	switch {
	case i.coordinator.Pooled():
		return "a pooler that lends its connections for one transaction is in between: no presence and no notifications; " +
				"a crashed server is noticed when its heartbeats stay out, and servers wake each other over HTTP",
			"for take-overs within a second, let Tieline connect directly or through a session pool", nil
	case i.coordinator.way == SessionPool:
		return "a pooler that lends its connections for a session is in between; sessions last", "", nil
	}
	return "direct", "", nil
}

func (i inspector) isolation(ctx context.Context) (found, todo string, err error) {
	tx, err := i.db.BeginTx(ctx, nil)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = tx.Rollback() }()
	err = tx.QueryRowContext(ctx, "SELECT current_setting('transaction_isolation')").Scan(&found)
	if found != "read committed" {
		todo = "a stricter level makes busy servers repeat their work: ALTER ROLE ... SET default_transaction_isolation = 'read committed'"
	}
	return found, todo, err
}

func (i inspector) sessions(ctx context.Context) (found, todo string, err error) {
	rows, err := i.db.QueryContext(ctx, `
SELECT coalesce(nullif(application_name, ''), 'unnamed'), coalesce(host(client_addr), 'the same host'), count(*)
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var parts []string
	for rows.Next() {
		var program, host string
		var n int
		if err := rows.Scan(&program, &host, &n); err != nil {
			return "", "", err
		}
		parts = append(parts, fmt.Sprintf("%d %s from %s", n, program, host))
	}
	if len(parts) == 0 {
		parts = []string{"nobody else"}
	}
	return strings.Join(parts, "; "), "", rows.Err()
}

// privileges looks at every table, so that a table made by another role is seen.
func (i inspector) privileges(ctx context.Context) (found, todo string, err error) {
	var tables, views sql.NullString
	var user string
	var create, stats bool
	err = i.db.QueryRowContext(ctx, `
SELECT current_user, has_schema_privilege(current_schema(), 'CREATE'), pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
	string_agg(c.relname, ', ' ORDER BY c.relname) FILTER (WHERE c.relkind = 'r' AND NOT (has_table_privilege(c.oid, 'SELECT')
		AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))),
	string_agg(c.relname, ', ' ORDER BY c.relname) FILTER (WHERE c.relkind = 'v' AND NOT has_table_privilege(c.oid, 'SELECT'))
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace`).Scan(&user, &create, &stats, &tables, &views)
	if err != nil {
		return "", "", err
	}
	var missing, grants []string
	if tables.Valid {
		missing = append(missing, "reading and writing "+tables.String)
		grants = append(grants, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "+user)
	}
	if views.Valid {
		missing = append(missing, "reading "+views.String)
		grants = append(grants, "GRANT SELECT ON "+views.String+" TO "+user)
	}
	if !create {
		missing = append(missing, "making tables, which migrations need")
		grants = append(grants, "GRANT CREATE ON SCHEMA public TO "+user+", or let another role run tieline db migrate")
	}
	if len(missing) > 0 {
		return "user " + user + " lacks: " + strings.Join(missing, "; "), strings.Join(grants, "; "), nil
	}
	found = "user " + user + " may do all that is needed"
	if !stats {
		found += ", but does not see standby servers (GRANT pg_read_all_stats)"
	}
	return found, "", nil
}

// exactRows is up to how many rows are counted rather than estimated.
const exactRows = 100_000

func (i inspector) sizes(ctx context.Context) (all []engine.Size, err error) {
	rows, err := i.db.QueryContext(ctx, `
SELECT relname, reltuples::bigint, pg_total_relation_size(oid) FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY 3 DESC, 1`)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		s := engine.Size{About: true}
		if err := rows.Scan(&s.Table, &s.Rows, &s.Bytes); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for n := range all {
		if s := &all[n]; s.Rows < exactRows { // never analyzed is -1
			s.About = false
			if err := i.db.QueryRowContext(ctx, `SELECT count(*) FROM "`+s.Table+`"`).Scan(&s.Rows); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}
