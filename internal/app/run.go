package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/metrics"
	"tieline/internal/store"
)

// begin starts everything that runs beside the caller.
func (a *App) begin(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.onUndo(func() {
		cancel()
		a.background.Wait()
	})
	a.runner = ha.New(ha.Config{
		Server: a.cfg.Server, Boot: a.boot, Version: Version(),
		Coordinator: a.db.Coordinator(), Clock: ha.SystemClock(),
		Work: a.work, Reports: a.reports,
		Wake: func() { a.db.WakeLease(ctx) }, Woken: a.woken,
		Withdraw: func(w ha.Withdrawal) { a.background.Go(func() { a.withdraw(ctx, w) }) },
		Log:      a.base, Observe: a.observer(ctx),
	})
	a.lastBeat.Store(time.Now().UnixNano())
	metrics.Observe(a.registry, (*reader)(a))
	a.openWeb(ctx, a.cfg.Server)
	a.server = newServer(a.routes(), a.log)
	a.server.RegisterOnShutdown(a.web.console.Close)

	running, release := context.WithCancel(ctx)
	a.release = release
	a.background.Go(func() {
		defer close(a.released)
		if err := a.runner.Run(running); err != nil {
			a.fail(a.explainEnd(err))
		}
	})
	a.background.Go(func() {
		if err := a.listen(a.listener); err != nil {
			a.fail(err)
		}
	})
	a.background.Go(func() {
		if err := a.db.Listen(ctx, a.hear); err != nil && ctx.Err() == nil {
			a.log.Warn("wake-ups are not heard any more; work waits for the next poll", "err", err)
		}
	})
	a.background.Go(func() { a.followDocuments(ctx) })
	a.background.Go(func() { a.sweep(ctx) })
	a.background.Go(func() { a.tellPace(ctx) })
	a.background.Go(func() { a.web.services.documents.Warm(ctx) })
	a.units.begin(func(u *unit) {
		a.background.Go(func() { u.probe(ctx, a.announce) })
	})
	return nil
}

// work is ha.Work: it forwards for the term's connector, and forgets what is old.
func (a *App) work(ctx context.Context, t ha.Term) error {
	u := a.units.get(t.Connector)
	if u == nil || u.forwarder == nil {
		return errors.New("this server does not serve connector " + t.Connector)
	}
	defer a.forgetBeside(ctx, t, u)()
	return u.forwarder.Run(ctx, t)
}

// withdrawTime bounds a try to withdraw a wish; the runner asks again.
const withdrawTime = 5 * time.Second

// withdraw ends an operator's wish for a server that went Offline.
func (a *App) withdraw(ctx context.Context, w ha.Withdrawal) {
	bounded, cancel := context.WithTimeout(ctx, withdrawTime)
	defer cancel()
	if err := a.db.WithdrawWish(bounded, w.Connector, w.Epoch, w.Server, w.Boot); err != nil && ctx.Err() == nil {
		a.log.Warn("the wish for a server that went Offline could not be withdrawn yet", "connector", w.Connector, "epoch", w.Epoch, "err", err)
	}
}

// hear acts on a wake-up.
func (a *App) hear(topic string) {
	switch topic {
	case store.TopicLease:
		poke(a.woken)
	case store.TopicDocuments:
		poke(a.look)
	case store.TopicRefresh:
		poke(a.woken)
		a.runner.Beat() // somebody may have asked for a sign of life
		poke(a.look)
		a.units.wakeAll()
	default:
		if source, ok := store.CompareTopic(topic); ok {
			a.units.compare(source)
			return
		}
		a.units.wake(topic)
	}
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// reports tells the runner of this server's connectors. It also notices, by the
// group the runner has just read, what a lost wake-up did not tell, at the cost
// of one heartbeat: a document in another version than the one run here, and
// work that is due. So an idle connector needs no query of its own.
func (a *App) reports() []ha.Report {
	if a.runner != nil {
		group := a.runner.Status().Group
		if a.differ(group) {
			poke(a.look)
		}
		a.wakeWaiting(group)
	}
	return a.units.reports()
}

// wakeWaiting wakes the forwarders of this server's terms whose work is due,
// once for each renewal: the same reading is seen several times.
func (a *App) wakeWaiting(g ha.Group) {
	for _, l := range g.Leases {
		if l.Waiting && l.Server == a.cfg.Server && l.Boot == a.boot && a.renewed[l.Connector] != l.Beat {
			a.renewed[l.Connector] = l.Beat
			a.units.wake(store.TopicWork(l.Connector))
		}
	}
}

// beatPause is more than what lies between two heartbeats at least, whatever changed.
const beatPause = 1100 * time.Millisecond

// announce has the runner tell the others at once what changed in the reports,
// or, where it has only just told something, as soon as it may.
func (a *App) announce() {
	a.runner.Nudge()
	time.AfterFunc(beatPause, a.runner.Nudge)
}

func (a *App) observer(ctx context.Context) ha.Observer {
	return ha.Observer{
		Began: func(connector string, _ int64, reason ha.Reason) {
			a.metrics.Takeover(connector, reason)
			poke(a.resweep)
		},
		Called: func(connector string) {
			if u := a.units.get(connector); u != nil {
				a.background.Go(func() { u.forwarder.Warm(ctx) })
			}
		},
		Beat: func(_ time.Duration, err error) {
			if moved := a.db.Moved(); moved != nil {
				a.fail(moved)
			}
			if err == nil {
				a.lastBeat.Store(time.Now().UnixNano())
			}
		},
	}
}

// lostTime bounds a stop where the database is lost: what is in flight would try
// to be recorded for as long as it may.
const lostTime = 2 * time.Second

// Stop ends the server as planned: no new intake, finish what is in flight,
// release, leave, close. It gives up on what is left when ctx ends.
func (a *App) Stop(ctx context.Context) error {
	if a.stopping.Swap(true) || a.server == nil {
		return nil
	}
	a.log.Info("stopping")
	if a.db.Moved() != nil { // nothing can be recorded any more
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lostTime)
		defer cancel()
	}
	a.intake.Drain()
	// Beside the hand-over: a connection that never sent its request would hold it up.
	closed := make(chan error, 1)
	go func() { closed <- a.server.Shutdown(ctx) }()
	a.release()
	select {
	case <-a.released:
	case <-ctx.Done():
	}
	err := a.units.close(ctx)
	if e := <-closed; e != nil {
		err = errors.Join(err, e, a.server.Close())
	}
	err = errors.Join(err, a.gate.Close(ctx))
	a.undoAll()
	a.log.Info("stopped")
	return err
}

// explainTime bounds the question whether the management group was moved.
const explainTime = 2 * time.Second

// explainEnd says to a person why the runner ended a server.
func (a *App) explainEnd(err error) error {
	server := a.cfg.Server
	if errors.Is(err, ha.ErrReplaced) {
		ctx, cancel := context.WithTimeout(context.Background(), explainTime)
		defer cancel()
		if moved := a.db.Serving(ctx); fault.KindOf(moved) == fault.Refused {
			return moved
		}
		return fault.Wrap(fault.Refused, err, fmt.Sprintf("server %s was removed from the management group, or another process has its name", server)).
			WithNext("Give each process a name of its own (--server). A removed server may be started again: it joins at the end of the communication order.")
	}
	return err
}
