package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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
	return engine.Inspect{
		Version: i.version, Way: i.way, Isolation: i.isolation, Sessions: i.sessions, Privileges: i.privileges, Sizes: i.sizes,
	}
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
	if err := i.coordinator.prove(ctx); err != nil {
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

// needed are the rights to the database that work and migrations need.
var needed = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "CREATE VIEW"}

// privileges reads what the user was granted by name, for everything or for this
// database. What comes by roles is not among it; then it asks to look.
func (i inspector) privileges(ctx context.Context) (found, todo string, err error) {
	var user, database string
	if err := i.db.QueryRowContext(ctx, "SELECT CURRENT_USER(), DATABASE()").Scan(&user, &database); err != nil {
		return "", "", err
	}
	// A database's name in a grant is a pattern, in which _ and % are escaped.
	rows, err := i.db.QueryContext(ctx, `
SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE DATABASE() LIKE TABLE_SCHEMA`)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	missing := slices.Clone(needed)
	process := false
	for rows.Next() {
		var right string
		if err := rows.Scan(&right); err != nil {
			return "", "", err
		}
		process = process || right == "PROCESS"
		missing = slices.DeleteFunc(missing, func(n string) bool { return n == right })
	}
	if len(missing) > 0 {
		return fmt.Sprintf("user %s was not granted %s by name", user, strings.Join(missing, ", ")),
			"where no role gives them: GRANT ALL ON `" + database + "`.* TO " + user, rows.Err()
	}
	found = "user " + user + " may do all that is needed"
	if !process && !i.flavour.maria {
		todo = "GRANT PROCESS ON *.* TO " + user + ", so that transactions of a frozen server can be seen and ended"
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
