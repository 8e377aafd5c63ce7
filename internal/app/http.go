package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/nudge"
)

// Deadlines of the HTTP server. Intake answers within 2 s when the database is
// away, so a request that takes this long is a stuck peer.
const (
	headerTime = 5 * time.Second
	bodyTime   = 30 * time.Second
	idleTime   = 2 * time.Minute
)

// methods are those by which the paths for programs answer with problem details
// that there is nothing; GET includes HEAD. The console has a page for all others.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// routes is every path a server answers.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(intake.Pattern, a.admitNew(a.intake))
	for _, method := range methods {
		mux.HandleFunc(method+" /v1/", noSuchPath)
	}
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET /active/{connector}", a.active)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{ErrorLog: promLog{a.log}}))
	mux.Handle(nudge.Pattern, nudge.Handler(a.group.NudgeKey, a.db.Nudged))
	mux.HandleFunc("POST /v1/connectors/{connector}/reconcile", a.administrator(a.reconcile))
	a.web.mount(mux)
	return a.web.guard.Around(mux)
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, WriteTimeout: bodyTime,
		IdleTimeout: idleTime, MaxHeaderBytes: 64 << 10, ErrorLog: errorLog(log),
	}
}

// listen serves until the server is shut down.
func (a *App) listen(listener net.Listener) error {
	if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

func noSuchPath(w http.ResponseWriter, r *http.Request) {
	refuse(w, fault.New(fault.NotFound, "there is nothing at "+r.Method+" "+r.URL.Path))
}

// healthz says that the process lives: restart it when this fails. It does not
// ask the database, whose absence no restart mends.
func (a *App) healthz(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"status": "ok", "server": a.cfg.Server, "version": Version()})
}

// readyTime bounds the question whether the database answers.
const readyTime = time.Second

// readyz says whether alerts can be taken in now: send none here when it fails.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	switch err := a.db.Serving(ctx); {
	case a.stopping.Load():
		reply(w, http.StatusServiceUnavailable, map[string]any{"status": "stopping", "server": a.cfg.Server})
	case fault.KindOf(err) == fault.Refused:
		reply(w, http.StatusServiceUnavailable, map[string]any{"status": fault.Message(err), "server": a.cfg.Server})
	case err != nil:
		reply(w, http.StatusServiceUnavailable, map[string]any{"status": "the database does not answer", "server": a.cfg.Server})
	default:
		reply(w, http.StatusOK, map[string]any{"status": "ready", "server": a.cfg.Server})
	}
}

// active answers 200 on the Active of a connector and 503 on every other
// server, so that a load balancer finds it; the body says who is.
func (a *App) active(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("connector")
	status, ok := a.standing(name)
	switch {
	case !ok:
		reply(w, http.StatusNotFound, map[string]any{"error": fmt.Sprintf("this server serves no connector %q", name)})
	case status.State == ha.Active:
		reply(w, http.StatusOK, status)
	default:
		reply(w, http.StatusServiceUnavailable, status)
	}
}

// reply answers with JSON.
func reply(w http.ResponseWriter, status int, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have left
}
