package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Wake-ups between the processes of the host go through a file beside the
// presences: whoever has something to tell appends a line, and the others read
// on from where they were. It is not part of the database, because a commit of
// its own per wake-up would cost more than the wake-up is worth. A line that is
// lost costs time, nothing else.
const (
	wakeFile = "wakes"
	// eraFile grows by a byte whenever the file of wake-ups was started anew. By the
	// size of that file alone a listener that was slow could not tell that what it
	// had not read is gone: there may be more again than it had read.
	eraFile = "wakes.era"
	// wakeLimit is the size in bytes after which the file starts anew.
	wakeLimit = 1 << 18
	// How often a listener looks at the file: where the system tells of each write
	// it looks only in case that fails.
	wakeTold   = 500 * time.Millisecond
	wakeUntold = 20 * time.Millisecond
	wakeRetry  = time.Second
)

// Announce appends the topics to the file of wake-ups.
func (c *Coordinator) Announce(_ context.Context, topics []string) error {
	f, err := c.presences.wakes(os.O_APPEND | os.O_WRONLY)
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	var lines bytes.Buffer
	for _, topic := range topics {
		lines.WriteString(topic + "\n")
	}
	_, err = f.Write(lines.Bytes()) // one write: lines of two processes do not mix
	size, sized := f.Seek(0, io.SeekEnd)
	err = errors.Join(err, sized, f.Close())
	if size > wakeLimit {
		err = errors.Join(err, c.presences.startAnew(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// startAnew empties the file of wake-ups: by its name, because Windows truncates
// no file that is open for appending. The era ends after it, so that whoever has
// seen the new era knows of every line that was taken away.
func (p presences) startAnew(path string) error {
	if err := os.Truncate(path, 0); err != nil {
		return err
	}
	era, err := os.OpenFile(p.era(), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = era.Write([]byte{'.'})
	return errors.Join(err, era.Close())
}

// Listen reads what is appended from now on, and calls missed when it has begun
// to. Where it cannot, it says so and tries again: wake-ups are a matter of time.
func (c *Coordinator) Listen(ctx context.Context, heard func(topic string), missed func()) error {
	for told := ""; ; {
		err := c.listen(ctx, heard, missed)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if told != err.Error() {
			told = err.Error()
			c.log.Warn("wake-ups of other processes are not heard, trying again; until then work waits for the next poll",
				slog.String("folder", c.presences.dir), slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wakeRetry):
		}
	}
}

func (c *Coordinator) listen(ctx context.Context, heard func(topic string), missed func()) error {
	f, err := c.presences.wakes(os.O_RDONLY)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	look := wakeTold
	written, stop, err := watchWrite(f.Name())
	if err != nil {
		look = wakeUntold
	} else {
		defer stop()
	}
	tail := tail{file: f, era: c.presences.era()}
	if err := tail.skip(); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	missed() // what was announced before
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		if err := tail.read(heard, missed); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-written:
		case <-ticker.C:
		}
	}
}

func (p presences) wakes(flag int) (*os.File, error) {
	if err := os.MkdirAll(p.dir, 0o750); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(p.dir, wakeFile), flag|os.O_CREATE, 0o600)
}

func (p presences) era() string { return filepath.Join(p.dir, eraFile) }

// tail reads the lines appended to a file.
type tail struct {
	file *os.File
	at   int64
	era  string // the file that grows when this one starts anew
	eras int64  // its size when it was last looked at
}

var errRemoved = errors.New("the file of wake-ups was removed")

// skip goes to the end of the file.
func (t *tail) skip() error {
	size, eras, err := t.look()
	t.at, t.eras = size, eras
	return err
}

// look returns the file's size and the size of the era's. The era's is read
// first: what is taken away between the two is noticed the next time.
func (t *tail) look() (size, eras int64, err error) {
	era, err := os.Stat(t.era)
	switch {
	case err == nil:
		eras = era.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return 0, 0, err
	}
	info, err := t.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	if shown, err := os.Stat(t.file.Name()); err != nil || !os.SameFile(info, shown) {
		return 0, 0, errors.Join(errRemoved, err)
	}
	return info.Size(), eras, nil
}

// read calls heard for each whole line since the last time, and missed when
// lines were taken away in between.
func (t *tail) read(heard func(line string), missed func()) error {
	size, eras, err := t.look()
	if err != nil {
		return err
	}
	if size < t.at || eras != t.eras {
		t.at, t.eras = size, eras
		missed() // it covers what is in the file by now
		return nil
	}
	text, err := io.ReadAll(io.NewSectionReader(t.file, t.at, size-t.at))
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(text, []byte{'\n'})
		if !whole {
			return nil
		}
		t.at += int64(len(line)) + 1
		heard(string(line))
		text = rest
	}
}
