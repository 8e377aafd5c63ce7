package overview

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/fault"
	"tieline/internal/store"
)

// fakeStore counts readings, and wakes who listens.
type fakeStore struct {
	reads  atomic.Int64
	mu     sync.Mutex
	away   error
	heard  func(string)
	listen atomic.Int64
}

func (f *fakeStore) Glance(context.Context) (store.Glance, error) {
	f.reads.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	return store.Glance{Name: "group", Now: time.Now().Add(time.Hour)}, f.away
}
func (f *fakeStore) Backlog(context.Context) (map[string]store.Backlog, error) { return nil, nil }
func (f *fakeStore) Throughput(context.Context) (map[string]int64, error)      { return nil, nil }
func (f *fakeStore) Unheld(context.Context, []string) (map[string]bool, error) { return nil, nil }
func (f *fakeStore) Wake(context.Context, ...string)                           {}
func (f *fakeStore) Document(context.Context, string, int64) (store.StoredDocument, error) {
	return store.StoredDocument{}, errors.New("there is none")
}

func (f *fakeStore) Listen(ctx context.Context, heard func(string)) error {
	f.listen.Add(1)
	f.mu.Lock()
	f.heard = heard
	f.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeStore) set(away error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

func (f *fakeStore) wake() {
	f.mu.Lock()
	heard := f.heard
	f.mu.Unlock()
	heard(store.TopicLease)
}

func TestManyWatchersCostOneReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStore{}
		s := New(f)
		var watchers []*Watcher
		for range 20 {
			watchers = append(watchers, s.Hub().Watch())
		}
		time.Sleep(10*time.Second + pollEvery/2)
		synctest.Wait()
		if n := f.reads.Load(); n < 10 || n > 12 {
			t.Errorf("20 watchers cost %d readings in 10 s, want one a second", n)
		}
		if n := f.listen.Load(); n != 1 {
			t.Errorf("%d listeners for 20 watchers", n)
		}
		for _, w := range watchers {
			w.Close()
		}
		before := f.reads.Load()
		time.Sleep(time.Minute)
		if n := f.reads.Load(); n != before || s.Hub().Watchers() != 0 {
			t.Errorf("%d readings while nobody watches", n-before)
		}
	})
}

func TestAWakeUpIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStore{}
		w := New(f).Hub().Watch()
		defer w.Close()
		<-w.Changed
		first := w.State().Seq
		time.Sleep(2 * readEvery)
		begun := time.Now()
		f.wake()
		<-w.Changed
		if took := time.Since(begun); took > readEvery || w.State().Seq <= first {
			t.Errorf("a wake-up was told after %s", took)
		}
	})
}

func TestWatchersAreToldThatTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStore{}
		w := New(f).Hub().Watch()
		defer w.Close()
		<-w.Changed
		f.set(fault.New(fault.Unavailable, "the database does not answer"))
		<-w.Changed
		away := w.State()
		if away.Away.IsZero() || away.AwayReason() != "the database does not answer" || away.Snapshot == nil {
			t.Errorf("while it is away: %+v", away)
		}
		<-w.Changed
		if again := w.State(); !again.Away.Equal(away.Away) {
			t.Error("since when it is away moves")
		}
		f.set(nil)
		<-w.Changed
		if back := w.State(); !back.Away.IsZero() || back.AwayReason() != "" {
			t.Errorf("when it is back: %+v", back)
		}
	})
}

func TestTheClockIsTheDatabases(t *testing.T) {
	f := &fakeStore{}
	s := New(f)
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ahead := time.Until(s.Now()); ahead < 59*time.Minute {
		t.Errorf("the clock is %s ahead of this machine's, want the database's hour", ahead)
	}
}
