package forward

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/ha"
)

const (
	recordMost    = 1000 // outcomes in one transaction
	recordAtOnce  = 2    // transactions at once: one computes while the other's commit is written
	recordTimeout = 30 * time.Second
	recordPause   = 50 * time.Millisecond // first pause after a failure
	recordSlowest = 500 * time.Millisecond
)

// recorder writes down what became of claimed links, many in one transaction.
// It has no deadline: an outcome that is not recorded costs a look at best. It
// outlives the term (rule C5), and ends when it is told that no more will come,
// or when the process gives up (quit).
type recorder struct {
	term     ha.Term
	links    Links
	log      *slog.Logger
	observe  Observer
	in       chan *Entry
	quit     <-chan struct{}
	recorded func([]Entry) // called after each transaction
	alone    sync.WaitGroup
}

func newRecorder(f *Forwarder, t ha.Term, recorded func([]Entry)) *recorder {
	return &recorder{
		term: t, links: f.cfg.Store, log: f.log, observe: f.observe,
		in: make(chan *Entry, 2*recordMost), quit: f.quit, recorded: recorded,
	}
}

// put hands an outcome over. It blocks while the database cannot keep up, which
// in turn slows the senders down.
func (r *recorder) put(e Entry) {
	select {
	case r.in <- &e:
	case <-r.quit:
	}
}

// run records until in is closed and everything is written.
func (r *recorder) run() {
	var each sync.WaitGroup
	for range recordAtOnce {
		each.Go(func() {
			for e := range r.in {
				r.write(r.gather(*e))
			}
		})
	}
	each.Wait()
	r.alone.Wait()
}

// gather takes what else is waiting, up to a transaction's worth. It never waits:
// while one transaction is under way, the next one's outcomes collect.
func (r *recorder) gather(first Entry) []Entry {
	batch := []Entry{first}
	for len(batch) < recordMost {
		select {
		case e, ok := <-r.in:
			if !ok {
				return batch
			}
			batch = append(batch, *e)
		default:
			return batch
		}
	}
	return batch
}

// write records a batch. While the database is away it tries again; a batch that
// is refused is halved until the outcome at fault stands alone, and that one is
// tried again by itself, so that it holds up no other.
func (r *recorder) write(batch []Entry) {
	pause := recordPause
	for try := 1; ; try++ {
		err := r.record(batch)
		if err == nil {
			return
		}
		away := fault.KindOf(err) == fault.Unavailable
		if try == 1 {
			r.log.Warn("outcomes could not be recorded yet", "connector", r.term.Connector,
				"epoch", r.term.Epoch, "count", len(batch), "err", err)
		}
		if !away && try >= 3 {
			r.halve(batch)
			return
		}
		if !r.sleep(pause) {
			return
		}
		pause = min(2*pause, recordSlowest)
	}
}

func (r *recorder) halve(batch []Entry) {
	if len(batch) > 1 {
		middle := len(batch) / 2
		r.write(batch[:middle])
		r.write(batch[middle:])
		return
	}
	r.log.Error("an outcome is refused by the database; its link stays claimed until it is recorded",
		"connector", r.term.Connector, "alert", batch[0].Outcome.Alert, "claim", batch[0].Outcome.Claim)
	r.alone.Go(func() {
		for r.sleep(20 * recordSlowest) {
			if r.record(batch) == nil {
				return
			}
		}
	})
}

// record writes one transaction. It goes on after the term is over.
func (r *recorder) record(batch []Entry) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	start := time.Now()
	answers, err := r.links.Record(ctx, r.term, batch)
	if err != nil {
		return err
	}
	r.observe.Recorded(len(batch), time.Since(start))
	for i, a := range answers {
		if a != alert.Mine && i < len(batch) {
			o := batch[i].Outcome
			r.log.Info("an outcome came after its claim was replaced", "connector", o.Connector,
				"alert", o.Alert, "claim", o.Claim, "epoch", r.term.Epoch, "reason", string(a))
		}
	}
	r.recorded(batch)
	return nil
}

// sleep waits; it returns false when the process gives up.
func (r *recorder) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.quit:
		return false
	}
}
