package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"tieline/internal/config"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/metrics"
	"tieline/internal/secret"
	"tieline/internal/store"
)

// Options are what a server is made of.
type Options struct {
	Config   config.Config
	Log      *slog.Logger         // nil = silent
	Registry *prometheus.Registry // nil = one of its own
}

// App is one server. Use it once: New, Start, Stop.
type App struct {
	cfg      config.Config
	base     *slog.Logger // for parts that name the server themselves
	log      *slog.Logger
	registry *prometheus.Registry
	metrics  *metrics.Metrics
	boot     string

	db        *store.DB
	group     store.GroupInfo
	units     *units
	documents atomic.Pointer[[]document] // as last applied, by connector
	router    *intake.Router
	gate      *intake.Gate
	intake    *intake.Handler
	runner    *ha.Runner
	web       *web
	setUpLink string // for the first administrator; "" = there is one
	server    *http.Server
	listener  net.Listener

	woken    chan struct{}      // to the runner: read the group now
	look     chan struct{}      // to the documents' loop: there may be another version
	asked    chan chan struct{} // to the same: look, and close what was sent
	resweep  chan struct{}      // to the sweeper: the documents changed, or this server became Active
	lastBeat atomic.Int64       // last heartbeat that was answered, or the start: ns since 1970
	stopping atomic.Bool
	renewed  map[string]int64 // by connector, the renewal wakeWaiting last woke for; the runner's goroutine only

	forgetAfter time.Duration // from a term's beginning until what is old is removed; 0 = as package retention has it

	background sync.WaitGroup
	cancel     context.CancelFunc // ends the background
	release    context.CancelFunc // begins the runner's planned stop
	released   chan struct{}      // closed when the runner has ended
	ended      chan struct{}      // closed when the server ends by itself
	endOnce    sync.Once
	failure    error
	undo       []func() // what Start has opened, last first
}

// New returns a server. It opens and starts nothing.
func New(o Options) *App {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return &App{
		cfg: o.Config, base: o.Log, log: o.Log.With("server", o.Config.Server), registry: o.Registry,
		metrics: metrics.New(o.Registry, Version()), boot: uuid.NewString(),
		woken: make(chan struct{}, 1), look: make(chan struct{}, 1), asked: make(chan chan struct{}), resweep: make(chan struct{}, 1),
		released: make(chan struct{}), ended: make(chan struct{}), renewed: map[string]int64{},
	}
}

// Start opens the database, joins the management group and begins to serve. It
// returns when alerts are taken in. An error leaves nothing open.
func (a *App) Start(ctx context.Context) error {
	begun := time.Now()
	for _, step := range []func(context.Context) error{a.openDatabase, a.bind, a.join, a.load, a.begin} {
		if err := step(ctx); err != nil {
			a.undoAll()
			return err
		}
	}
	// Starting leaves twice as much behind as running needs.
	tidy := time.AfterFunc(tidyAfter, debug.FreeOSMemory)
	a.onUndo(func() { tidy.Stop() })
	a.log.Info("serving", "address", a.Addr(), "database", a.cfg.DatabaseText(), "version", Version(), "took", time.Since(begun))
	return nil
}

// Addr is where the server listens: host:port.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Done is closed when the server has ended by itself: Err says why. Stop it all the same.
func (a *App) Done() <-chan struct{} { return a.ended }

// Err is why the server ended by itself, nil when it did not.
func (a *App) Err() error {
	select {
	case <-a.ended:
		return a.failure
	default:
		return nil
	}
}

// fail ends the server.
func (a *App) fail(err error) {
	a.endOnce.Do(func() {
		a.failure = err
		close(a.ended)
	})
}

func (a *App) onUndo(f func()) { a.undo = append(a.undo, f) }

func (a *App) undoAll() {
	for i := len(a.undo) - 1; i >= 0; i-- {
		a.undo[i]()
	}
	a.undo = nil
}

// tidyAfter is when what the start needed is given back to the system.
const tidyAfter = 5 * time.Second

// maxConns bounds the pool: the work of all connectors shares it.
const maxConns = 8

func (a *App) openDatabase(ctx context.Context) error {
	if a.cfg.Embedded() {
		if err := os.MkdirAll(a.cfg.DataDir, 0o750); err != nil {
			return fault.Wrap(fault.Refused, err, fmt.Sprintf("the data directory %s cannot be made", a.cfg.DataDir)).
				WithNext("Name another one with --data-dir.")
		}
	}
	url, err := a.cfg.DatabaseURL()
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the database's password cannot be read: "+err.Error())
	}
	a.db, err = a.awaitDatabase(ctx, url, a.cfg.MigrateAtStart())
	if err != nil {
		return err
	}
	a.onUndo(func() { _ = a.db.Close() })
	return nil
}

// awaitDatabase opens the database, and waits for one that is away: after a
// power cut servers start in any order, and nobody is there to start them again.
func (a *App) awaitDatabase(ctx context.Context, url secret.String, migrate bool) (*store.DB, error) {
	return backoff.Retry(ctx, func() (*store.DB, error) {
		db, err := store.Open(ctx, url.Reveal(), store.Options{Migrate: migrate, Log: a.log, MaxConns: maxConns})
		if err != nil && fault.KindOf(err) != fault.Unavailable {
			return nil, backoff.Permanent(err)
		}
		return db, err
	}, backoff.WithMaxElapsedTime(0), backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 200 * time.Millisecond, Multiplier: 2, MaxInterval: 5 * time.Second, RandomizationFactor: 0.3,
	}), backoff.WithNotify(func(err error, next time.Duration) {
		a.log.Warn("waiting for the database", "err", err, "next", next.Round(time.Millisecond))
	}))
}

// bind listens before anything is written, so that an address in use leaves no trace.
func (a *App) bind(ctx context.Context) error {
	var err error
	a.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Listen)
	if err != nil {
		return fault.Wrap(fault.Refused, err, fmt.Sprintf("cannot listen on %s: %v", a.cfg.Listen, errors.Unwrap(err))).
			WithNext("Another program may use the port; name another one with --listen.")
	}
	a.onUndo(func() { _ = a.listener.Close() })
	return nil
}

// firstPromise stands until the first heartbeat promises what the documents say.
const firstPromise = 90 * time.Second

// join makes this server a member of the group, and of every connector it serves.
func (a *App) join(ctx context.Context) error {
	if err := a.firstConnector(ctx); err != nil {
		return err
	}
	err := a.enter(ctx, store.Join{
		Server: a.cfg.Server, Address: a.cfg.AdvertiseFor(a.Addr()), Boot: a.boot, Version: Version(), Promised: firstPromise,
		Group: a.cfg.ManagementGroup, HighAvailability: a.cfg.HighAvailability, Connectors: a.cfg.Connectors,
	})
	if err != nil {
		return err
	}
	a.onUndo(a.leave)
	a.group, err = a.db.Group(ctx)
	return err
}

// nameRetry is how often a name that may become free is asked for.
const nameRetry = time.Second

// enter joins. Where the name was that of a process which may be dead, and only
// its silence can tell, it waits until the name is free: nobody is there to start
// a killed server again. A sign of life of the other ends the waiting.
func (a *App) enter(ctx context.Context, j store.Join) error {
	var left time.Duration
	var asked time.Time
	for {
		err := a.db.Join(ctx, j)
		var taken *fault.Error
		if !errors.As(err, &taken) || taken.Kind != fault.Refused || taken.After == 0 {
			return err
		}
		passed := time.Since(asked)
		switch {
		case left == 0:
			a.log.Warn("the name may be that of a process that was killed; waiting until that is certain", "err", fault.Message(err))
		case taken.After > left-passed/2: // its silence did not grow as time did
			return err
		}
		left, asked = taken.After, time.Now()
		select {
		case <-ctx.Done():
			return err
		case <-time.After(min(nameRetry, left)):
		}
	}
}

// leaveTime bounds the last word to the database.
const leaveTime = 2 * time.Second

func (a *App) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := a.db.Leave(ctx, a.cfg.Server, a.boot); err != nil {
		a.log.Warn("the others were not told that this server left; they find out by its presence", "err", err)
	}
}
