package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	if size > wakeLimit { // by its name: Windows truncates no file that is open for appending
		err = errors.Join(err, os.Truncate(f.Name(), 0))
	}
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// Listen reads what is appended from now on. Where it cannot, it says so and
// tries again: wake-ups are a matter of time.
func (c *Coordinator) Listen(ctx context.Context, heard func(topic string), missed func()) error {
	for told := ""; ; missed() {
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
	tail := tail{file: f}
	if tail.at, err = f.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
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

// tail reads the lines appended to a file.
type tail struct {
	file *os.File
	at   int64
}

var errRemoved = errors.New("the file of wake-ups was removed")

// read calls heard for each whole line since the last time, and missed when the
// file started anew in between.
func (t *tail) read(heard func(line string), missed func()) error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if shown, err := os.Stat(t.file.Name()); err != nil || !os.SameFile(info, shown) {
		return errors.Join(errRemoved, err)
	}
	if info.Size() == t.at {
		return nil
	}
	if info.Size() < t.at {
		t.at = 0
		missed()
	}
	text, err := io.ReadAll(io.NewSectionReader(t.file, t.at, wakeLimit))
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
