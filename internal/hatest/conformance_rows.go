package hatest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/ha"
)

func heartbeatWrites(b *bench) {
	p := b.party("a", "boot-a")
	g := p.beat()
	row, ok := g.Server("a")
	if !ok {
		b.Fatal("the group has no row of a")
	}
	if row.HeartbeatAt.IsZero() || row.Silence < 0 || row.Silence > patience {
		b.Errorf("heartbeat at %v, silence %v, right after a heartbeat", row.HeartbeatAt, row.Silence)
	}
	if row.Boot != "boot-a" || row.Beat != p.number || row.Presence != p.Presence() || row.Version != "v1" || row.Promised != 90*time.Second {
		b.Errorf("row %+v does not show the heartbeat", row)
	}
	if got := g.Settings[benchConn]; got != benchSettings {
		b.Errorf("settings %+v, want %+v", got, benchSettings)
	}
	order := g.Order(benchConn)
	if len(order) != 2 || order[0].Server != "a" || order[1].Server != "b" || order[0].Position >= order[1].Position {
		b.Errorf("order %+v, want a, b", order)
	}
	if l, ok := g.Lease(benchConn); !ok || l != (ha.Lease{Connector: benchConn, Promised: l.Promised}) {
		b.Errorf("lease %+v, want one that nobody ever held", l)
	}
}

func heartbeatSwaps(b *bench) {
	p := b.party("a", "boot-a")
	p.beat()
	again := p.next()
	again.Number = p.number // the same number: its answer was lost
	if _, err := p.Beat(b.ctx, again); err != nil {
		b.Errorf("the repeated number: %v", err)
	}
	p.beat()
	for _, off := range []int64{-1, 2, 5} {
		wrong := p.next()
		wrong.Number = p.number + off
		q := b.party("a", "boot-a") // an error may end a session
		_, err := q.Beat(b.ctx, wrong)
		b.want(err, ha.ErrBeat, "a number that does not follow")
	}
	if row, _ := p.read().Server("a"); row.Beat != p.number {
		b.Errorf("beat %d, want %d: a refused heartbeat changes nothing", row.Beat, p.number)
	}
}

func heartbeatReplaced(b *bench) {
	old := b.party("a", "boot-a")
	old.beat()
	old.take()
	b.Join(b.T, "a", "boot-a2")
	_, err := old.Beat(b.ctx, old.next(ha.Renewal{Connector: benchConn, Epoch: 1, Promised: time.Minute}))
	b.want(err, ha.ErrReplaced, "after another process joined")
	q := b.party("b", "boot-b")
	if l := q.lease(); l.Beat != 0 {
		b.Errorf("lease %+v was renewed by a replaced process", l)
	}
	b.RemoveServer(b.T, "b")
	_, err = q.Beat(b.ctx, q.next())
	b.want(err, ha.ErrReplaced, "after the row was removed")
	if _, ok := b.party("a", "boot-a2").read().Server("b"); ok {
		b.Error("the heartbeat inserted the removed row again")
	}
}

func heartbeatReports(b *bench) {
	p := b.party("a", "boot-a")
	beat := p.next()
	beat.Reports = []ha.Report{
		{Connector: benchConn, Runs: 7, Eligible: true, Reaches: true, Reason: "all well"},
		{Connector: "unknown", Runs: 1, Eligible: true},
	}
	g, err := p.Beat(b.ctx, beat)
	if err != nil {
		b.Fatal(err)
	}
	want := []ha.Member{
		{Connector: benchConn, Server: "a", Position: g.Order(benchConn)[0].Position, Runs: 7, Eligible: true, Reaches: true, Reason: "all well"},
		{Connector: benchConn, Server: "b", Position: g.Order(benchConn)[1].Position},
	}
	if diff := cmp.Diff(want, g.Order(benchConn)); diff != "" {
		b.Errorf("members (-want +got):\n%s", diff)
	}
}

func renewGuards(b *bench) {
	p, q := b.party("a", "boot-a"), b.party("b", "boot-b")
	l := p.take()
	renew := func(p *party, epoch int64) ha.Lease {
		g := p.beat(ha.Renewal{Connector: benchConn, Epoch: epoch, Promised: 5 * time.Second})
		l, _ := g.Lease(benchConn)
		return l
	}
	if got := renew(q, l.Epoch); got != l {
		b.Errorf("renewed by another boot id: %+v", got)
	}
	if got := renew(p, l.Epoch-1); got != l {
		b.Errorf("renewed under another epoch: %+v", got)
	}
	want, _ := l.Renewed(ha.Renewal{Connector: benchConn, Epoch: l.Epoch, Promised: 5 * time.Second}, "boot-a")
	if got := renew(p, l.Epoch); got != want {
		b.Errorf("renewed: %+v, want %+v", got, want)
	}
}

func renewSkipsLocked(b *bench) {
	if b.LockLease == nil {
		b.Log("the engine has no row locks: nothing to skip")
		return
	}
	p := b.party("a", "boot-a")
	l := p.take()
	renewal := ha.Renewal{Connector: benchConn, Epoch: l.Epoch, Promised: time.Minute}
	unlock := b.LockLease(b.T, benchConn)
	defer func() { unlock() }()
	g := p.beat(renewal) // waits for ever if it waits for the lock
	if got, _ := g.Lease(benchConn); got.Beat != l.Beat {
		b.Errorf("beat %d, want %d: the row was locked", got.Beat, l.Beat)
	}
	unlock()
	unlock = func() {}
	g = p.beat(renewal)
	if got, _ := g.Lease(benchConn); got.Beat <= l.Beat {
		b.Errorf("beat %d: the renewal after the lock was skipped too", got.Beat)
	}
}

func takeSwaps(b *bench) {
	p, q := b.party("a", "boot-a"), b.party("b", "boot-b")
	first := p.claim()
	want, _ := ha.Lease{Connector: benchConn}.Taken(first)
	got, err := p.Take(b.ctx, first)
	if err != nil || got != want || p.lease() != want {
		b.Fatalf("Take: %+v, %v; the row shows %+v; want %+v", got, err, p.lease(), want)
	}
	_, err = q.Take(b.ctx, ha.Take{Connector: benchConn, Server: "b", Boot: "boot-b", Identity: first.Identity, Promised: time.Minute})
	b.want(err, ha.ErrLost, "an epoch that has passed")
	stale := q.claim()
	p.beat(ha.Renewal{Connector: benchConn, Epoch: want.Epoch, Promised: time.Minute})
	_, err = q.Take(b.ctx, stale)
	b.want(err, ha.ErrLost, "a beat that has moved")
	if l := q.lease(); l.Server != "a" || l.Epoch != 1 {
		b.Errorf("lease %+v: a lost take-over changes nothing", l)
	}
	if l := q.take(); l.Epoch != 2 || l.Beat != 0 || l.Server != "b" || l.Boot != "boot-b" {
		b.Errorf("lease %+v after the second take-over", l)
	}
	_, err = q.Take(b.ctx, ha.Take{Connector: "unknown", Server: "b", Boot: "boot-b"})
	b.want(err, ha.ErrLost, "a connector without a row")
}

// takeByMembers: a removed server that reads the group afterwards, and so knows
// the row as it is, still takes nothing (rule L9), nor does one whose name
// another process has by now.
func takeByMembers(b *bench) {
	removed := b.party("b", "boot-b")
	b.AddConnector(b.T, "of-a-alone", benchSettings, "a")
	others := removed.claim()
	others.Connector, others.Epoch, others.Beat = "of-a-alone", 0, 0
	_, err := removed.Take(b.ctx, others)
	b.want(err, ha.ErrLost, "a server that is no member of the connector")
	b.RemoveServer(b.T, "b")
	_, err = removed.Take(b.ctx, removed.claim())
	b.want(err, ha.ErrLost, "a server that was removed")
	replaced := b.party("a", "boot-a")
	b.Join(b.T, "a", "boot-a2")
	_, err = replaced.Take(b.ctx, replaced.claim())
	b.want(err, ha.ErrLost, "a process whose name another one has")
	if l := replaced.lease(); l.Epoch != 0 || l.Server != "" {
		b.Errorf("lease %+v: nobody who asked may have it", l)
	}
}

func takeContended(b *bench) {
	const rounds, contenders = 10, 4
	parties := make([]*party, contenders)
	for i := range parties {
		server := []string{"a", "b"}[i%2]
		parties[i] = b.party(server, "boot-"+server)
	}
	for range rounds {
		takes := make([]ha.Take, contenders)
		for i, p := range parties {
			takes[i] = p.claim()
		}
		var won atomic.Int32
		var all sync.WaitGroup
		for i, p := range parties {
			all.Go(func() {
				switch _, err := p.Take(b.ctx, takes[i]); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ha.ErrLost):
					b.Errorf("a contender got %v, want ErrLost", err)
				}
			})
		}
		all.Wait()
		if n := won.Load(); n != 1 {
			b.Fatalf("%d of %d contenders won, want one", n, contenders)
		}
	}
	if l := parties[0].lease(); l.Epoch != rounds {
		b.Errorf("epoch %d after %d take-overs", l.Epoch, rounds)
	}
}

func takeAgainstRenewal(b *bench) {
	holder, taker := b.party("a", "boot-a"), b.party("b", "boot-b")
	for range 10 {
		l := holder.take()
		take := taker.claim()
		var renewed ha.Lease
		var all sync.WaitGroup
		var lost error
		all.Go(func() {
			g, err := holder.Beat(b.ctx, holder.next(ha.Renewal{Connector: benchConn, Epoch: l.Epoch, Promised: time.Minute}))
			if err != nil {
				b.Errorf("Beat: %v", err)
			}
			renewed, _ = g.Lease(benchConn)
		})
		all.Go(func() { _, lost = taker.Take(b.ctx, take) })
		all.Wait()
		holder.number++
		now := holder.lease()
		switch {
		case lost == nil && (now.Server != "b" || now.Beat != 0 || now.Epoch != l.Epoch+1):
			b.Fatalf("the take-over won, but the row shows %+v", now)
		case lost != nil && (!errors.Is(lost, ha.ErrLost) || now.Server != "a" || now.Beat != 1 || renewed.Beat != 1):
			b.Fatalf("the take-over got %v, the renewal saw %+v, the row shows %+v", lost, renewed, now)
		}
	}
}

func releaseGuards(b *bench) {
	p, q := b.party("a", "boot-a"), b.party("b", "boot-b")
	l := p.take()
	p.beat(ha.Renewal{Connector: benchConn, Epoch: l.Epoch, Promised: 90 * time.Second})
	r := ha.Release{Connector: benchConn, Epoch: l.Epoch, Boot: "boot-a", Successor: "b", Reason: ha.ReasonStop}
	wrong := r
	wrong.Epoch--
	b.want(p.Release(b.ctx, wrong), ha.ErrLost, "another epoch")
	wrong = r
	wrong.Boot = "boot-b"
	b.want(q.Release(b.ctx, wrong), ha.ErrLost, "another boot id")
	decided := q.claim() // before the release
	want, _ := p.lease().Released(r)
	if err := p.Release(b.ctx, r); err != nil {
		b.Fatal(err)
	}
	if got := q.lease(); got != want {
		b.Errorf("row %+v, want %+v", got, want)
	}
	b.want(p.Release(b.ctx, r), ha.ErrLost, "released already")
	_, err := q.Take(b.ctx, decided)
	b.want(err, ha.ErrLost, "decided before the release")
	if l := q.take(); l.Epoch != 2 || l.Successor != "" {
		b.Errorf("lease %+v after the successor took it", l)
	}
}

func wishIsSpent(b *bench) {
	p, q := b.party("a", "boot-a"), b.party("b", "boot-b")
	l := p.take()
	release := func(p *party, epoch int64, successor string) ha.Lease {
		err := p.Release(b.ctx, ha.Release{Connector: benchConn, Epoch: epoch, Boot: p.boot, Successor: successor, Reason: ha.ReasonWish})
		if err != nil {
			b.Fatal(err)
		}
		return p.lease()
	}
	b.Wish(b.T, benchConn, "b")
	if got := p.lease(); got.Wish != "b" {
		b.Fatalf("wish %q, want b", got.Wish)
	}
	if got := release(p, l.Epoch, ""); got.Wish != "b" {
		b.Errorf("wish %q after a release to nobody, want b", got.Wish)
	}
	if l = q.take(); l.Wish != "" {
		b.Errorf("wish %q after b took over", l.Wish)
	}
	b.Wish(b.T, benchConn, "a")
	if got := release(q, l.Epoch, "a"); got.Wish != "" || got.Successor != "a" {
		b.Errorf("lease %+v after the release to a, want the wish spent", got)
	}
	l = p.take()
	b.Wish(b.T, benchConn, "a")
	if got := release(p, l.Epoch, "b"); got.Wish != "" {
		b.Errorf("wish %q after the wished server itself let go", got.Wish)
	}
}

func doubtOnce(b *bench) {
	p, q := b.party("a", "boot-a"), b.party("b", "boot-b")
	b.want(p.Doubt(b.ctx, benchConn, 0, "another history"), ha.ErrLost, "a lease without a history")
	l := p.take()
	if l.Identity == "" {
		b.Log("the engine names no history: nothing to doubt")
		return
	}
	b.want(p.Doubt(b.ctx, benchConn, l.Epoch, l.Identity), ha.ErrLost, "the same history")
	b.want(p.Doubt(b.ctx, benchConn, l.Epoch+1, "another history"), ha.ErrLost, "another epoch")
	var won atomic.Int32
	var all sync.WaitGroup
	for _, p := range []*party{p, q} {
		all.Go(func() {
			switch err := p.Doubt(b.ctx, benchConn, l.Epoch, "another history"); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ha.ErrLost):
				b.Errorf("Doubt: %v, want ErrLost", err)
			}
		})
	}
	all.Wait()
	want, _ := l.Doubted(l.Epoch, "another history")
	if got := q.lease(); won.Load() != 1 || got != want {
		b.Errorf("%d servers won, the row shows %+v, want %+v", won.Load(), got, want)
	}
	_, err := q.Take(b.ctx, q.claim()) // of the database's own history
	b.want(err, ha.ErrLost, "a take-over that skips the doubt")
}

// followsTransitions makes random calls and compares the rows with the model
// after each.
func followsTransitions(b *bench) {
	seed := rand.Uint64()
	b.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	parties := []*party{b.party("a", "boot-a"), b.party("b", "boot-b")}
	identity := parties[0].read().Identity
	model := parties[0].lease()
	for range 60 {
		p := parties[r.IntN(2)]
		epoch, beat := model.Epoch-r.Int64N(3)/2, model.Beat-r.Int64N(3)/2
		var got, want error
		next := model
		switch r.IntN(4) {
		case 0:
			take := ha.Take{Connector: benchConn, Epoch: epoch, Beat: beat, Server: p.server, Boot: p.boot, Promised: time.Duration(1+r.IntN(90)) * time.Second, Identity: identity, Reason: ha.ReasonSilence}
			next, want = model.Taken(take)
			_, got = p.Take(b.ctx, take)
		case 1:
			release := ha.Release{Connector: benchConn, Epoch: epoch, Boot: p.boot, Successor: []string{"", "a", "b"}[r.IntN(3)], Reason: ha.ReasonStop}
			next, want = model.Released(release)
			got = p.Release(b.ctx, release)
		case 2:
			renewal := ha.Renewal{Connector: benchConn, Epoch: epoch, Promised: time.Duration(1+r.IntN(90)) * time.Second}
			next, _ = model.Renewed(renewal, p.boot)
			p.beat(renewal)
		case 3:
			next.Wish = []string{"", "a", "b"}[r.IntN(3)]
			b.Wish(b.T, benchConn, next.Wish)
		}
		if (got == nil) != (want == nil) || got != nil && !errors.Is(got, want) {
			b.Fatalf("error %v, want %v, on %+v", got, want, model)
		}
		if row := parties[r.IntN(2)].lease(); row != next {
			b.Fatalf("row (-want +got):\n%s", cmp.Diff(next, row))
		}
		model = next
	}
}

func readsFresh(b *bench) {
	p, q := b.party("a", "boot-a"), b.party("b", "boot-b")
	for i := range 20 {
		beat := p.beat()
		want, _ := beat.Server("a")
		row, _ := q.read().Server("a")
		if row.Beat != want.Beat {
			b.Fatalf("round %d: read beat %d after %d was committed", i, row.Beat, want.Beat)
		}
	}
}
