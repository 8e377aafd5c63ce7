package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tieline/internal/access/guard"
	"tieline/internal/console"
	"tieline/internal/fault"
	"tieline/internal/service/overview"
)

// Console is the console and the API alone, without a server: it takes no alerts
// in, forwards nothing, joins no management group, and shows it while every
// server is down. Use it once: NewConsole, Start, Stop.
type Console struct {
	app     *App // its settings, database and listener; it is not started
	server  *http.Server
	handler atomic.Pointer[http.Handler]
	away    *console.Console // answers until the database does
	welcome chan string      // has the welcome when the database answered

	background sync.WaitGroup
	cancel     context.CancelFunc
	ended      chan struct{}
	endOnce    sync.Once
	failure    error
}

// NewConsole returns a console of its own. It opens and starts nothing.
func NewConsole(o Options) *Console {
	return &Console{app: New(o), welcome: make(chan string, 1), ended: make(chan struct{})}
}

// Start listens. A database that is away is waited for: until it answers, every
// page says so. A database that cannot be used ends the console (see Done).
func (c *Console) Start(ctx context.Context) error {
	if err := c.checkFile(); err != nil {
		return err
	}
	if err := c.app.bind(ctx); err != nil {
		return err
	}
	c.away = console.New(console.Config{
		Services: console.Services{Overview: overview.New(nil)}, Log: c.app.log, Version: Version(), Database: c.app.cfg.DatabasePlace(),
	})
	c.serve(c.awayHandler())
	handler := func(w http.ResponseWriter, r *http.Request) { (*c.handler.Load()).ServeHTTP(w, r) }
	c.server = newServer(http.HandlerFunc(handler), c.app.log)
	running, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.background.Go(func() {
		if err := c.server.Serve(c.app.listener); !errors.Is(err, http.ErrServerClosed) {
			c.fail(fmt.Errorf("serve HTTP: %w", err))
		}
	})
	c.background.Go(func() {
		if err := c.open(running); err != nil && running.Err() == nil {
			c.fail(err)
		}
	})
	return nil
}

// checkFile refuses an embedded database that is not there: a console makes none.
func (c *Console) checkFile() error {
	if !c.app.cfg.Embedded() {
		return nil
	}
	if _, err := os.Stat(c.app.cfg.DatabaseFile()); errors.Is(err, os.ErrNotExist) {
		return fault.New(fault.NotFound, "there is no database "+c.app.cfg.DatabaseFile()).
			WithNext(`Give --data-dir or --database as your servers have it, or start one with "tieline serve".`)
	}
	return nil
}

func (c *Console) serve(h http.Handler) { c.handler.Store(&h) }

// awayHandler answers while the database was never reached: assets, and the page
// that says so.
func (c *Console) awayHandler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range c.away.Routes() {
		if r.Pattern == "GET /assets/{name}" {
			mux.Handle(r.Pattern, r.Handler)
		}
	}
	mux.HandleFunc("GET /healthz", c.healthz)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { c.away.Fail(w, r, c.noDatabase()) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) { guard.WriteProblem(w, c.noDatabase()) })
	return guard.New(guard.Config{URL: c.app.cfg.Console.URL, Page: c.away.Fail}).Around(mux)
}

func (c *Console) noDatabase() error {
	err := fault.New(fault.Unavailable, "the database "+c.app.cfg.DatabasePlace()+" does not answer").
		WithNext("Try again in some seconds: the console goes on by itself when it does.")
	err.After = 2 * time.Second
	return err
}

func (c *Console) healthz(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"status": "ok", "version": Version()})
}

// open waits for the database and puts the console before it.
func (c *Console) open(ctx context.Context) error {
	a := c.app
	url, err := a.cfg.DatabaseURL()
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the database's password cannot be read: "+err.Error())
	}
	if a.db, err = a.awaitDatabase(ctx, url, false); err != nil { // the schema is the servers' business
		return err
	}
	a.onUndo(func() { _ = a.db.Close() })
	if a.group, err = a.db.Group(ctx); err != nil {
		return err
	}
	if a.cfg.GroupNamed {
		if err := a.group.Is(a.cfg.ManagementGroup, "this console"); err != nil {
			return err
		}
	}
	if err := a.group.Moved(); err != nil { // one that is moved later is told by every page
		return err
	}
	a.openWeb(ctx, "")
	c.server.RegisterOnShutdown(a.web.console.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", c.healthz)
	a.web.mount(mux)
	c.serve(a.web.guard.Around(mux))
	a.log.Info("the console shows", "address", a.Addr(), "database", a.cfg.DatabaseText())
	c.welcome <- c.text()
	a.web.services.documents.Warm(ctx)
	return nil
}

func (c *Console) text() string {
	text := fmt.Sprintf("Tieline %s, console of management group %s\n  console     http://%s\n  database    %s\n", Version(), c.app.group.Name, c.Addr(), c.app.cfg.DatabaseText())
	if c.app.setUpLink != "" {
		text += fmt.Sprintf("  set-up      %s   (makes the first administrator; good for 24 hours)\n", c.app.setUpLink)
	}
	return text
}

// Welcome is sent what to tell the person who started it, once the database answered.
func (c *Console) Welcome() <-chan string { return c.welcome }

// Addr is where the console listens: host:port.
func (c *Console) Addr() string { return c.app.Addr() }

func (c *Console) fail(err error) {
	c.endOnce.Do(func() {
		c.failure = err
		close(c.ended)
	})
}

// Done is closed when the console has ended by itself: Err says why. Stop it all
// the same.
func (c *Console) Done() <-chan struct{} { return c.ended }

// Err is why the console ended by itself, nil when it did not.
func (c *Console) Err() error {
	select {
	case <-c.ended:
		return c.failure
	default:
		return nil
	}
}

// Stop ends the console. It gives up on requests under way when ctx ends.
func (c *Console) Stop(ctx context.Context) error {
	c.cancel()
	err := c.server.Shutdown(ctx)
	c.background.Wait()
	c.app.undoAll()
	return err
}
