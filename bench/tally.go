package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// tally counts what a database carries out, by the engine's own counters.
type tally struct {
	db      *sql.DB
	counter func(ctx context.Context) (int64, error)
	each    int64  // how many of them a heartbeat is
	own     int64  // how many of them a reading of the tally is
	unit    string // what they are
	end     func()
}

// count is what a database has seen by now.
type count struct{ all, beats int64 }

func newTally(ctx context.Context, env *Env, url string) (*tally, error) {
	how := engines[env.Engine]
	db, err := how.open(ctx, url)
	if err != nil {
		return nil, err
	}
	t := &tally{db: db, each: how.each, own: how.own, unit: how.unit, end: func() {}}
	if how.tally != nil {
		t.counter = func(ctx context.Context) (int64, error) { return how.tally(ctx, db) }
		return t, nil
	}
	wal := watchCommits(strings.TrimPrefix(url, "sqlite:") + "-wal")
	t.counter, t.end = func(context.Context) (int64, error) { return wal.count() }, wal.stop
	return t, nil
}

func (t *tally) read(ctx context.Context) (c count, err error) {
	if c.all, err = t.counter(ctx); err == nil {
		err = t.db.QueryRowContext(ctx, "SELECT SUM(beat) FROM server").Scan(&c.beats)
	}
	return c, err
}

func (t *tally) close() {
	t.end()
	t.db.Close()
}

// commits counts the commits in the write-ahead log of a SQLite database. The
// log begins anew now and then, so it is looked at often.
type commits struct {
	path string
	quit chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	before int64  // in logs that were begun anew since
	here   int64  // in this one
	salt   uint64 // that tells this one from others
	err    error
}

const lookAtLog = 200 * time.Millisecond

func watchCommits(path string) *commits {
	c := &commits{path: path, quit: make(chan struct{})}
	c.look()
	c.done.Go(func() {
		tick := time.NewTicker(lookAtLog)
		defer tick.Stop()
		for {
			select {
			case <-c.quit:
				return
			case <-tick.C:
				c.look()
			}
		}
	})
	return c
}

func (c *commits) stop() {
	close(c.quit)
	c.done.Wait()
}

func (c *commits) count() (int64, error) {
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.before + c.here, c.err
}

func (c *commits) look() {
	n, salt, err := commitsIn(c.path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = errors.Join(c.err, err)
		return
	}
	if salt != c.salt {
		c.before, c.salt = c.before+c.here, salt
	}
	c.here = n
}

// Sizes in a write-ahead log's file: https://www.sqlite.org/fileformat2.html#walformat
const (
	logHeader   = 32
	frameHeader = 24
)

// commitsIn counts the frames that end a transaction, of those that belong to
// the log's present round.
func commitsIn(path string) (n int64, salt uint64, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil // nothing was written since it was last emptied
	}
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	var header [logHeader]byte
	if _, err := io.ReadFull(file, header[:]); err != nil {
		return 0, 0, nil //nolint:nilerr // it is empty
	}
	page := int64(binary.BigEndian.Uint32(header[8:]))
	salt = binary.BigEndian.Uint64(header[16:])
	var frame [frameHeader]byte
	for at := int64(logHeader); ; at += frameHeader + page {
		if _, err := file.ReadAt(frame[:], at); err != nil || binary.BigEndian.Uint64(frame[8:]) != salt {
			return n, salt, nil //nolint:nilerr // the log ends here
		}
		if binary.BigEndian.Uint32(frame[4:]) > 0 {
			n++
		}
	}
}
