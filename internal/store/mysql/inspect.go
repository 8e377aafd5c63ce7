package mysql

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
	flavour     flavour
	coordinator *Coordinator
}

func (i inspector) inspect() engine.Inspect {
	all := engine.Inspect{
		Version: i.version, Way: i.way, Writes: i.writes, Isolation: i.isolation, Sessions: i.sessions, Privileges: i.privileges,
		Sizes: i.sizes, Clock: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))",
	}
	if len(eachHost(i.coordinator.config)) > 1 {
		all.Hosts = i.hosts
	}
	return all
}

// writes tells why the database takes none.
func (i inspector) writes(ctx context.Context) (found, todo string, err error) {
	values, into := make([]string, 6), make([]any, 6)
	for n := range values {
		into[n] = &values[n]
	}
	if err := i.db.QueryRowContext(ctx, "SELECT "+i.flavour.nodeText()).Scan(into...); err != nil {
		return "", "", err
	}
	n := nodeOf(values)
	if n.readOnly == "" {
		return "it takes them", "", nil
	}
	over, err := i.passesOver(ctx)
	if err != nil {
		return "", "", err
	}
	found, todo = n.writes(over)
	return found, todo, nil
}

// passesOver reports whether a server that is read only lets this user write all the
// same, as it does whoever has READ_ONLY ADMIN or SUPER. What it is asked changes no
// row; it refuses it before it looks for the table.
func (i inspector) passesOver(ctx context.Context) (bool, error) {
	_, err := i.db.ExecContext(ctx, "DELETE FROM management_group WHERE false")
	switch {
	case isCode(err, 1290), isCode(err, 1836), isCode(err, 1792):
		return false, nil
	case isCode(err, 1146): // there is no schema yet
		return true, nil
	}
	return err == nil, err
}

// hosts asks each of several hosts what it is. Two that take writes are a split.
func (i inspector) hosts(ctx context.Context) (found, todo string, err error) {
	c, err := newConnector(i.coordinator.config, i.flavour, working)
	if err != nil {
		return "", "", err
	}
	all := c.others(ctx, -1)
	mine, used := "", int(i.coordinator.last.Load())
	parts := make([]string, 0, len(all))
	for _, a := range all {
		text := "takes writes"
		switch {
		case a.Err != nil:
			cause, next := why(a.Err)
			text = "is away: " + cmp.Or(cause, "it does not answer")
			todo = cmp.Or(todo, "what "+c.names[a.At]+" is cannot be seen: "+cmp.Or(next, "look at it"))
		case a.Got.readOnly != "":
			text = a.Got.takesNoWrites().Cause
		case a.At == used:
			mine, text = a.Got.name, "is in use"
		}
		parts = append(parts, c.names[a.At]+" "+text)
	}
	for _, a := range all {
		if split := c.split(used, mine, a); split != nil && a.At != used {
			todo = split.Next
		}
	}
	return strings.Join(parts, "; "), todo, nil
}

// version was found good when the database was opened.
func (i inspector) version(context.Context) (found, todo string, err error) {
	if i.flavour.maria {
		return "MariaDB " + i.flavour.version, "", nil
	}
	return "MySQL " + i.flavour.version, "", nil
}

// way proves again what presences rely on, and tells of a cluster whose nodes do
// not share locks.
func (i inspector) way(ctx context.Context) (found, todo string, err error) {
	if _, err := i.coordinator.prove(ctx); err != nil {
		return "", "", err
	}
	if !i.flavour.maria {
		return "a second session is refused the first one's lock", "", nil
	}
	var cluster sql.NullString
	err = i.db.QueryRowContext(ctx, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'WSREP_ON'").Scan(&cluster)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", "", err
	}
	if cluster.String == "ON" {
		return "a node of a Galera cluster, which shares no locks with the other nodes",
			"let all servers connect to this node, and to another one only together, when this one is lost", nil
	}
	return "a second session is refused the first one's lock", "", nil
}

func (i inspector) isolation(ctx context.Context) (found, todo string, err error) {
	variable := "@@transaction_isolation"
	if i.flavour.maria {
		variable = "@@tx_isolation"
	}
	var mode string
	if err := i.db.QueryRowContext(ctx, "SELECT "+variable+", @@sql_mode").Scan(&found, &mode); err != nil {
		return "", "", err
	}
	// Each session sets them, and looks; see connector.setUp.
	return strings.ToLower(strings.ReplaceAll(found, "-", " ")) + ", strict, set by each session", "", nil
}

func (i inspector) sessions(ctx context.Context) (found, todo string, err error) {
	rows, err := i.db.QueryContext(ctx, `
SELECT USER, SUBSTRING_INDEX(HOST, ':', 1), count(*) FROM information_schema.PROCESSLIST
WHERE DB = DATABASE() AND ID <> CONNECTION_ID() GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var parts []string
	for rows.Next() {
		var user, host string
		var n int
		if err := rows.Scan(&user, &host, &n); err != nil {
			return "", "", err
		}
		parts = append(parts, fmt.Sprintf("%d of user %s from %s", n, user, host))
	}
	if len(parts) == 0 {
		parts = []string{"nobody else that this user may see"}
	}
	return strings.Join(parts, "; "), "", rows.Err()
}

// privileges reads what the user was granted, by name or by the roles that its
// sessions have, for everything or for this database.
func (i inspector) privileges(ctx context.Context) (found, todo string, err error) {
	var user, database string
	var role sql.NullString
	if err := i.db.QueryRowContext(ctx, "SELECT CURRENT_USER(), DATABASE(), CURRENT_ROLE()").Scan(&user, &database, &role); err != nil {
		return "", "", err
	}
	text := "SHOW GRANTS" // MariaDB's tells of the role too
	if !i.flavour.maria && role.Valid && role.String != "NONE" {
		text += " FOR CURRENT_USER() USING " + role.String // as the server quotes them
	}
	rows, err := i.db.QueryContext(ctx, text)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", "", err
		}
		lines = append(lines, line)
	}
	missing, process := granted(lines, database)
	if len(missing) > 0 {
		return fmt.Sprintf("user %s was not granted %s, by name or by a role that its sessions have", user, strings.Join(missing, ", ")),
			grantAll(database, user) + "; or let a role that has them be its default (SET DEFAULT ROLE)", rows.Err()
	}
	found = "user " + user + " may do all that is needed"
	if !process && !i.flavour.maria {
		todo = "GRANT PROCESS ON *.* TO " + account(user) + ", so that transactions of a frozen server can be seen and ended"
	}
	return found, todo, rows.Err()
}

// exactRows is up to how many rows are counted rather than estimated.
const exactRows = 100_000

func (i inspector) sizes(ctx context.Context) (all []engine.Size, err error) {
	rows, err := i.db.QueryContext(ctx, `
SELECT TABLE_NAME, COALESCE(TABLE_ROWS, 0), COALESCE(DATA_LENGTH + INDEX_LENGTH, -1) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY 3 DESC, 1`)
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
		if s := &all[n]; s.Rows < exactRows {
			s.About = false
			if err := i.db.QueryRowContext(ctx, "SELECT count(*) FROM `"+s.Table+"`").Scan(&s.Rows); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}
