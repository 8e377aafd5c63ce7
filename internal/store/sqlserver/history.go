package sqlserver

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"

	"tieline/internal/fault"
)

// evidence is what names the history of the database (rule L8), the best last.
type evidence int

const (
	unseen   evidence = iota // this login sees no name
	constant                 // nothing that would change: the management group's id
	made                     // when the database was made
	forked                   // the recovery fork
)

// How an identity begins, and what stands in it behind the server's name; what is
// neither names a fork.
const (
	constantMark = "mssql-unnamed-"
	madeMark     = "-made-"
)

// evidenceOf tells what an identity was made of.
func evidenceOf(identity string) evidence {
	switch {
	case identity == "":
		return unseen
	case strings.HasPrefix(identity, constantMark):
		return constant
	case strings.Contains(identity, madeMark):
		return made
	}
	return forked
}

// The server's name differs between the replicas of an availability group.
const serverName = `N'mssql-' + COALESCE(CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)), N'')`

// namings are the ways to name the history, the best first. Every RESTORE and a
// forced failover begin a new recovery fork; to see it takes VIEW ANY DATABASE,
// which every login has by default, a contained user never. The database that one
// is connected to can always be seen among the databases; when it was made changes
// with most restores. Each is one value, NULL for a login that may not look.
var namings = []struct {
	by         evidence
	expression string
}{
	{forked, serverName + ` + N'-' + CAST((SELECT r.recovery_fork_guid
	FROM sys.database_recovery_status AS r WHERE r.database_id = DB_ID()) AS nvarchar(36))`},
	{made, serverName + ` + N'` + madeMark + `' + CONVERT(nvarchar(40), (SELECT d.create_date
	FROM sys.databases AS d WHERE d.database_id = DB_ID()), 126)`},
	{constant, `(SELECT N'` + constantMark + `' + id FROM management_group)`},
}

// cloudText is 1 in Azure SQL Database and SQL database in Fabric, whose restores
// always make a new database.
const cloudText = "SELECT CASE WHEN CAST(SERVERPROPERTY('EngineEdition') AS int) IN (5, 12) THEN 1 ELSE 0 END"

// historyText is what names the history, ” for a login that may not see it.
const historyText = "SELECT COALESCE([identity], N'') FROM history"

// historian looks after the view that names the history of a database. What it
// says must be the same for all logins, so it is one definition for all of them:
// what the login that migrated could see, or since then one that joined and sees
// less.
type historian struct {
	db    *sql.DB
	where string
	log   *slog.Logger
}

// seen tells what the view says to this login. An error is of a database that
// does not answer; one of the view's own is unseen.
func (h historian) seen(ctx context.Context) (evidence, error) {
	var identity string
	err := h.db.QueryRowContext(ctx, historyText).Scan(&identity)
	if err != nil && !refused(err) {
		return unseen, err
	}
	return evidenceOf(identity), nil
}

// best finds the best naming of which this login sees the value.
func (h historian) best(ctx context.Context) (by evidence, expression string, err error) {
	cloud := h.cloud(ctx)
	for _, n := range namings {
		if cloud && n.by == forked {
			continue
		}
		var value sql.NullString
		err := h.db.QueryRowContext(ctx, "SELECT "+n.expression).Scan(&value)
		switch {
		case err != nil && !refused(err):
			return unseen, "", err
		case err == nil && value.Valid:
			return n.by, n.expression, nil
		}
	}
	return unseen, "", errors.New("nothing names the history of the database")
}

// cloud reports whether a restore always makes a new database.
func (h historian) cloud(ctx context.Context) bool {
	var cloud int64
	return h.db.QueryRowContext(ctx, cloudText).Scan(&cloud) == nil && cloud == 1
}

// hidden reports whether there is a view of recovery forks that shows this login
// none; not every server has one.
func (h historian) hidden(ctx context.Context) bool {
	var fork sql.NullString
	err := h.db.QueryRowContext(ctx, "SELECT "+namings[0].expression).Scan(&fork)
	return err == nil && !fork.Valid
}

// migrated names the history by the best that the login sees; it is called under
// the lock of migrations.
func (h historian) migrated(ctx context.Context) error {
	now, err := h.seen(ctx)
	if err != nil {
		return err
	}
	best, expression, err := h.best(ctx)
	if err != nil || best <= now {
		return err
	}
	err = h.define(ctx, expression)
	if refused(err) && now != unseen {
		h.log.Warn("the history of the database could be named by more than it is", slog.String("reason", "the login may not define the view"), slog.Any("err", err))
		return nil
	}
	return h.explain(err)
}

// prepare sees to it that a server that is about to join sees what names the
// history; without that it could claim nothing. Where it sees less than the login
// that migrated, the history is named by less from then on, for all.
func (h historian) prepare(ctx context.Context) error {
	now, err := h.seen(ctx)
	if err == nil && now == unseen {
		err = locked(ctx, h.db, h.log, func() error {
			h.log.Warn("this login may not see what names the history of the database: it is named by less from now on")
			return h.migrated(ctx)
		})
		if err == nil {
			now, err = h.seen(ctx)
		}
		if err == nil && now == unseen {
			err = h.unnamed(nil)
		}
	}
	if err != nil {
		return err
	}
	if weak := h.weakness(ctx, now); weak != "" {
		h.log.Warn("commits that a restore or a failover of the database loses may go unnoticed", slog.String("reason", weak))
	}
	return nil
}

// define makes the view anew. To alter it keeps what was granted on it; not every
// server can.
func (h historian) define(ctx context.Context, expression string) error {
	rest := " VIEW history AS\nSELECT (" + expression + ")" + collate + " AS [identity]"
	if _, err := h.db.ExecContext(ctx, "ALTER"+rest); !refused(err) {
		return err
	}
	tx, err := h.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DROP VIEW history")
	if err == nil {
		_, err = tx.ExecContext(ctx, "CREATE"+rest)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (h historian) explain(err error) error {
	if !refused(err) {
		return err
	}
	return h.unnamed(err)
}

// unnamed refuses a login that sees no name.
func (h historian) unnamed(err error) error {
	return fault.Wrap(fault.Refused, err, "the login may not see what names the history of the database "+h.where+", nor name it otherwise").
		WithNext("give it the role db_owner in this database, or GRANT VIEW ANY DATABASE to it: without a name, lost commits after a restore would go unnoticed")
}

// weakness is what goes unnoticed where the history is named by less than the
// recovery fork, and what to do about it; "" = nothing.
func (h historian) weakness(ctx context.Context, by evidence) string {
	if by == forked || by == made && h.cloud(ctx) {
		return ""
	}
	var lost string
	switch by {
	case unseen:
		return "this login may not see what names the history of the database, and no server that logs in with it can work: " +
			"start one, which names it otherwise, or GRANT VIEW ANY DATABASE to the login"
	case constant:
		lost = "the server tells nothing that changes with the history of the database, so that commits lost at a failover or a restore of its own go unnoticed"
	default:
		lost = "the history of the database is named by the server and by when the database was made, so that commits lost at a failover or a restore that changes neither go unnoticed"
	}
	best, _, err := h.best(ctx)
	switch {
	case err == nil && best > by:
		return lost + "; this login sees more: tieline db migrate names it by that"
	case by == made && h.hidden(ctx):
		return lost + "; GRANT VIEW ANY DATABASE to the login, then tieline db migrate"
	}
	return lost
}
