package app

import (
	"context"
	"strconv"

	"tieline/internal/alert"
	"tieline/internal/intake"
	"tieline/internal/store"
)

// openIntake makes the way in. It takes nothing before the documents are loaded.
func (a *App) openIntake() {
	a.router = intake.NewRouter()
	a.gate = intake.NewGate(intake.Config{
		Store: a.db, Router: a.router, Server: a.cfg.Server, Wake: a.wakeWork, Log: a.log,
	})
	a.intake = &intake.Handler{
		Gate: a.gate, Router: a.router, Log: a.log,
		Observe: intake.Observer{
			Request:  func(source string, status int) { a.metrics.Request(source, strconv.Itoa(status)) },
			Accepted: func(source string, change alert.Change) { a.metrics.Accepted(source, string(change)) },
			Omitted: func(source string, n int) {
				a.metrics.Omitted(source, n)
				a.db.Wake(context.Background(), store.TopicCompare(source)) // the Active asks for the rest
			},
		},
	}
}

// wakeWork tells the Actives of connectors that there is something to forward.
func (a *App) wakeWork(connectors []string) {
	topics := make([]string, len(connectors))
	for i, name := range connectors {
		topics[i] = store.TopicWork(name)
	}
	a.db.Wake(context.Background(), topics...)
}

// route makes intake decide by these documents from now on, whether this server
// serves their connectors or not: any server takes any alert in.
func (a *App) route(generation int64, all []document) {
	table := intake.TableConfig{Generation: generation, Kinds: sources, Log: a.log}
	for _, doc := range all {
		if doc.compiled == nil {
			table.Broken = append(table.Broken, doc.name)
			continue
		}
		table.Connectors = append(table.Connectors, doc.compiled)
	}
	a.router.Swap(intake.NewTable(table))
	poke(a.resweep)
}

// sweep evaluates alerts again whose subscriptions were evaluated with older
// documents, while this server is Active for anything.
func (a *App) sweep(ctx context.Context) {
	s := &intake.Sweeper{
		Store: a.db, Router: a.router, Server: a.cfg.Server, Wake: a.wakeWork, Log: a.log,
		Active: func() bool { return len(a.runner.Status().Terms) > 0 }, Changed: a.resweep,
	}
	s.Run(ctx)
}
