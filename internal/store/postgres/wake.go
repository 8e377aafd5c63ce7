package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
)

// A listener checks at this interval that its connection still lives: nothing
// else is ever sent on it.
const listenCheck = 20 * time.Second

// Announce notifies the topics, in one statement.
func (c *Coordinator) Announce(ctx context.Context, topics []string) error {
	_, err := c.work.ExecContext(ctx, `SELECT pg_notify($1, t) FROM unnest($2::text[]) AS t`, Channel, topics)
	return wrap("notify", err)
}

// Listen listens on a connection of its own, and makes a new one when it breaks.
// It calls missed each time it has begun to listen.
func (c *Coordinator) Listen(ctx context.Context, heard func(topic string), missed func()) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, 5*time.Second
	for {
		err := c.listen(ctx, heard, func() {
			missed() // what was notified before
			pause.Reset()
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.pooled.Load() {
			return c.Listen(ctx, heard, missed)
		}
		wait := pause.NextBackOff()
		c.log.Warn("wake-ups are not heard, trying again; until then work waits for the next poll",
			slog.Duration("after", wait), slog.Any("err", err))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// listen listens until the connection breaks or ctx ends.
func (c *Coordinator) listen(ctx context.Context, heard func(topic string), listening func()) error {
	open, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.connect(open, c.quiet, "tieline listen", nil)
	if err != nil {
		return err
	}
	defer conn.close()
	if _, err := conn.Exec(open, "LISTEN "+Channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	listening()
	for {
		quiet, cancel := context.WithTimeout(ctx, listenCheck)
		stay := context.AfterFunc(c.quiet.watch.moving(), cancel) // work that waits is on another host then
		if c.quiet.watch.left(conn.PgConn()) != nil {
			cancel() // it was met in between
		}
		n, err := conn.WaitForNotification(quiet)
		expired := quiet.Err() != nil && ctx.Err() == nil
		stay()
		cancel()
		switch {
		case err == nil:
			heard(n.Payload)
		case !expired:
			return fmt.Errorf("listen: %w", err)
		case c.pooled.Load():
			return errors.New("listen: a transaction pooler was found in between")
		case c.quiet.watch.left(conn.PgConn()) != nil:
			return wrap("listen", c.quiet.watch.left(conn.PgConn()))
		default:
			if err := alive(ctx, conn.Conn); err != nil {
				return err
			}
		}
	}
}

// alive asks the server for an answer without making it a transaction.
func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	pipeline := conn.PgConn().StartPipeline(ctx)
	if err := pipeline.Sync(); err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), pipeline.Close())
	}
	return wrap("listen", pipeline.Close()) // it reads all answers
}
