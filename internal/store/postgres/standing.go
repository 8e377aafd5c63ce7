package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"tieline/internal/store/hosts"
)

// standing is what a host was found to be when a connection to it was made.
type standing struct {
	host     string
	readOnly string // why it takes no writes; "" = it takes them
	system   string // names the cluster; "" = it does not tell its history, as what is only compatible
	timeline uint64 // grows with each promotion; 0 = not known
	began    string // when it was started: the same is the same server by another address
}

// standingText is one round trip, by the simple protocol, which poolers let pass.
const standingText = `SELECT current_setting('transaction_read_only'), pg_is_in_recovery()::text,
	(SELECT system_identifier FROM pg_control_system())::text,
	CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
	extract(epoch FROM pg_postmaster_start_time())::text`

// standingKey is where a connection keeps its standing.
const standingKey = "tieline standing"

// look finds what a connection's host is, once for each connection.
func look(ctx context.Context, conn *pgconn.PgConn, host string) (standing, error) {
	if known, ok := conn.CustomData()[standingKey].(standing); ok {
		known.host = host
		conn.CustomData()[standingKey] = known
		return known, nil
	}
	s := standing{host: host}
	row, err := simple(ctx, conn, standingText)
	var refused *pgconn.PgError
	switch {
	case err == nil:
		s.readOnly = readOnlyBy(row[0], row[1])
		s.system, s.began = row[2], row[4]
		if row[3] != "" {
			s.timeline, err = strconv.ParseUint(row[3], 16, 32)
		}
	case errors.As(err, &refused): // it is compatible, and has no such functions or hides them
		if row, err = simple(ctx, conn, "SHOW transaction_read_only"); err == nil {
			s.readOnly = readOnlyBy(row[0], "")
		}
	}
	if err != nil {
		return standing{}, fmt.Errorf("look whether it takes writes: %w", err)
	}
	conn.CustomData()[standingKey] = s
	return s, nil
}

// simple asks for one row of texts.
func simple(ctx context.Context, conn *pgconn.PgConn, query string) ([]string, error) {
	results, err := conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 {
		return nil, errors.New("it does not answer with one row")
	}
	row := make([]string, 0, len(results[0].Rows[0]))
	for _, value := range results[0].Rows[0] {
		row = append(row, string(value))
	}
	return row, nil
}

// readOnlyBy says why a host takes no writes, "" where it takes them.
func readOnlyBy(readOnly, recovering string) string {
	switch {
	case recovering == "true":
		return "it is a hot standby"
	case readOnly == "on":
		return "default_transaction_read_only is on"
	}
	return ""
}

// takesNoWrites is the reason of a host that was found so.
func takesNoWrites(why string) *hosts.Reason {
	r := &hosts.Reason{Cause: "takes no writes (" + why + ")", Next: "turn default_transaction_read_only off for the server, the database and the user"}
	if why == readOnlyBy("on", "true") {
		r.Next = "name the primary, or all hosts, in the database URL: postgres://user@db1,db2/database"
	}
	return r
}

// older reports whether the host's history ends before the other's branch: of one
// cluster, the higher timeline is of the later promotion.
func (s standing) older(than standing) bool {
	return s.system != "" && s.system == than.system && s.timeline > 0 && s.timeline < than.timeline
}

// rival reports whether the host takes writes and is another server than that.
func (s standing) rival(of standing) bool {
	return s.readOnly == "" && s.system != "" && (s.system != of.system || s.began != of.began)
}

// fenced is the reason to pass over a host with an older history.
func (s standing) fenced(newest standing) *hosts.Reason {
	return &hosts.Reason{
		Cause: fmt.Sprintf("%s is an old primary: it takes writes on timeline %d, and %s was promoted to timeline %d", s.host, s.timeline,
			newest.host, newest.timeline),
		Next: "fence " + s.host + ": stop it, or make it a standby of " + newest.host +
			"; where the database was set back on purpose, start this process anew",
	}
}

// split is the reason to look at two hosts that take writes, "" of one nothing is
// to be done about.
func (s standing) split(other standing) *hosts.Reason {
	switch {
	case !other.rival(s):
		return nil
	case other.older(s):
		return other.fenced(s)
	case s.older(other):
		return s.fenced(other)
	}
	return &hosts.Reason{
		Cause: fmt.Sprintf("%s and %s both take writes, and nothing tells whose history is newer (timelines %d and %d)",
			s.host, other.host, s.timeline, other.timeline),
		Next: "fence one of " + s.host + " and " + other.host + ": stop it, or make it a standby of the other; only one of them may be named",
	}
}
