package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverArgs is one alert as a job, of the same size as ours.
type riverArgs struct {
	Key  string `json:"key"`
	Body string `json:"body"`
}

func (riverArgs) Kind() string { return "alert" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	done *atomic.Int64
	want int64
	over chan struct{}
}

// Work is the instant remote: it counts.
func (w *riverWorker) Work(context.Context, *river.Job[riverArgs]) error {
	if w.done.Add(1) == w.want {
		close(w.over)
	}
	return nil
}

// riverDrain measures the peer: River working one job per alert, all inserted
// before, with settings for throughput. It returns jobs per second, from the
// client's start to the last job worked.
func riverDrain(ctx context.Context, url string, jobs int) (float64, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return 0, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return 0, fmt.Errorf("migrate river: %w", err)
	}
	worker := &riverWorker{done: new(atomic.Int64), want: int64(jobs), over: make(chan struct{})}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2000}},
		Workers:       workers,
		FetchCooldown: 2 * time.Millisecond,
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	if err := insertJobs(ctx, client, jobs); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := client.Start(ctx); err != nil {
		return 0, err
	}
	select {
	case <-worker.over:
	case <-time.After(5 * time.Minute):
		return 0, fmt.Errorf("river worked only %d of %d jobs in 5 minutes", worker.done.Load(), jobs)
	}
	rate := float64(jobs) / time.Since(began).Seconds()
	return rate, client.Stop(ctx)
}

func insertJobs[T any](ctx context.Context, client *river.Client[T], jobs int) error {
	const batch = 2000
	for n := 0; n < jobs; n += batch {
		params := make([]river.InsertManyParams, 0, batch)
		for i := n; i < min(n+batch, jobs); i++ {
			o := observation(i)
			params = append(params, river.InsertManyParams{Args: riverArgs{Key: o.Key, Body: bodyOf(o)}})
		}
		if _, err := client.InsertManyFast(ctx, params); err != nil {
			return fmt.Errorf("insert jobs: %w", err)
		}
	}
	return nil
}
