package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"tieline/internal/ledger"
)

// Feeder plays a source that pushes: alerts that open, change and close, each
// observation repeated to one server after another until one answers 2xx, and
// written into the ledger only then.
type Feeder struct {
	Cluster *Cluster
	Source  string
	Ledger  *ledger.Ledger
	First   int           // number of the first alert
	Alerts  int           // number after the last
	Batch   int           // alerts of one request
	Workers int           // requests at a time
	Pause   time.Duration // of a worker between two requests
	// Rate spaces all requests evenly, in requests a second; 0 = each worker by
	// its Pause alone, which soon has them send together.
	Rate float64

	pace *rate.Limiter
	next atomic.Int64 // server that is tried first
}

// Run feeds all alerts and returns when each observation was answered 2xx.
func (f *Feeder) Run(ctx context.Context) error {
	f.pace = rate.NewLimiter(rate.Inf, 1)
	if f.Rate > 0 {
		f.pace.SetLimit(rate.Limit(f.Rate))
	}
	blocks := make(chan int)
	var wait sync.WaitGroup
	failed := make(chan error, f.Workers)
	for range f.Workers {
		wait.Go(func() {
			for first := range blocks {
				if err := f.block(ctx, first); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	err := f.deal(ctx, blocks, failed)
	close(blocks)
	wait.Wait()
	if err == nil {
		select {
		case err = <-failed:
		default:
		}
	}
	return err
}

func (f *Feeder) deal(ctx context.Context, blocks chan<- int, failed <-chan error) error {
	for first := f.First; first < f.Alerts; first += f.Batch {
		select {
		case blocks <- first:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// block plays the lives of one batch: raised, changed, and two of three closed.
func (f *Feeder) block(ctx context.Context, first int) error {
	last := min(first+f.Batch, f.Alerts)
	for number := 1; number <= 3; number++ {
		var alerts []map[string]any
		var promises []ledger.Promise
		for n := first; n < last; n++ {
			closed := number == 3
			if closed && n%3 == 0 {
				continue // stays open
			}
			name := fmt.Sprintf("%s-%06d", f.Source, n)
			alerts = append(alerts, observation(name, number, closed))
			promises = append(promises, ledger.Promise{Alert: name, Number: number, Closed: closed})
		}
		if len(alerts) == 0 {
			continue
		}
		if err := f.pace.Wait(ctx); err != nil {
			return err
		}
		if err := f.post(ctx, alerts); err != nil {
			return err
		}
		now := time.Now()
		for i := range promises {
			promises[i].At = now
		}
		f.Ledger.Promise(promises...)
		if err := sleep(ctx, f.Pause); err != nil {
			return err
		}
	}
	return nil
}

func observation(name string, number int, closed bool) map[string]any {
	status := "open"
	if closed {
		status = "closed"
	}
	return map[string]any{
		"key": name, "status": status, "severity": "critical",
		"summary":     fmt.Sprintf("%s: queue length is too high", name),
		"labels":      map[string]string{"name": name, "site": "ams1", "service": "mail"},
		"annotations": map[string]string{"number": strconv.Itoa(number)},
	}
}

// post sends one request to one server after another until it is answered 2xx.
func (f *Feeder) post(ctx context.Context, alerts []map[string]any) error {
	body, err := json.Marshal(map[string]any{"alerts": alerts})
	if err != nil {
		return err
	}
	for {
		server := f.Cluster.Servers[int(f.next.Load())%len(f.Cluster.Servers)]
		status, text := f.try(ctx, server, body)
		switch {
		case status/100 == 2:
			return nil
		case status/100 == 4:
			return fmt.Errorf("%s refused the alerts with %d: %s", server.Name, status, text)
		}
		f.next.Add(1)
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("no server took the alerts in; the last, %s, answered %d %s: %w", server.Name, status, text, err)
		}
	}
}

var push = &http.Client{Timeout: 4 * time.Second}

func (f *Feeder) try(ctx context.Context, server *Server, body []byte) (status int, text string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/sources/"+f.Source, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := push.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // only for the message
	return resp.StatusCode, string(b)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
