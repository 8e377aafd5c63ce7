package faults

import (
	"database/sql"
	"fmt"
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
)

// database is the database server of one test.
type database struct {
	t      *testing.T
	kind   string // "postgres" or "mariadb"
	dir    string
	script string
	url    *url.URL
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
	if r.db.kind == "mariadb" {
		db, err = mysql.OpenRaw(r.ctx, r.db.url.String())
	} else {
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
	var ids []int64
	rows, err := db.QueryContext(r.ctx, `SELECT DISTINCT IS_USED_LOCK(CONCAT('tieline-', presence)) FROM server WHERE presence <> ''`)
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
