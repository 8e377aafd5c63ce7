package nudge

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"tieline/internal/secret"
)

// Peer is a server that is to be woken.
type Peer struct {
	Name string
	URL  string // "http://host:port"
}

// timeout bounds one request: a frozen server must not collect connections.
const timeout = 2 * time.Second

// Sender sends nudges. Each peer is sent to on its own, one request at a time;
// what is to be told it meanwhile goes out together in the next. Use New.
type Sender struct {
	log    *slog.Logger
	client *http.Client
	ctx    context.Context // of the requests; ends with Close
	end    context.CancelFunc

	mu      sync.Mutex
	waiting map[string]*outbox // by peer
	senders sync.WaitGroup
}

// outbox is what one peer has not been told yet.
type outbox struct {
	lines   []string
	known   map[string]bool
	sending bool
	failing bool
}

// New returns a sender. Close it.
func New(log *slog.Logger) *Sender {
	ctx, end := context.WithCancel(context.Background())
	return &Sender{
		log: log, ctx: ctx, end: end, waiting: map[string]*outbox{},
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
		}},
	}
}

// Send tells the peers the lines, which have no line breaks in them. It
// does not wait for answers.
func (s *Sender) Send(peers []Peer, key secret.String, lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	for _, p := range peers {
		o := s.waiting[p.Name]
		if o == nil {
			o = &outbox{}
			s.waiting[p.Name] = o
		}
		o.add(lines)
		if !o.sending {
			o.sending = true
			s.senders.Go(func() { s.work(p, key, o) })
		}
	}
}

func (o *outbox) add(lines []string) {
	for _, line := range lines {
		if !o.known[line] {
			if o.known == nil {
				o.known = map[string]bool{}
			}
			o.known[line] = true
			o.lines = append(o.lines, line)
		}
	}
}

// take empties the outbox, up to what one nudge holds; none ends the sending.
func (s *Sender) take(o *outbox) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(o.lines), MaxLines)
	lines := o.lines[:n:n]
	o.lines = o.lines[n:]
	for _, line := range lines {
		delete(o.known, line)
	}
	o.sending = n > 0
	return lines
}

func (s *Sender) work(p Peer, key secret.String, o *outbox) {
	for lines := s.take(o); len(lines) > 0; lines = s.take(o) {
		err := s.Nudge(s.ctx, p, key, lines)
		failed := err != nil && s.ctx.Err() == nil
		if failed && !o.failing { // only the one that sends touches it
			s.log.Warn("a server could not be woken; it sees the change at its next poll",
				slog.String("peer", p.Name), slog.String("url", p.URL), slog.Any("err", err))
		}
		o.failing = failed
	}
}

// Nudge tells one peer and waits for its answer.
func (s *Sender) Nudge(ctx context.Context, p Peer, key secret.String, lines []string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body := strings.Join(lines, "\n")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.URL, "/")+Path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set(header, hex.EncodeToString(code(key, body)))
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 4096)) // so that the connection serves again
	if resp.StatusCode != http.StatusNoContent {
		err = errors.Join(fmt.Errorf("answered %s", resp.Status), err)
	}
	return errors.Join(err, resp.Body.Close())
}

// Close sends what is waiting, for at most the time of one request, and ends.
func (s *Sender) Close() {
	limit := time.AfterFunc(timeout, s.end)
	s.senders.Wait()
	limit.Stop()
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.senders.Wait()
	s.client.CloseIdleConnections()
}
