package forward

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"tieline/internal/ha"
)

// comparedMark is the bookmark that names the history of the database (rule L8) in
// which both sides were compared in full, or in which the connector was first
// worked. Where it names another one than the term's, commits may have been lost
// since, and a term that was to look for them may have ended before it had.
const comparedMark = "compared in history"

// remoteSide stands for the remote system among what is to be compared; no source
// has that name.
const remoteSide = ""

// historyPause is how soon the bookmark is asked for again.
const historyPause = time.Second

// history is what a term knows of whether the database lost commits before it.
type history struct {
	mu       turn
	asked    bool
	anew     bool
	listed   bool            // sources that are compared are among open
	open     map[string]bool // what is not compared in full yet
	finished bool
}

// turn is a lock that is held while the database is asked. A wait for it is one on
// a channel, so that virtual time passes meanwhile, which a Mutex would hold up.
type turn chan struct{}

func newTurn() turn    { return make(turn, 1) }
func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

// anew reports whether nobody has compared both sides in full in the database's
// history, which may lack commits that were confirmed in another (rule L8).
func (t *tenure) anew(ctx context.Context) bool {
	h := &t.history
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.asked {
		h.anew, h.asked = t.term.Reason == ha.ReasonIdentity, true
		if h.anew {
			break
		}
		mark, err := t.comparedIn(ctx)
		switch {
		case err == nil && mark == "" && t.term.Identity != "":
			_ = t.markCompared(ctx) // a later term does
		case err == nil:
			h.anew = mark != "" && t.term.Identity != "" && mark != t.term.Identity
		case ctx.Err() != nil:
			h.asked = false
			return false
		default:
			h.asked = false
			pause(ctx, historyPause)
		}
	}
	if h.open == nil {
		h.open = map[string]bool{remoteSide: true}
	}
	return h.anew
}

func (t *tenure) comparedIn(ctx context.Context) (string, error) {
	stmt, cancel := statement(ctx)
	defer cancel()
	return t.cfg.Store.Bookmark(stmt, t.cfg.Connector, comparedMark)
}

// markCompared moves the bookmark to the term's history.
func (t *tenure) markCompared(ctx context.Context) error {
	mark, err := t.comparedIn(ctx)
	if err != nil || mark == t.term.Identity {
		return err
	}
	stmt, cancel := statement(ctx)
	defer cancel()
	return t.cfg.Store.Receive(stmt, t.term, comparedMark, mark, t.term.Identity, nil, nil)
}

// toCompare names the sources whose lists are compared, which is known once there
// is a document.
func (t *tenure) toCompare(ctx context.Context, sources []string) {
	if !t.anew(ctx) {
		return
	}
	h := &t.history
	h.mu.Lock()
	if !h.listed {
		h.listed = true
		for _, s := range sources {
			h.open[s] = true
		}
	}
	h.mu.Unlock()
	t.finishComparison(ctx)
}

// compared notes that a side was compared in full.
func (t *tenure) compared(ctx context.Context, side string) {
	if !t.anew(ctx) {
		return
	}
	t.history.mu.Lock()
	delete(t.history.open, side)
	t.history.mu.Unlock()
	t.finishComparison(ctx)
}

// uncompared reports whether a side is to be compared in full yet.
func (t *tenure) uncompared(side string) bool {
	t.history.mu.Lock()
	defer t.history.mu.Unlock()
	return t.history.anew && t.history.open[side]
}

// finishComparison tells later terms, once all sides were compared, that they need
// not do so again.
func (t *tenure) finishComparison(ctx context.Context) {
	h := &t.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.finished || !h.listed || len(h.open) > 0 || t.term.Identity == "" {
		return
	}
	err := t.markCompared(ctx)
	h.finished = err == nil
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrDeposed) {
		t.log.Warn("the next term will compare both sides once more: that it was done could not be noted",
			"connector", t.cfg.Connector, "epoch", t.term.Epoch, slog.Any("err", err))
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
