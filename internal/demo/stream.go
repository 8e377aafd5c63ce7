package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"tieline/internal/ledger"
)

// observation is one alert in the generic source's JSON.
type observation struct {
	Key         string            `json:"key"`
	Status      string            `json:"status"`
	Severity    string            `json:"severity"`
	Summary     string            `json:"summary"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// stream plays a monitoring system: it posts to whichever server answers, and
// repeats an observation until one of them has answered 2xx.
type stream struct {
	ledger  *ledger.Ledger
	targets []string      // intake URLs
	every   time.Duration // between two observations
	open    int           // incidents alive at a time
	client  *http.Client

	mu     sync.Mutex
	refuse error // a server said the alerts are wrong: the demo's own mistake
}

// posters is how many requests the stream makes at a time. An incident belongs
// to one of them, so its observations are told in order.
const posters = 4

// run posts until ctx ends, then finishes what it has begun to tell.
func (s *stream) run(ctx context.Context) error {
	var wait sync.WaitGroup
	for n := range posters {
		wait.Go(func() { s.poster(ctx, n) })
	}
	wait.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse
}

func (s *stream) poster(ctx context.Context, n int) {
	r := rand.New(rand.NewPCG(uint64(n), uint64(time.Now().UnixNano())))
	tick := time.NewTicker(s.every * posters)
	defer tick.Stop()
	var alive []*incident
	serial := n
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if len(alive) < s.open/posters {
			alive = append(alive, newIncident(r, serial))
			serial += posters
		}
		i := r.IntN(len(alive))
		incident := alive[i]
		if !s.tell(incident, incident.next(r), r.IntN(len(s.targets))) {
			return
		}
		if incident.number == incident.last {
			alive = append(alive[:i], alive[i+1:]...)
		}
	}
}

// patience is how long an observation is repeated before the demo gives up on
// its servers: far longer than any failover.
const patience = 30 * time.Second

// tell posts one observation until a server promised it. Whether the stream was
// told to end does not matter here: what was begun is finished.
func (s *stream) tell(i *incident, o observation, first int) bool {
	body, err := json.Marshal(map[string]any{"alerts": []observation{o}})
	if err != nil {
		s.fail(err)
		return false
	}
	begun := time.Now()
	for n := first; time.Since(begun) < patience; n++ {
		status, text := s.post(s.targets[n%len(s.targets)], body)
		switch {
		case status/100 == 2:
			s.ledger.Promise(ledger.Promise{Alert: o.Key, Number: i.number, Closed: o.Status == "closed", At: time.Now()})
			return true
		case status/100 == 4:
			s.fail(fmt.Errorf("a server refused an alert of the demo with %d: %s", status, text))
			return false
		}
		time.Sleep(10 * time.Millisecond) // it was just killed, or the database is busy
	}
	s.fail(fmt.Errorf("no server took an alert in for %s", patience))
	return false
}

func (s *stream) post(url string, body []byte) (status int, text string) {
	resp, err := s.client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // for the message alone
	return resp.StatusCode, string(b)
}

func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == nil {
		s.refuse = err
	}
}
