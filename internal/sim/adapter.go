package sim

import (
	"context"
	"strconv"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// adapter is one process's way to the desk: the part every kind of desk has.
type adapter struct{ p *Process }

// lookAdapter adds what a desk with keys offers.
type lookAdapter struct{ adapter }

// newAdapter returns the desk as a process reaches it, with the abilities of its kind.
func (w *World) newAdapter(p *Process) remote.Adapter {
	if w.desk.kind == lookupDesk {
		return lookAdapter{adapter{p}}
	}
	return adapter{p}
}

func (a adapter) Traits() remote.Traits {
	g := map[deskKind]remote.Guarantee{lookupDesk: remote.Lookup, idempotentDesk: remote.Idempotent, blindDesk: remote.AtLeastOnce}
	return remote.Traits{Guarantee: g[a.p.w.desk.kind], Settle: settle}
}

// errand is what a request is about.
type errand struct {
	kind   string
	link   alert.LinkID // zero for what concerns no single alert
	write  bool
	source bool // it goes to the source, which is always up
}

func (a adapter) name(c errand) string {
	if c.link.Connector == "" {
		return ""
	}
	return a.p.w.nameOf(c.link)
}

// visit is one request's fate at the desk.
type visit struct {
	there    time.Duration
	back     time.Duration
	refused  *remote.Failure // the desk answers this, and does nothing
	lost     bool            // the answer never arrives
	tardy    bool            // the write is carried out later than its lateness allows
	patience time.Duration
}

func (a adapter) visit(c errand) visit {
	w := a.p.w
	r := a.p.roll("desk "+c.kind, a.name(c))
	v := visit{there: r.between(time.Millisecond, 20*time.Millisecond), back: r.between(time.Millisecond, 10*time.Millisecond)}
	v.patience = timeout + r.between(0, 200*time.Millisecond)
	if w.fair() {
		return v
	}
	switch f := float64(r.n(1000)) / 1000; {
	case f < w.plan.late:
		v.there = r.between(0, lateness)
		v.back += r.between(0, time.Second)
	case f < w.plan.late+w.plan.errors:
		v.refused = &remote.Failure{Class: remote.Retry, Status: 503, Shared: r.hit(0.5), Msg: "the desk is busy"}
	case c.write && !c.source && f < w.plan.late+w.plan.errors+w.plan.refusals:
		v.refused = &remote.Failure{Class: remote.Permanent, Status: 422, Msg: "the desk refuses this alert"}
	}
	if c.write && r.hit(w.plan.tardy) {
		v.there, v.refused, v.tardy = r.between(lateness, 8*time.Second), nil, true
	}
	v.lost = r.hit(w.plan.deskLoss)
	return v
}

// request sends one request to the desk. A write is carried out whatever becomes of
// its sender, at most the lateness after it left.
func request[T any](ctx context.Context, a adapter, c errand, do func(k *Desk) (T, error)) (T, error) {
	var none T
	p, k := a.p, a.p.w.desk
	var win *sendWindow
	if c.write {
		win = p.w.check.sending(p, c.kind, c.link)
	}
	p.w.reached(p, c.kind, false)
	if err := p.pass(); err != nil {
		return none, err
	}
	if !c.source && (!p.host.remoteReachable() || k.isDown()) {
		return none, &remote.Failure{Class: remote.Retry, Connect: true, Shared: true, Msg: "the desk cannot be connected to"}
	}
	v := a.visit(c)
	got := await(ctx, p, v, deliver(a, v, c, win, do))
	if c.write && got.err != nil && remote.AsFailure(got.err).Class == remote.Unknown {
		p.w.check.unknown(c.link)
	}
	p.w.reached(p, c.kind, true)
	if err := p.pass(); err != nil {
		return none, err
	}
	p.w.trace.add(p, "desk answers", c.kind, a.name(c), errText(got.err))
	return got.v, got.err
}

// deliver has the desk serve a request when it has arrived there, whatever has
// become of its sender, and returns where the answer comes in, if it ever does.
func deliver[T any](a adapter, v visit, c errand, win *sendWindow, do func(k *Desk) (T, error)) <-chan reply[T] {
	w, answer := a.p.w, make(chan reply[T], 1)
	if c.write {
		w.underWay.Add(1)
	}
	time.AfterFunc(v.there, func() {
		got := serve(a, v, c, do)
		if c.write {
			w.underWay.Add(-1)
			if got.err == nil {
				w.check.executed(c.kind, c.link, win, v.tardy)
			}
		}
		if !v.lost {
			time.AfterFunc(v.back, func() { answer <- got })
		}
	})
	return answer
}

// await waits for an answer as long as the sender lives and has patience.
func await[T any](ctx context.Context, p *Process, v visit, answer <-chan reply[T]) (got reply[T]) {
	patience := time.NewTimer(v.patience)
	defer patience.Stop()
	select {
	case got = <-answer:
	case <-ctx.Done():
		got.err = context.Cause(ctx)
	case <-patience.C:
		got.err = &remote.Failure{Class: remote.Unknown, Msg: "the desk did not answer in time"}
	case <-p.dead:
		got.err = errDead
	}
	return got
}

// serve is the desk's side of a request.
func serve[T any](a adapter, v visit, c errand, do func(k *Desk) (T, error)) (got reply[T]) {
	if v.refused != nil {
		got.err = v.refused
		return got
	}
	k := a.p.w.desk
	k.mu.Lock()
	defer k.mu.Unlock()
	a.p.w.trace.add(a.p, "desk", c.kind, a.name(c), "")
	got.v, got.err = do(k)
	return got
}

func (a adapter) Create(ctx context.Context, d alert.Draft) (alert.Ticket, error) {
	return request(ctx, a, errand{kind: "create", link: a.p.w.linkOf(d.Key), write: true}, func(k *Desk) (alert.Ticket, error) { return k.create(d), nil })
}

func (a adapter) Update(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, error) {
	return request(ctx, a, errand{kind: "update", link: a.p.w.linkOf(d.Key), write: true}, func(k *Desk) (alert.Ticket, error) {
		t := k.find(ticket)
		if t == nil {
			return alert.Ticket{}, gone()
		}
		return k.update(t, d), nil
	})
}

func (a adapter) Note(ctx context.Context, ticket string, key alert.Key, n alert.Note) error {
	_, err := request(ctx, a, errand{kind: "note", link: a.p.w.linkOf(key), write: true}, func(k *Desk) (bool, error) {
		t := k.find(ticket)
		if t == nil {
			return false, gone()
		}
		t.notes = append(t.notes, n.Seq)
		return true, nil
	})
	return err
}

func (a adapter) Probe(ctx context.Context) error {
	_, err := request(ctx, a, errand{kind: "probe"}, func(*Desk) (bool, error) { return true, nil })
	return err
}

func (a lookAdapter) Look(ctx context.Context, key alert.Key) ([]alert.Ticket, error) {
	return request(ctx, a.adapter, errand{kind: "look", link: a.p.w.linkOf(key)}, func(k *Desk) ([]alert.Ticket, error) {
		var out []alert.Ticket
		for _, t := range k.with(key) {
			out = append(out, t.view())
		}
		return out, nil
	})
}

func (a lookAdapter) Compare(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, []string, error) {
	type result struct {
		t       alert.Ticket
		differs []string
	}
	res, err := request(ctx, a.adapter, errand{kind: "compare", link: a.p.w.linkOf(d.Key)}, func(k *Desk) (result, error) {
		t := k.find(ticket)
		if t == nil {
			return result{}, gone()
		}
		out := result{t: t.view()}
		if t.revision != d.Revision {
			out.differs = append(out.differs, "revision")
		}
		return out, nil
	})
	return res.t, res.differs, err
}

func (a lookAdapter) Merge(ctx context.Context, survivor, twin string) error {
	_, err := request(ctx, a.adapter, errand{kind: "merge", link: a.p.w.linkOf(a.keyOf(twin)), write: true}, func(k *Desk) (bool, error) {
		s, t := k.find(survivor), k.find(twin)
		if s == nil || t == nil {
			return false, gone()
		}
		k.merge(s, t)
		return true, nil
	})
	return err
}

func (a lookAdapter) List(ctx context.Context, _ string) ([]alert.Ticket, string, error) {
	tickets, err := request(ctx, a.adapter, errand{kind: "list"}, func(k *Desk) ([]alert.Ticket, error) {
		var out []alert.Ticket
		for _, t := range k.tickets {
			out = append(out, t.view())
		}
		return out, nil
	})
	return tickets, "", err
}

func (a lookAdapter) keyOf(ticket string) alert.Key {
	k := a.p.w.desk
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.find(ticket); t != nil {
		return t.key
	}
	return ""
}

func (a lookAdapter) News(ctx context.Context, bookmark string) ([]alert.News, string, error) {
	type page struct {
		news []alert.News
		next string
	}
	res, err := request(ctx, a.adapter, errand{kind: "news"}, func(k *Desk) (page, error) {
		end := len(k.news)
		from, err := strconv.Atoi(bookmark)
		if err != nil {
			from = end // from now on
		}
		from = max(from-2, 0) // an overlap
		return page{append([]alert.News(nil), k.news[from:end]...), strconv.Itoa(end)}, nil
	})
	return res.news, res.next, err
}

func gone() error {
	return &remote.Failure{Class: remote.Permanent, Status: 404, Msg: "no such ticket", Err: remote.ErrGone}
}

// linkOf returns the link whose ticket carries a key.
func (w *World) linkOf(k alert.Key) alert.LinkID {
	id, _ := k.Alert(w.group, connectorName)
	return alert.LinkID{Connector: connectorName, Alert: id, Side: alert.Remote}
}
