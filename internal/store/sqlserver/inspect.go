package sqlserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tieline/internal/store/engine"
)

// oldest is the major version of SQL Server 2017.
const oldest = 14

// inspector answers a person's questions about one database.
type inspector struct {
	db       *sql.DB
	settings settings
}

func (i inspector) inspect() engine.Inspect {
	return engine.Inspect{
		Version: i.version, Way: i.way, Isolation: i.isolation, Sessions: i.sessions, Privileges: i.privileges, Sizes: i.sizes,
	}
}

const versionText = `SELECT COALESCE(CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), N''),
	COALESCE(CAST(SERVERPROPERTY('Edition') AS nvarchar(128)), N''), LEFT(@@VERSION, 200)`

func (i inspector) version(ctx context.Context) (found, todo string, err error) {
	var version, edition, full string
	err = i.db.QueryRowContext(ctx, versionText).Scan(&version, &edition, &full)
	if refused(err) {
		return "the server does not tell its version", "", nil
	}
	if err != nil {
		return "", "", err
	}
	if strings.Contains(full, "Babelfish") { // it tells 12 as well
		return "Babelfish for PostgreSQL, as SQL Server " + version, "", nil
	}
	major, _, _ := strings.Cut(version, ".")
	// Azure SQL tells 12, whatever it can.
	if n, err := strconv.Atoi(major); err == nil && n < oldest && !strings.Contains(edition, "Azure") {
		todo = "it says it is older than SQL Server 2017; if it is, use a newer one"
	}
	return "SQL Server " + version + " " + edition, todo, nil
}

func (i inspector) way(context.Context) (found, todo string, err error) {
	if !i.settings.encrypted {
		return "not encrypted", "add encrypt=true to the database URL, unless the network is trusted", nil
	}
	return "encrypted, as far as this login may see", "", nil
}

func (i inspector) isolation(context.Context) (found, todo string, err error) {
	if i.settings.versions {
		return "read committed, by row versions", "", nil
	}
	return "read committed, by locks; ALTER DATABASE ... SET READ_COMMITTED_SNAPSHOT ON spares readers waiting for writers", "", nil
}

const sessionsText = `SELECT COALESCE(s.program_name, N''), COALESCE(s.host_name, N''), COUNT(*)
FROM sys.dm_exec_sessions AS s WHERE s.database_id = DB_ID() AND s.session_id <> @@SPID
GROUP BY s.program_name, s.host_name ORDER BY COUNT(*) DESC, s.program_name`

func (i inspector) sessions(ctx context.Context) (found, todo string, err error) {
	rows, err := i.db.QueryContext(ctx, sessionsText)
	if refused(err) {
		return "this login may not see who else is connected (VIEW SERVER STATE shows all)", "", nil
	}
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
		parts = append(parts, fmt.Sprintf("%d of %s from %s", n, program, host))
	}
	if len(parts) == 0 {
		parts = []string{"nobody else that this login may see (VIEW SERVER STATE shows all)"}
	}
	return strings.Join(parts, "; "), "", rows.Err()
}

// needed are the permissions that work and migrations need.
var needed = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE TABLE", "CREATE VIEW", "ALTER"}

const privilegeText = "SELECT COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', $1), 0)"

func (i inspector) privileges(ctx context.Context) (found, todo string, err error) {
	var missing []string
	for _, right := range needed {
		var has int
		err := i.db.QueryRowContext(ctx, privilegeText, right).Scan(&has)
		if refused(err) {
			return "the server does not tell what the login may do", "", nil
		}
		if err != nil {
			return "", "", err
		}
		if has == 0 {
			missing = append(missing, right)
		}
	}
	if len(missing) > 0 {
		return "the login lacks " + strings.Join(missing, ", "), "give it the role db_owner in this database", nil
	}
	return "all that work and migrations need", "", nil
}

const sizesText = `SELECT t.name, SUM(CASE WHEN p.index_id IN (0, 1) THEN p.row_count ELSE 0 END), SUM(p.reserved_page_count) * 8192
FROM sys.tables AS t JOIN sys.dm_db_partition_stats AS p ON p.object_id = t.object_id
WHERE t.is_ms_shipped = 0 GROUP BY t.name ORDER BY 3 DESC`

// tables are the schema's.
var tables = []string{
	"timeline", "alert", "link", "note", "news", "bookmark", "lease", "membership", "server", "connector", "connector_version",
	"availability_event", "management_group", "account", "session", "api_token", "set_up", "strike", "audit", "draft", "throughput",
}

// countsText needs no permission but on the tables, and reads them.
var countsText = func() string {
	counts := make([]string, len(tables))
	for i, t := range tables {
		counts[i] = "SELECT N'" + t + "', COUNT_BIG(*), CAST(-1 AS bigint) FROM " + t
	}
	return strings.Join(counts, "\nUNION ALL ")
}()

func (i inspector) sizes(ctx context.Context) ([]engine.Size, error) {
	sizes, err := i.sizesBy(ctx, sizesText, true)
	if refused(err) { // it may not look (VIEW DATABASE STATE)
		return i.sizesBy(ctx, countsText, false)
	}
	return sizes, err
}

func (i inspector) sizesBy(ctx context.Context, text string, about bool) (sizes []engine.Size, err error) {
	rows, err := i.db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		s := engine.Size{About: about}
		if err := rows.Scan(&s.Table, &s.Rows, &s.Bytes); err != nil {
			return nil, err
		}
		sizes = append(sizes, s)
	}
	return sizes, rows.Err()
}
