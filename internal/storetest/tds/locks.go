package tds

import (
	"context"
	"sync"
	"time"
)

// Answers of sp_getapplock.
const (
	granted, grantedLate     = 0, 1
	timedOut, cancelled      = -1, -2
	refusedAtOnce, notLocked = -999, -999
)

// locks are application locks.
type locks struct {
	mu    sync.Mutex
	moved *sync.Cond
	named map[string]*lock
}

type lock struct {
	exclusive *session
	shared    map[*session]int
}

func newLocks() *locks {
	l := &locks{named: map[string]*lock{}}
	l.moved = sync.NewCond(&l.mu)
	return l
}

func (l *locks) of(name string) *lock {
	if l.named[name] == nil {
		l.named[name] = &lock{shared: map[*session]int{}}
	}
	return l.named[name]
}

// open reports whether a session may have the lock.
func (k *lock) open(s *session, exclusive bool) bool {
	if k.exclusive != nil && k.exclusive != s {
		return false
	}
	others := len(k.shared)
	if k.shared[s] > 0 {
		others--
	}
	return !exclusive || others == 0
}

// get waits for a lock, up to limit.
func (l *locks) get(ctx context.Context, s *session, name string, exclusive bool, limit time.Duration) int64 {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTimeUp)
	defer cancel()
	defer context.AfterFunc(ctx, l.wake)()
	l.mu.Lock()
	defer l.mu.Unlock()
	result := int64(granted)
	for !l.of(name).open(s, exclusive) {
		switch {
		case limit == 0:
			return refusedAtOnce
		case context.Cause(ctx) == errTimeUp:
			return timedOut
		case ctx.Err() != nil:
			return cancelled
		}
		result = grantedLate
		l.moved.Wait()
	}
	if exclusive {
		l.of(name).exclusive = s
	} else {
		l.of(name).shared[s]++
	}
	return result
}

func (l *locks) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved.Broadcast()
}

func (l *locks) release(s *session, name string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.of(name)
	switch {
	case k.shared[s] > 1:
		k.shared[s]--
	case k.shared[s] == 1:
		delete(k.shared, s)
	case k.exclusive == s:
		k.exclusive = nil
	default:
		return notLocked
	}
	l.moved.Broadcast()
	return granted
}

// releaseAll is for a session that has ended.
func (l *locks) releaseAll(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.named {
		if k.exclusive == s {
			k.exclusive = nil
		}
		delete(k.shared, s)
	}
	l.moved.Broadcast()
}

func (l *locks) mode(s *session, name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of(name).exclusive == s {
		return "'Exclusive'"
	}
	return "'NoLock'"
}

func (l *locks) test(s *session, name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of(name).open(s, false) {
		return "1"
	}
	return "0"
}
