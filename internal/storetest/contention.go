package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/intake"
	"tieline/internal/store"
)

var contention = map[string]func(*testing.T, Fresh){
	"contention/every link is claimed once":                 raceClaims,
	"contention/one latest alert of a problem":              raceAccept,
	"contention/batches of the same alerts in other orders": raceBatches,
	"contention/intake while links are sent":                raceIntake,
	"contention/a deposed term among claims":                raceDeposed,
	"contention/a frozen contender":                         frozenContender,
	"contention/a bookmark moves once":                      raceBookmark,
	"contention/the database is busy":                       busyDatabase,
}

// raceClaims lets several processes that believe to be the same Active claim at
// once: whatever they believe, every link is claimed exactly once.
func raceClaims(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	const links = 400
	f.raise(links, tickets)
	var mu sync.Mutex
	holder := map[alert.ID]alert.ClaimID{}
	var wg sync.WaitGroup
	for _, db := range []*store.DB{f.db, f.open(), f.open(), f.open()} {
		wg.Go(func() {
			for !t.Failed() { // what one lost to another is never held by all
				r := forward.ClaimRequest{Term: term, View: alert.TermView{Epoch: term.Epoch}, Claim: alert.NewID(), Limit: 7}
				n, err := db.Claim(t.Context(), r)
				if err != nil {
					t.Errorf("claim: %v", err)
					return
				}
				works, err := db.Claimed(t.Context(), tickets, r.Claim)
				if err != nil || len(works) != n || n > 7 {
					t.Errorf("claimed %d, read %d: %v", n, len(works), err)
					return
				}
				mu.Lock()
				for _, w := range works {
					if by, twice := holder[w.Alert.ID]; twice {
						t.Errorf("link of alert %s is claimed by %s and %s", w.Alert.ID, by, r.Claim)
					}
					holder[w.Alert.ID] = r.Claim
				}
				done := len(holder) == links
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	if n := f.count("SELECT count(*) FROM link WHERE claim_id IS NOT NULL AND due_at IS NULL"); n != links {
		t.Errorf("%d links are claimed, not %d", n, links)
	}
}

// claimRowItself claims links that the column which claims are looked for by
// calls due, and the row itself does not: the claim's whole condition stands on the
// row that is updated (rule C1), whatever the candidates were chosen by.
func claimRowItself(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(4, tickets)
	for i, change := range []string{"parked = 'refused'", "skipped = 'not wanted'", "stage = 'settled', delivered = wanted"} {
		f.exec("UPDATE link SET "+change+" WHERE alert_id = $1", ids[i])
		if l := f.link(ids[i], tickets, alert.Remote); l.DueAt.IsZero() || l.Due() {
			t.Fatalf("%s: not a link that only its column calls due: %+v", change, l)
		}
	}
	_, works := f.claim(f.db, term, 10)
	if len(works) != 1 || works[0].Alert.ID != ids[3] {
		t.Errorf("claimed %d links, of which one is due: %+v", len(works), works)
	}
}

// raceAccept raises the same problems from several processes at once.
func raceAccept(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	const rounds = 10
	var mu sync.Mutex
	raised, ended := map[string]int{}, map[string]int{}
	var wg sync.WaitGroup
	for n, db := range []*store.DB{f.db, f.open(), f.open()} {
		wg.Go(func() {
			for round := range rounds {
				status := alert.Open
				if (round+n)%2 == 1 {
					status = alert.Closed
				}
				b := intake.Batch{Server: fmt.Sprint(n), Generation: 2}
				for k := range 5 {
					b.Items = append(b.Items, intake.Observed{Observation: observe(fmt.Sprint(k), status, "x"), Route: to(tickets)})
				}
				got, err := db.Accept(t.Context(), b)
				if err != nil {
					t.Errorf("accept: %v", err)
					return
				}
				mu.Lock()
				for k, a := range got {
					switch a.Change {
					case alert.Raised:
						raised[fmt.Sprint(k)]++
					case alert.Ended:
						ended[fmt.Sprint(k)]++
					case alert.Missed:
						raised[fmt.Sprint(k)]++
						ended[fmt.Sprint(k)]++
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for k := range 5 {
		key := fmt.Sprint(k)
		all := f.count("SELECT count(*) FROM alert WHERE source_key = $1", key)
		open := f.count("SELECT count(*) FROM alert WHERE source_key = $1 AND status = 'open'", key)
		latest := f.count("SELECT count(*) FROM alert WHERE latest_key = $1", key)
		if all != raised[key] || open != raised[key]-ended[key] || open > 1 || latest != 1 {
			t.Errorf("key %s: %d raised, %d closed; stored %d, %d open, %d latest", key, raised[key], ended[key], all, open, latest)
		}
	}
	f.everyAlertIsWanted()
}

// everyAlertIsWanted checks what no interleaving may break: a link wants its
// alert's newest revision.
func (f *fixture) everyAlertIsWanted() {
	f.Helper()
	n := f.count(`SELECT count(*) FROM alert JOIN link ON link.alert_id = alert.id
		WHERE link.side = 'remote' AND link.wanted <> alert.revision`)
	lost := f.count("SELECT count(*) FROM alert WHERE NOT EXISTS (SELECT 1 FROM link WHERE link.alert_id = alert.id)")
	if n != 0 || lost != 0 {
		f.Errorf("%d links do not want their alert's revision, %d alerts have none", n, lost)
	}
}

// raceBatches sends overlapping batches in opposite orders: nobody waits in a
// circle, nobody fails.
func raceBatches(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.raise(1, tickets)
	var wg sync.WaitGroup
	for n, db := range []*store.DB{f.db, f.open(), f.open()} {
		wg.Go(func() {
			for round := range 8 {
				b := intake.Batch{Server: fmt.Sprint(n), Generation: 2}
				for k := range 40 {
					if n == 1 {
						k = 39 - k
					}
					o := observe(fmt.Sprint("k", k), alert.Open, fmt.Sprint(n, " ", round))
					b.Items = append(b.Items, intake.Observed{Observation: o, Route: to(tickets, files)})
				}
				if err := push(t.Context(), db, b); err != nil {
					t.Errorf("accept: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := f.count("SELECT count(*) FROM alert WHERE seen >= 24 AND (source_key LIKE 'k_' OR source_key LIKE 'k__')"); n != 40 {
		t.Errorf("%d alerts were seen by everybody", n)
	}
	f.everyAlertIsWanted()
}

// push sends a batch as a source does: again, when it is told to come back.
func push(ctx context.Context, db *store.DB, b intake.Batch) error {
	for {
		_, err := db.Accept(ctx, b)
		if fault.KindOf(err) != fault.Unavailable {
			return err
		}
	}
}

// raceIntake changes alerts while their links are claimed and recorded: in the
// end every ticket was told the newest revision.
func raceIntake(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.raise(30, tickets)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	other := f.open()
	wg.Go(func() {
		defer close(stop)
		for round := range 15 {
			b := intake.Batch{Server: "beta", Generation: 2}
			for k := range 30 {
				o := observe("key-"+time.Duration(k+1).String(), alert.Open, fmt.Sprint("round ", round))
				b.Items = append(b.Items, intake.Observed{Observation: o, Route: to(tickets)})
			}
			if err := push(t.Context(), other, b); err != nil {
				t.Errorf("accept: %v", err)
				return
			}
		}
	})
	for running := true; running; {
		select {
		case <-stop:
			running = false
		default:
		}
		f.settle(term)
	}
	wg.Wait()
	f.settle(term)
	if n := f.count("SELECT count(*) FROM link WHERE stage <> 'settled' OR delivered <> wanted OR due_at IS NOT NULL OR claim_id IS NOT NULL"); n != 0 {
		t.Errorf("%d links are not at rest", n)
	}
	f.everyAlertIsWanted()
}

// raceDeposed moves the lease while two terms claim: no claim carries an epoch
// whose term had been told that it is over.
func raceDeposed(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.raise(200, tickets)
	old := f.term(tickets, "alpha")
	other := f.open()
	began := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			_, err := other.Claim(t.Context(), forward.ClaimRequest{
				Term: old, View: alert.TermView{Epoch: old.Epoch}, Claim: alert.NewID(), Limit: 3})
			if n == 0 {
				close(began)
			}
			if err != nil {
				return
			}
		}
	})
	<-began
	now := f.term(tickets, "beta")
	wg.Wait()
	before := f.count("SELECT count(*) FROM link WHERE claim_epoch = $1", old.Epoch)
	_, err := other.Claim(t.Context(), forward.ClaimRequest{Term: old, View: alert.TermView{Epoch: old.Epoch}, Claim: alert.NewID(), Limit: 3})
	if err != forward.ErrDeposed {
		t.Errorf("the old term: %v", err)
	}
	_, works := f.claim(f.db, now, 1000)
	if after := f.count("SELECT count(*) FROM link WHERE claim_epoch = $1", old.Epoch); after != before || before+len(works) != 200 {
		t.Errorf("the old term held %d, then %d; the new one has %d", before, after, len(works))
	}
}

// frozenContender stops a process in the middle of a claim. Where rows are
// locked it is inside a transaction with the claim's locks; on SQLite, where only one writes
// at a time, it has claimed, and is reading.
func frozenContender(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.raise(10, tickets)
	tx, err := rawBegin(f)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	defer func() { _ = tx.Rollback() }()
	switch f.db.Engine() {
	case "postgres":
		_, err = tx.ExecContext(t.Context(), `UPDATE link SET claim_id = gen_random_uuid(), due_at = NULL
			WHERE alert_id IN (SELECT alert_id FROM link ORDER BY due_at LIMIT 4 FOR UPDATE)`)
	case "mariadb", "mysql":
		_, err = tx.ExecContext(t.Context(), "UPDATE link SET claim_id = uuid(), due_at = NULL WHERE due_at IS NOT NULL ORDER BY alert_id LIMIT 4")
	default:
		f.claim(f.db, term, 4)
		var n int
		err = tx.QueryRowContext(t.Context(), "SELECT count(*) FROM link").Scan(&n)
	}
	if err != nil {
		t.Fatalf("freeze: %v", err)
	}
	// Were it to wait for the frozen one, the claim would end with its context.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	n, err := f.open().Claim(ctx, forward.ClaimRequest{Term: term, View: alert.TermView{Epoch: term.Epoch}, Claim: alert.NewID(), Limit: 10})
	if err != nil || n != 6 {
		t.Errorf("beside a frozen contender: claimed %d: %v", n, err)
	}
	f.term(tickets, "beta") // nor does a take-over wait for it
}

func raceBookmark(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	for _, step := range [][2]string{{"", "1"}, {"1", "2"}, {"2", "3"}} {
		var mu sync.Mutex
		moved := 0
		var wg sync.WaitGroup
		for n, db := range []*store.DB{f.db, f.open(), f.open()} {
			wg.Go(func() {
				err := db.Receive(t.Context(), term, "poll", step[0], step[1], []alert.News{{ID: fmt.Sprint(step[1], n), Ticket: "T"}}, back)
				mu.Lock()
				defer mu.Unlock()
				switch err {
				case nil:
					moved++
				case forward.ErrMoved:
				default:
					t.Errorf("receive: %v", err)
				}
			})
		}
		wg.Wait()
		if moved != 1 {
			t.Errorf("from %q to %q the bookmark moved %d times", step[0], step[1], moved)
		}
	}
	if n := f.count("SELECT count(*) FROM news"); n != 3 {
		t.Errorf("%d news are stored, not 3", n)
	}
}

// busyDatabase lets somebody hold what Accept needs for longer than it may wait:
// it says so in time, with nothing stored, and works once that one is gone.
func busyDatabase(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.accept(to(tickets), observe("a", alert.Open, "one"))
	tx, err := rawBegin(f)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	if _, err := tx.ExecContext(t.Context(), "UPDATE alert SET seen = seen"); err != nil {
		t.Fatalf("hold: %v", err)
	}
	began := time.Now()
	b := intake.Batch{Server: "alpha", Generation: 2, Items: []intake.Observed{{Observation: observe("a", alert.Open, "two"), Route: to(tickets)}}}
	_, err = f.db.Accept(t.Context(), b)
	// The bound itself is Accept's context; what load can stretch is not asked here.
	if fault.KindOf(err) != fault.Unavailable || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatalf("let go: %v", err)
	}
	if got := f.accept(to(tickets), b.Items[0].Observation)[0]; got.Change != alert.Changed {
		t.Errorf("afterwards: %+v", got)
	}
}
