package store

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Topics of wake-ups. They carry no content: whoever hears one reads the
// database. A topic has no space in it.
const (
	TopicLease     = "lease"     // a lease, a wish or the communication order changed
	TopicDocuments = "documents" // a connector's document was applied
	TopicRefresh   = "refresh"   // look at everything: wake-ups may have been missed
	topicWork      = "work/"
	topicCompare   = "compare/"
)

// TopicWork is the topic of new work for a connector.
func TopicWork(connector string) string { return topicWork + connector }

// TopicCompare is the topic of a source that has more alerts than it told.
func TopicCompare(source string) string { return topicCompare + source }

// CompareTopic is the source of such a topic; ok is false for every other.
func CompareTopic(topic string) (source string, ok bool) {
	return strings.CutPrefix(topic, topicCompare)
}

const (
	// announceEvery spaces out announcements: what is woken in between goes out
	// together, each topic once.
	announceEvery   = 3 * time.Millisecond
	announceTimeout = 2 * time.Second
)

// Wake tells the topics to every listener of this process at once, and soon to
// those of the others. Call it after the commit that gave the reason. It does
// not wait and never fails: a lost wake-up costs at most one poll.
func (db *DB) Wake(_ context.Context, topics ...string) {
	db.wakes.spread(topics)
	db.wakes.announce(topics, db.announce)
}

// WakeLease tells TopicLease after the coordinator changed a lease, where the
// change itself may have left somebody unwoken.
func (db *DB) WakeLease(ctx context.Context) {
	if !db.engine.TellsLeases {
		db.Wake(ctx, TopicLease)
	}
}

// Listen calls handle for each topic that is woken here or elsewhere, one call
// at a time, until ctx ends. Topics woken while handle runs are told once. When it
// has begun to hear the other processes it tells TopicRefresh, because what they
// woke before went past, and again whenever wake-ups may have been missed.
func (db *DB) Listen(ctx context.Context, handle func(topic string)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	in := db.wakes.subscribe()
	defer db.wakes.unsubscribe(in)
	var remote sync.WaitGroup
	remote.Go(func() {
		cancel(db.listen(ctx, in))
	})
	defer remote.Wait()
	defer cancel(nil)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-in.ready:
			for _, topic := range in.take() {
				handle(topic)
			}
		}
	}
}

// listen hears the other processes until ctx ends. Where they nudge, Nudged
// passes on what they tell; only what they told before went past.
func (db *DB) listen(ctx context.Context, in *inbox) error {
	if db.engine.Nudged {
		in.put(TopicRefresh)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return db.engine.Coordination.Listen(ctx, func(line string) { db.hear(in, line) }, func() { in.put(TopicRefresh) })
}

// hear passes on what another process announced. Announcements of this one were
// told at once when they were made.
func (db *DB) hear(in *inbox, line string) {
	topic, origin, _ := strings.Cut(line, " ")
	if origin == "" || origin != db.wakes.origin {
		in.put(topic)
	}
}

func (db *DB) announce(topics []string) {
	lines := make([]string, len(topics))
	for i, topic := range topics {
		lines[i] = topic + " " + db.wakes.origin
	}
	ctx, cancel := context.WithTimeout(context.Background(), announceTimeout)
	defer cancel()
	tell := db.engine.Coordination.Announce
	if db.engine.Nudged {
		tell = db.nudge
	}
	err := tell(ctx, lines)
	if db.wakes.changed(err != nil) && err != nil {
		db.log.Warn("other servers could not be woken; they see the change at their next poll", slog.Any("err", err))
	}
}

// wakes fans wake-ups out within the process and collects those for the others.
type wakes struct {
	origin string // of our announcements

	mu      sync.Mutex
	inboxes map[*inbox]struct{}
	out     topicSet
	sending bool
	failing bool
	senders sync.WaitGroup
}

func newWakes() *wakes {
	return &wakes{origin: uuid.NewString()[:8], inboxes: make(map[*inbox]struct{})}
}

func (w *wakes) subscribe() *inbox {
	in := &inbox{ready: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inboxes[in] = struct{}{}
	return in
}

func (w *wakes) unsubscribe(in *inbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.inboxes, in)
}

func (w *wakes) spread(topics []string) {
	w.each(func(in *inbox) { in.put(topics...) })
}

func (w *wakes) each(f func(*inbox)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for in := range w.inboxes {
		f(in)
	}
}

// announce sends the topics at once when none were sent lately, else together
// with the next.
func (w *wakes) announce(topics []string, send func([]string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.add(topics)
	if w.sending || len(w.out.order) == 0 {
		return
	}
	w.sending = true
	w.senders.Go(func() {
		for topics := w.next(); len(topics) > 0; topics = w.next() {
			send(topics)
			time.Sleep(announceEvery)
		}
	})
}

// next empties the outbox; none ends the sender.
func (w *wakes) next() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	topics := w.out.take()
	w.sending = len(topics) > 0
	return topics
}

// changed notes whether announcing fails and reports whether that is new.
func (w *wakes) changed(failing bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.failing
	w.failing = failing
	return was != failing
}

// wait returns when nothing is being announced any longer.
func (w *wakes) wait() { w.senders.Wait() }

// inbox holds what one listener has not handled yet.
type inbox struct {
	ready chan struct{} // has a value when there is something

	mu  sync.Mutex
	set topicSet
}

func (in *inbox) put(topics ...string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.set.add(topics)
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

func (in *inbox) take() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.set.take()
}

// topicSet keeps each topic once, in the order of arrival.
type topicSet struct {
	order []string
	known map[string]struct{}
}

func (s *topicSet) add(topics []string) {
	for _, topic := range topics {
		if _, again := s.known[topic]; again {
			continue
		}
		if s.known == nil {
			s.known = make(map[string]struct{})
		}
		s.known[topic] = struct{}{}
		s.order = append(s.order, topic)
	}
}

func (s *topicSet) take() []string {
	topics := s.order
	s.order, s.known = nil, nil
	return topics
}
