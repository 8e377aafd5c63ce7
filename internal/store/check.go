package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// CheckLine is one finding of Check.
type CheckLine struct {
	Name string
	OK   bool
	Text string // safe for people
}

const historyText = "SELECT identity FROM history"

// Check looks at what the management group relies on: that the database
// answers, how fast, its schema, what names its history, and whether a
// confirmed commit stays. The error is that of a database that does not answer.
func (db *DB) Check(ctx context.Context) ([]CheckLine, error) {
	began := time.Now()
	if err := db.Ping(ctx); err != nil {
		return nil, err
	}
	lines := []CheckLine{{"reach", true, fmt.Sprintf("%s answers in %s", db.engine.Where, time.Since(began).Round(10*time.Microsecond))}}
	have, want, err := db.versions(ctx)
	if err != nil {
		return lines, err
	}
	lines = append(lines, CheckLine{"schema", have == want, fmt.Sprintf("version %d, this program has %d", have, want)})
	g, err := db.Group(ctx)
	if err != nil {
		return lines, err
	}
	name := "has no name yet: no server has joined"
	if g.Name != "" {
		name = g.Name
	}
	lines = append(lines, CheckLine{"management group", true, name + " (" + g.ID.String() + ")"})
	var identity string
	if err := db.engine.Read.QueryRowContext(ctx, db.statements.history).Scan(&identity); err != nil {
		return lines, db.explain(err, "read what names the database's history")
	}
	lines = append(lines, CheckLine{"history", true, identity})
	found, err := db.engine.Durable(ctx)
	if err != nil {
		return lines, db.explain(err, "read the database's settings")
	}
	durable := CheckLine{"durability", len(found) == 0, "a confirmed commit stays"}
	if !durable.OK {
		durable.Text = strings.Join(found, "; ")
	}
	return append(append(lines, durable), db.checkCoordination(ctx)...), nil
}
