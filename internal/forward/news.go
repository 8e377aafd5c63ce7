package forward

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

const (
	newsBookmark = "news"
	newsRounds   = 100 // polls in a row while the remote has more to tell
)

// readNews polls the remote for what happened to our tickets, on its interval.
func (t *tenure) readNews(ctx context.Context) {
	r := newsReader{tenure: t}
	for {
		setup, changed := t.cfg.Setups.Setup()
		var every time.Duration
		var poller remote.Poller
		if setup != nil {
			poller, _ = setup.Remote.(remote.Poller)
			every = setup.Poll
		}
		if poller == nil || every <= 0 {
			select {
			case <-ctx.Done():
				return
			case <-changed:
				continue
			}
		}
		if err := r.round(ctx, poller, setup.Mapping); err != nil && ctx.Err() == nil {
			if t.lost(err) {
				return
			}
			r.warn(err)
		} else {
			r.failing = false
		}
		if !sleep(ctx, every, changed) {
			return
		}
	}
}

// newsReader remembers where the bookmark is, so that a quiet remote costs the
// database nothing.
type newsReader struct {
	*tenure
	bookmark string
	known    bool
	failing  bool
}

// round polls until there is nothing more to hear.
func (r *newsReader) round(ctx context.Context, p remote.Poller, m Mapping) error {
	for range newsRounds {
		fresh, err := r.poll(ctx, p, m)
		if err != nil || !fresh {
			return err
		}
	}
	return nil
}

// poll reads one page. fresh reports whether the bookmark moved and there may be
// more.
func (r *newsReader) poll(ctx context.Context, p remote.Poller, m Mapping) (fresh bool, err error) {
	if err := r.find(ctx); err != nil {
		return false, err
	}
	call, cancel := context.WithTimeout(ctx, 2*statementTimeout)
	news, next, err := p.News(call, r.bookmark)
	cancel()
	if err != nil {
		return false, err
	}
	if next == r.bookmark && len(news) == 0 {
		return false, nil
	}
	for i := range news {
		if news[i].Own {
			// What we did ourselves is no word of the other side; heard as one, it
			// would look like a person's change of what we told.
			news[i].State = ""
		}
	}
	stmt, cancel := statement(ctx)
	defer cancel()
	err = r.cfg.Store.Receive(stmt, r.term, newsBookmark, r.bookmark, next, news, m.BackState)
	if errors.Is(err, ErrMoved) {
		r.known = false
		return true, nil
	}
	if err != nil {
		r.known = false // the answer may be lost: read where it is
		return false, err
	}
	moved := next != r.bookmark && r.bookmark != ""
	r.bookmark = next
	if told(news) {
		poke(r.recheck)
	}
	r.tellUnheard(news)
	return moved && len(news) > 0, nil
}

func (r *newsReader) find(ctx context.Context) error {
	if r.known {
		return nil
	}
	stmt, cancel := statement(ctx)
	defer cancel()
	b, err := r.cfg.Store.Bookmark(stmt, r.cfg.Connector, newsBookmark)
	if err != nil {
		return err
	}
	r.bookmark, r.known = b, true
	return nil
}

// told reports whether any piece may have made a link due.
func told(news []alert.News) bool {
	for i := range news {
		if news[i].State != "" || news[i].Assign != "" {
			return true
		}
	}
	return false
}

// maxUnheard is how many tickets one line of the log names.
const maxUnheard = 5

// tellUnheard says what of the other side's words reached nobody, because its
// ticket is not one of ours, or not known yet.
func (r *newsReader) tellUnheard(news []alert.News) {
	count := 0
	var tickets []string
	for i := range news {
		if !news[i].Unheard || news[i].Own {
			continue
		}
		count++
		if name := cmp.Or(news[i].Ticket, string(news[i].Key)); len(tickets) < maxUnheard && !slices.Contains(tickets, name) {
			tickets = append(tickets, name)
		}
	}
	if count > 0 {
		r.log.Warn("news of unknown tickets was dropped: no alert of this connector has their ticket id or key",
			"connector", r.cfg.Connector, "epoch", r.term.Epoch, "count", count, "tickets", tickets)
	}
}

func (r *newsReader) warn(err error) {
	if !r.failing {
		r.log.Warn("the remote's news could not be read", "connector", r.cfg.Connector, "epoch", r.term.Epoch, "err", err)
	}
	r.failing = true
}

// sleep waits for the time to pass or the Setup to change; false = ctx ended.
func sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}
