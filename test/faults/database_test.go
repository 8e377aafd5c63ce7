package faults

import (
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver to look into PostgreSQL with

	"tieline/internal/ha"
	"tieline/internal/store/mysql"
	"tieline/internal/store/sqlserver"
)

// database is the database server of one test: its own, or a database of its own
// on a server that somebody else runs.
type database struct {
	t      *testing.T
	kind   string // "postgres", "mariadb", "mysql" or "sqlserver"
	dir    string
	script string // "" = somebody else's
	url    *url.URL
}

// givenDatabase is a database on somebody else's server.
func givenDatabase(t *testing.T, kind, text string) *database {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("the URL of the %s server cannot be read", kind)
	}
	return &database{t: t, kind: kind, url: u}
}

// address is where the server listens, with its port.
func (d *database) address() string {
	if d.url.Port() != "" {
		return d.url.Host
	}
	port := map[string]string{"postgres": "5432", "mariadb": "3306", "mysql": "3306", "sqlserver": "1433"}[d.kind]
	return net.JoinHostPort(d.url.Hostname(), port)
}

// through is the URL of the same database by way of a proxy's address.
func (d *database) through(address string) string {
	u := *d.url
	if q := u.Query(); d.kind == "sqlserver" && !q.Has("hostNameInCertificate") {
		q.Set("hostNameInCertificate", u.Hostname())
		u.RawQuery = q.Encode()
	}
	u.Host = address
	return u.String()
}

// startDatabase starts a server by its script, which tells its URL in a variable.
func startDatabase(t *testing.T, kind, variable string, args ...string) *database {
	t.Helper()
	script, err := filepath.Abs("../peers/" + kind + ".sh")
	if err != nil {
		t.Fatal(err)
	}
	name := strings.NewReplacer("Test", "", "/", "-").Replace(t.Name())
	d := &database{t: t, kind: kind, script: script}
	d.dir = filepath.Join(os.TempDir(), fmt.Sprintf("tieline-faults-%s-%d-%s", kind, os.Getpid(), name))
	t.Cleanup(func() { d.run("destroy") })
	d.url = urlIn(t, d.run("start", args...), variable)
	return d
}

// urlIn is the URL that a script told in a variable.
func urlIn(t *testing.T, told, variable string) *url.URL {
	t.Helper()
	for line := range strings.Lines(told) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), variable+"="); ok {
			u, err := url.Parse(strings.Trim(value, "'"))
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
	}
	t.Fatalf("the script told no %s:\n%s", variable, told)
	return nil
}

func (d *database) run(verb string, args ...string) string {
	d.t.Helper()
	cmd := exec.Command(d.script, append([]string{verb, d.dir}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("%s.sh %s: %v", d.kind, verb, err)
	}
	return string(out)
}

// open opens the database past Tieline.
func (r *rig) open() *sql.DB {
	r.t.Helper()
	var db *sql.DB
	var err error
	switch r.db.kind {
	case "mariadb", "mysql":
		db, err = mysql.OpenRaw(r.ctx, r.db.url.String())
	case "sqlserver":
		db, err = sqlserver.OpenDB(r.db.url.String())
	default:
		db, err = sql.Open("pgx", r.db.url.String())
	}
	r.must(err)
	return db
}

// checkEpochs reads the history: every change of Active has a larger epoch than the one before.
func (r *rig) checkEpochs() {
	if r.db == nil {
		return
	}
	r.t.Helper()
	db := r.open()
	defer db.Close()
	taken := []ha.Reason{ha.ReasonFirst, ha.ReasonReleased, ha.ReasonPresence, ha.ReasonSilence, ha.ReasonRestart, ha.ReasonTakeBack}
	rows, err := db.QueryContext(r.ctx, `SELECT epoch, reason FROM availability_event WHERE connector = $1 ORDER BY id`, connectorName)
	r.must(err)
	defer rows.Close()
	var epochs []int64
	for rows.Next() {
		var epoch int64
		var reason ha.Reason
		r.must(rows.Scan(&epoch, &reason))
		if slices.Contains(taken, reason) {
			epochs = append(epochs, epoch)
		}
	}
	r.must(rows.Err())
	if len(epochs) == 0 {
		r.t.Error("the history has no change of Active")
	}
	if !slices.IsSorted(epochs) || len(slices.Compact(slices.Clone(epochs))) != len(epochs) {
		r.t.Errorf("epochs do not grow: %v", epochs)
	}
}

// terminatePresence ends, from the database's side, every connection that holds
// a presence, and returns how many those were.
func (r *rig) terminatePresence() int {
	r.t.Helper()
	db := r.open()
	defer db.Close()
	if r.db.kind == "postgres" {
		ended, err := db.ExecContext(r.ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted`)
		r.must(err)
		n, err := ended.RowsAffected()
		r.must(err)
		return int(n)
	}
	holders := `SELECT DISTINCT IS_USED_LOCK(CONCAT('tieline-', presence)) FROM server WHERE presence <> ''`
	if r.db.kind == "sqlserver" {
		holders = `SELECT session_id FROM sys.dm_exec_sessions WHERE program_name LIKE 'tieline coordination %' AND database_id = DB_ID()`
	}
	var ids []int64
	rows, err := db.QueryContext(r.ctx, holders)
	r.must(err)
	for rows.Next() {
		var id sql.NullInt64
		r.must(rows.Scan(&id))
		if id.Valid {
			ids = append(ids, id.Int64)
		}
	}
	r.must(rows.Close())
	for _, id := range ids {
		_, err := db.ExecContext(r.ctx, fmt.Sprintf("KILL %d", id))
		r.must(err)
	}
	return len(ids)
}
