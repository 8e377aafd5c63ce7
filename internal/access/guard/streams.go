package guard

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	streamLook     = 2 * time.Second // how late a stream's session is seen to have ended
	streamLookTime = 5 * time.Second // bounds one look at the database
)

var errSessionEnded = errors.New("the session has ended")

// streams are the answers under way that go on and on. What was admitted when
// they began may end meanwhile: its browser signed out, its account was changed
// or removed, its time is over. All of a process are looked at together, by one
// question to the database, and none is asked while there is no stream.
type streams struct {
	access Access

	mu   sync.Mutex
	open map[*stream]struct{}
	stop context.CancelFunc // ends the looking; nil while there is no stream
	done chan struct{}      // closed when it has ended
}

// stream is one of them.
type stream struct {
	session string // its hash
	end     context.CancelCauseFunc
}

func newStreams(a Access) *streams { return &streams{access: a, open: map[*stream]struct{}{}} }

// watch returns a context that ends with the session. Call leave when the stream
// is over.
func (s *streams) watch(ctx context.Context, session string) (watched context.Context, leave func()) {
	watched, end := context.WithCancelCause(ctx)
	one := &stream{session, end}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[one] = struct{}{}
	if s.stop == nil {
		looking, stop := context.WithCancel(context.Background())
		s.stop, s.done = stop, make(chan struct{})
		go s.run(looking, s.done)
	}
	return watched, func() { s.leave(one) }
}

// leave takes a stream away. The last one ends the looking, and waits until it
// has ended.
func (s *streams) leave(one *stream) {
	one.end(nil)
	s.mu.Lock()
	delete(s.open, one)
	var done chan struct{}
	if len(s.open) == 0 && s.stop != nil {
		s.stop()
		s.stop, done = nil, s.done
	}
	s.mu.Unlock()
	if done != nil {
		<-done
	}
}

func (s *streams) run(ctx context.Context, done chan struct{}) {
	defer close(done)
	every := time.NewTicker(streamLook)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			s.look(ctx)
		}
	}
}

// look ends the streams whose session has ended. A database that does not answer
// ends none: the streams are what tells people so.
func (s *streams) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, streamLookTime)
	defer cancel()
	asked := s.sessions()
	live, err := s.access.LiveSessions(ctx, asked)
	if err != nil {
		return
	}
	ended := make(map[string]bool, len(asked))
	for _, hash := range asked {
		ended[hash] = !live[hash]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		if ended[one.session] {
			one.end(errSessionEnded)
		}
	}
}

// sessions are those of the streams, each once.
func (s *streams) sessions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[string]bool, len(s.open))
	var all []string
	for one := range s.open {
		if !seen[one.session] {
			seen[one.session] = true
			all = append(all, one.session)
		}
	}
	return all
}
