package store

import (
	"context"
	"database/sql"

	"tieline/internal/alert"
	"tieline/internal/intake"
	"tieline/internal/store/engine"
)

// Rerouted is an alert whose subscriptions are evaluated again.
type Rerouted = intake.Rerouted

// Behind returns up to limit alerts whose subscriptions were evaluated with
// documents older than the generation, the furthest behind first. Alerts that
// closed under what was then current are not among them.
func (db *DB) Behind(ctx context.Context, generation int64, limit int) ([]alert.Alert, error) {
	var behind []alert.Alert
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		a, err := scanAlert(rows)
		behind = append(behind, a)
		return err
	}, "SELECT "+alertColumns+" FROM alert WHERE behind < $1"+db.first("behind", "$2"), generation, limit)
	return behind, db.explain(err, "list the alerts evaluated with older documents")
}

var evaluatedInput = []engine.Column{
	{Name: "id", Type: engine.UUID}, {Name: "status", Type: engine.Text}, {Name: "generation", Type: engine.Int},
}

const evaluatedText = `
UPDATE alert SET generation = input.generation, behind = ` + behindText + `
FROM input WHERE alert.id = input.id`

// Reroute makes links of the connectors that subscribe by now and notes the
// generation. An alert that somebody evaluated with a newer one is left alone;
// links that exist stay.
func (db *DB) Reroute(ctx context.Context, server string, generation int64, items []Rerouted) error {
	ids := make([][]any, len(items))
	routes := make(map[alert.ID]func(*alert.Alert) []intake.Routing, len(items))
	for i, item := range items {
		ids[i] = []any{item.Alert}
		routes[item.Alert] = item.Route
	}
	err := db.write(ctx, func(tx *sql.Tx) error {
		locked, err := db.lockAlerts(ctx, tx, ids)
		if err != nil {
			return err
		}
		p := &plan{batch: intake.Batch{Server: server}}
		var evaluated [][]any
		for _, a := range locked {
			if a.alert.Generation >= generation {
				continue
			}
			for _, r := range routes[a.alert.ID](&a.alert) {
				a.route(r)
			}
			p.rerouted = append(p.rerouted, a)
			evaluated = append(evaluated, []any{a.alert.ID, string(a.alert.Status), generation})
		}
		if _, err := db.batch(ctx, tx, db.statements.evaluated, evaluated); err != nil {
			return err
		}
		return db.carryOut(ctx, tx, p)
	})
	return db.explain(err, "evaluate subscriptions again")
}
