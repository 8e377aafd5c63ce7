package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// listen starts a listener and returns what it hears once it hears the other
// processes, which it says by a refresh.
func listen(t *testing.T, db *DB) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan string, 10000), make(chan error, 1)
	go func() { ended <- db.Listen(ctx, func(topic string) { heard <- topic }) }()
	t.Cleanup(func() {
		cancel()
		if err := within(t, "the listener's end", ended); !errors.Is(err, context.Canceled) {
			t.Errorf("listen ended with %v", err)
		}
	})
	if topic := within(t, "the listener's beginning", heard); topic != TopicRefresh {
		t.Fatalf("heard %q first, want %q", topic, TopicRefresh)
	}
	return heard
}

// until wakes a topic again and again until it is heard.
func until(t *testing.T, db *DB, topic string, heard <-chan string) {
	t.Helper()
	others := map[string]int{}
	for range 200 {
		db.Wake(t.Context(), topic)
		select {
		case got := <-heard:
			if got == topic {
				return
			}
			others[got]++
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("%s is not heard, but %v", topic, others)
}

func drain(heard <-chan string) {
	for {
		select {
		case <-heard:
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func TestWakeReachesOtherProcesses(t *testing.T) {
	onTelling(t, func(t *testing.T, url string) {
		here, there := open(t, url), open(t, url)
		mine, theirs := listen(t, here), listen(t, there)
		until(t, there, "ready", mine)
		until(t, here, "ready", theirs)
		drain(mine)
		drain(theirs)
		began := time.Now()
		here.Wake(t.Context(), TopicWork("desk"), TopicLease)
		for who, heard := range map[string]<-chan string{"here": mine, "there": theirs} {
			if topic := within(t, "a wake-up "+who, heard); topic != "work/desk" {
				t.Errorf("%s: heard %q first", who, topic)
			}
			if topic := within(t, "a wake-up "+who, heard); topic != TopicLease {
				t.Errorf("%s: heard %q second", who, topic)
			}
		}
		t.Logf("both were awake after %v", time.Since(began))
		drain(theirs)
		select {
		case topic := <-mine:
			t.Errorf("the process heard its own announcement of %q again", topic)
		default:
		}
	})
}

func TestTakeOverWakesEverybody(t *testing.T) {
	onTelling(t, func(t *testing.T, url string) {
		here, there := open(t, url), open(t, url)
		addConnector(t, here, "desk")
		join(t, here, "north")
		mine, theirs := listen(t, here), listen(t, there)
		until(t, there, "ready", mine)
		until(t, here, "ready", theirs)
		drain(mine)
		drain(theirs)
		s := openSession(t, here, "north")
		l := mustTake(t, s, "desk", "north")
		for range 2 {
			for who, heard := range map[string]<-chan string{"here": mine, "there": theirs} {
				if topic := within(t, "a wake-up "+who, heard); topic != TopicLease {
					t.Errorf("%s: heard %q", who, topic)
				}
			}
			if l.Epoch > 0 {
				if err := s.Release(t.Context(), releaseOf(l)); err != nil {
					t.Fatal(err)
				}
				l.Epoch = 0
			}
		}
	})
}

func TestListenerRefreshesAfterALostConnection(t *testing.T) {
	db := open(t, freshPostgres(t))
	heard := listen(t, db)
	waitFor(t, db, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tieline listen' AND query LIKE 'LISTEN%'
		AND datname = current_database()`)
	terminate(t, db, "tieline listen")
	if topic := within(t, "a wake-up", heard); topic != TopicRefresh {
		t.Errorf("heard %q, want %q", topic, TopicRefresh)
	}
}

func TestWakeFileStartsAnewAndIsFollowed(t *testing.T) {
	url := freshSQLite(t)
	here, there := open(t, url), open(t, url)
	theirs := listen(t, there)
	until(t, here, "ready", theirs)
	long := make([]string, 3000)
	for i := range long {
		long[i] = TopicWork("connector-with-a-name-of-some-length-" + time.Duration(i).String())
	}
	for range 2 { // more than the file may hold
		if err := here.engine.Coordination.Announce(t.Context(), long); err != nil {
			t.Fatal(err)
		}
	}
	drain(theirs)
	until(t, here, "again", theirs)
}

// TestNoWakeUpIsLost: what several processes wake at once is heard by each of
// them, or covered by a refresh, also while the file that carries them between
// processes starts anew again and again.
func TestNoWakeUpIsLost(t *testing.T) {
	const wakers, each = 3, 400
	onTelling(t, func(t *testing.T, url string) {
		dbs := make([]*DB, wakers)
		heard := make([]<-chan string, wakers)
		for i := range dbs {
			dbs[i] = open(t, url)
			heard[i] = listen(t, dbs[i])
		}
		var all sync.WaitGroup
		for i, db := range dbs {
			all.Go(func() {
				for n := range each {
					db.Wake(t.Context(), TopicWork(fmt.Sprintf("%d/%d-%s", i, n, strings.Repeat("x", n))))
				}
			})
		}
		all.Wait()
		for i := range dbs {
			for got := 0; got < wakers*each; got++ {
				if topic := within(t, "a wake-up", heard[i]); topic == TopicRefresh {
					break // look at everything
				}
			}
		}
	})
}

func TestAnnouncementsAreCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWakes()
		began := time.Now()
		var sent [][]string
		var at []time.Duration
		send := func(topics []string) {
			sent, at = append(sent, topics), append(at, time.Since(began))
		}
		w.announce([]string{"a", "a"}, send)
		synctest.Wait()
		for range 100 {
			w.announce([]string{"b", "a"}, send)
			w.announce([]string{"c"}, send)
		}
		w.wait()
		if len(sent) != 2 || len(sent[0]) != 1 || len(sent[1]) != 3 || at[0] != 0 || at[1] != announceEvery {
			t.Errorf("sent %v at %v", sent, at)
		}
		w.announce([]string{"d"}, send)
		w.wait()
		if len(sent) != 3 {
			t.Errorf("nothing is sent after a pause: %v", sent)
		}
	})
}

func TestListenerHearsEachTopicOnce(t *testing.T) {
	w := newWakes()
	in := w.subscribe()
	for range 10 {
		w.spread([]string{"b", "a"})
	}
	<-in.ready
	if got := in.take(); len(got) != 2 || got[0] != "b" || got[1] != "a" {
		t.Errorf("took %v", got)
	}
	w.unsubscribe(in)
	w.spread([]string{"c"})
	if got := in.take(); len(got) != 0 {
		t.Errorf("heard %v after the end", got)
	}
}
