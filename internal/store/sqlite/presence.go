package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"tieline/internal/store/coord"
)

// A waiter looks at the lock when the system tells it that the holder closed
// the file, and besides at these intervals: the longer where it is told.
const (
	lookTold   = 250 * time.Millisecond
	lookUntold = 5 * time.Millisecond
	// The system tells of the close a moment before it lets go of the lock.
	lookAfterClose = time.Millisecond
	looksAfter     = 20
)

// presences is the folder of presence files. Whoever holds a file's lock is
// alive: the system drops the lock when the process dies. Names are fresh, so a
// missing file is a presence that has ended.
type presences struct{ dir string }

// presence is a file whose lock this process holds.
type presence struct {
	name string
	lock *flock.Flock
}

// take creates a file under a fresh name and locks it. Another process may
// sweep the file before it is locked; then the next name is tried.
func (p presences) take() (*presence, error) {
	if err := os.MkdirAll(p.dir, 0o750); err != nil {
		return nil, err
	}
	for range 3 {
		name := coord.NewPresence()
		// Opened for writing, so that its close can be told from a waiter's.
		lock := flock.New(filepath.Join(p.dir, name), flock.SetFlag(os.O_CREATE|os.O_RDWR))
		locked, err := lock.TryLock()
		if err != nil {
			return nil, err
		}
		taken := &presence{name: name, lock: lock}
		if locked && taken.held() {
			return taken, nil
		}
		_ = lock.Close()
	}
	return nil, errors.New("three fresh presence files were taken away")
}

// held reports whether the lock is still on the file that others find by its name.
func (p *presence) held() bool {
	mine, err := p.lock.Stat()
	if err != nil || !p.lock.Locked() {
		return false
	}
	shown, err := os.Stat(p.lock.Path())
	return err == nil && os.SameFile(mine, shown)
}

// release ends the presence and removes its file.
func (p *presence) release() error {
	removed := os.Remove(p.lock.Path()) == nil
	err := p.lock.Close()
	if !removed { // Windows removes no open file
		err = errors.Join(err, os.Remove(p.lock.Path()))
	}
	return err
}

// sweep removes the files of processes that died. What cannot be removed now is
// removed another time.
func (p presences) sweep() {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !coord.ValidPresence(e.Name()) {
			continue
		}
		lock := flock.New(filepath.Join(p.dir, e.Name()), flock.SetFlag(os.O_RDONLY))
		if locked, err := lock.TryLock(); err == nil && locked {
			_ = (&presence{name: e.Name(), lock: lock}).release()
		}
	}
}

// held counts the presences that somebody holds.
func (p presences) held() (int, error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("look at the presences: %w", err)
	}
	n := 0
	for _, e := range entries {
		if !coord.ValidPresence(e.Name()) {
			continue
		}
		free, err := p.free(e.Name())
		if err != nil {
			return 0, err
		}
		if !free {
			n++
		}
	}
	return n, nil
}

// free reports whether nobody holds the presence. Waiters lock the file for
// sharing: all of them are granted at once.
func (p presences) free(name string) (bool, error) {
	lock := flock.New(filepath.Join(p.dir, name), flock.SetFlag(os.O_RDONLY))
	granted, err := lock.TryRLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("look at presence %s: %w", name, err)
	case granted:
		return true, lock.Close()
	}
	return false, nil
}

// await returns when the presence is free; held is called when it was not at first.
func (p presences) await(ctx context.Context, name string, held func()) error {
	// The watch begins before the first look, so that no close is missed between.
	closed, stop, err := watchClose(filepath.Join(p.dir, name))
	look := lookTold
	if err != nil {
		look = lookUntold // there is no watch here, or no such file
	} else {
		defer stop()
	}
	free, err := p.free(name)
	if err != nil || free {
		return err
	}
	held()
	soon := 0
	for {
		wait := look
		if soon > 0 {
			wait, soon = lookAfterClose, soon-1
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-closed:
			timer.Stop()
			soon = looksAfter
		case <-timer.C:
		}
		if free, err = p.free(name); err != nil || free {
			return err
		}
	}
}
