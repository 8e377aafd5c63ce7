package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
)

// CheckLine is one finding of Check.
type CheckLine struct {
	Name string
	OK   bool
	Text string // what was found, and what it means; safe for people
	Next string // what to do about it; "" where nothing need be done
}

const historyText = "SELECT identity FROM history"

// Check looks at what the management group relies on: that the database
// answers, how fast, its schema, what names its history, whether a confirmed
// commit stays, what lies in between, who else is there and how large it is. Of an
// empty one it tells what needs no schema. The error is that of a database that
// does not answer.
func (db *DB) Check(ctx context.Context) ([]CheckLine, error) {
	began := time.Now()
	if err := db.Ping(ctx); err != nil {
		return nil, err
	}
	took := time.Since(began).Round(10 * time.Microsecond)
	lines := []CheckLine{{Name: "reach", OK: true, Text: fmt.Sprintf("%s answers in %s", db.engine.Where, took)}}
	inspect := db.engine.Inspect
	lines = db.inspected(ctx, lines, "version", inspect.Version)
	lines = db.inspected(ctx, lines, "way", inspect.Way)
	lines = db.inspected(ctx, lines, "hosts", inspect.Hosts)
	lines = db.inspected(ctx, lines, "writes", db.checkWrites)
	own, err := db.checkSchema(ctx)
	lines = append(lines, own...)
	if err != nil {
		return lines, err
	}
	lines = db.inspected(ctx, lines, "durability", db.checkDurability)
	lines = db.inspected(ctx, lines, "isolation", inspect.Isolation)
	lines = db.inspected(ctx, lines, "privileges", inspect.Privileges)
	lines = append(lines, db.checkCoordination(ctx)...)
	lines = db.inspected(ctx, lines, "connections", inspect.Sessions)
	return append(lines, db.checkSizes(ctx)...), nil
}

// checkWrites tells whether the database takes writes: what the engine knows of it,
// and what a statement meets that changes no row.
func (db *DB) checkWrites(ctx context.Context) (found, todo string, err error) {
	if ask := db.engine.Inspect.Writes; ask != nil {
		if found, todo, err = ask(ctx); err != nil || todo != "" {
			return found, todo, err
		}
	}
	if !db.unmade {
		_, err = db.engine.Write.ExecContext(ctx, "UPDATE management_group SET name = name WHERE 1 = 0")
	}
	return "it takes writes", "", err
}

func (db *DB) checkDurability(ctx context.Context) (found, todo string, err error) {
	weak, err := db.engine.Durable(ctx)
	if err != nil || len(weak) == 0 {
		return "a confirmed commit stays", "", err
	}
	return strings.Join(weak, "; "),
		"until it is mended, alerts that were accepted may be lost with the commits; tickets are looked up again after a failover", nil
}

// inspected appends what an engine's question found, where the engine has it.
func (db *DB) inspected(ctx context.Context, lines []CheckLine, name string,
	ask func(context.Context) (found, todo string, err error),
) []CheckLine {
	if ask == nil {
		return lines
	}
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	found, todo, err := ask(ctx)
	if err != nil {
		text, next := messageOf(db.explain(err, "check "+name))
		return append(lines, CheckLine{Name: name, Text: text, Next: next})
	}
	return append(lines, CheckLine{Name: name, OK: todo == "", Text: found, Next: todo})
}

// checkSchema tells the schema's version, the group and the database's history.
func (db *DB) checkSchema(ctx context.Context) ([]CheckLine, error) {
	have, want, err := db.versions(ctx)
	if err != nil {
		return nil, err
	}
	schema := CheckLine{Name: "schema", OK: have == want, Text: fmt.Sprintf("version %d, this program has %d", have, want)}
	switch {
	case have == 0:
		schema.Text += ": the database is empty"
		schema.Next = "run tieline db migrate, and then this again"
	case have < want:
		schema.Next = "run tieline db migrate; servers of both versions may run until then"
	case have > want:
		schema.Next = "install the newer tieline on this host"
	}
	lines := []CheckLine{schema}
	if db.unmade {
		return lines, nil
	}
	g, err := db.Group(ctx)
	if err != nil {
		return lines, err
	}
	group := CheckLine{Name: "management group", OK: true, Text: "has no name yet: no server has joined (" + g.ID.String() + ")"}
	if g.Name != "" {
		group.Text = g.Name + " (" + g.ID.String() + ")"
	}
	if moved := movedAway(g.Name); moved != nil {
		group.OK, group.Next = false, fault.Message(moved)
	}
	var identity string
	lines = append(lines, group)
	if err := db.engine.Read.QueryRowContext(ctx, db.statements.history).Scan(&identity); err != nil {
		text, next := messageOf(db.explain(err, "read what names the database's history"))
		return append(lines, CheckLine{Name: "history", Text: text, Next: next}), nil
	}
	return append(lines, db.checkHistory(ctx, identity)), nil
}

// checkHistory compares the database's history with what the leases have.
func (db *DB) checkHistory(ctx context.Context, identity string) CheckLine {
	line := CheckLine{Name: "history", OK: true, Text: identity}
	if identity == "" {
		return CheckLine{Name: "history", Text: "what names it cannot be seen by this login"}
	}
	var changed int
	column := db.engine.Column("identity")
	err := db.engine.Read.QueryRowContext(ctx, "SELECT count(*) FROM lease WHERE "+column+" <> '' AND "+column+" <> $1", identity).Scan(&changed)
	switch {
	case err != nil:
		line.OK, line.Text = false, fault.Message(db.explain(err, "read the leases"))
		return line
	case changed > 0:
		line.OK = false
		line.Text += "; " + counted(changed, "connector still has", "connectors still have") + " another: commits may have been lost"
		line.Next = "start the servers; their Active looks every ticket up before it goes on"
		return line
	}
	if err == nil {
		err = db.lastChange(ctx, &line)
	}
	if err != nil {
		line.OK, line.Text = false, fault.Message(db.explain(err, "read the history of the leases"))
	}
	return line
}

// lastChange tells when the database's history changed and was dealt with.
func (db *DB) lastChange(ctx context.Context, line *CheckLine) error {
	var at sql.NullInt64
	var connectors int
	err := db.engine.Read.QueryRowContext(ctx, "SELECT max(at), count(DISTINCT connector) FROM availability_event WHERE reason = $1",
		string(ha.ReasonIdentity)).Scan(&at, &connectors)
	if err == nil && at.Valid {
		line.Text += fmt.Sprintf("; changed at %s, when commits may have been lost: tickets of %s were looked up, and what is missing is in "+
			"the servers' logs", moment(at.Int64).UTC().Format(time.RFC3339), counted(connectors, "connector", "connectors"))
	}
	return err
}

// checkSizes tells what each table holds.
func (db *DB) checkSizes(ctx context.Context) []CheckLine {
	sizes, err := db.Sizes(ctx)
	if err != nil {
		return []CheckLine{{Name: "sizes", Text: fault.Message(err)}}
	}
	total := int64(-1) // no table's size is known
	lines := make([]CheckLine, 0, len(sizes)+1)
	for _, s := range sizes {
		rows, noun := fmt.Sprint(s.Rows), "rows"
		if s.Rows == 1 {
			noun = "row"
		}
		if s.About {
			rows = "about " + rows
		}
		lines = append(lines, CheckLine{Name: "size of " + s.Table, OK: true, Text: fmt.Sprintf("%s %s, %s", rows, noun, bytesText(s.Bytes))})
		if s.Bytes >= 0 {
			total = max(total, 0) + s.Bytes
		}
	}
	if len(lines) == 0 {
		return nil
	}
	all := CheckLine{Name: "sizes", OK: true, Text: bytesText(total) + " in all; closed alerts go after the days of retention.days in the documents"}
	return append([]CheckLine{all}, lines...)
}

// counted is a number with what it counts.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func bytesText(n int64) string {
	switch {
	case n < 0:
		return "of unknown size"
	case n < 1<<20:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
