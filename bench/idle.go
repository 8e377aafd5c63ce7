package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// idleLoad counts what the database does while nothing happens, with 1 and with
// 100 connectors, per server and polling interval of 30 s.
func idleLoad(ctx context.Context, env *Env) ([]Row, error) {
	f, err := newFleet(ctx, env, "idle", []string{"s1", "s2", "s3"})
	if err != nil {
		return nil, err
	}
	defer f.close()
	if err := env.exec(ctx, f.database, engines[env.Engine].still...); err != nil {
		return nil, err
	}
	one, err := f.idle(ctx, env)
	if err != nil {
		return nil, err
	}
	for n := 2; n <= 100; n++ {
		document := strings.ReplaceAll(f.desk.Document(fmt.Sprintf("bench%03d", n), "30s", 3), "name: bench\n", "")
		if err := f.Apply(ctx, document); err != nil {
			return nil, err
		}
	}
	hundred, err := f.idle(ctx, env)
	if err != nil {
		return nil, err
	}
	return []Row{
		{What: "idle load, per server and polling interval, 1 connector", Measured: one.String(), Budget: "<= 1 heartbeat, plus wakes", Met: one.met()},
		{What: "the same with 100 connectors", Measured: hundred.String(), Budget: "<= 1 heartbeat, plus wakes", Met: hundred.met()},
	}, nil
}

// idle is what a server costs its database in a polling interval.
type idle struct {
	beats float64 // heartbeats
	other float64 // above all the waits for presences, which begin anew every 2 minutes
	unit  string  // of the others
}

func (i idle) String() string {
	return fmt.Sprintf("%.2f heartbeats, %.2f other %s", i.beats, i.other, i.unit)
}

func (i idle) met() bool { return i.beats < 1.05 && i.other < 1.5 }

// idle counts over four polling intervals: the waits for presences begin anew
// once in as long.
func (f *fleet) idle(ctx context.Context, env *Env) (idle, error) {
	const intervals = 4
	pause(ctx, env.Rest) // what begins with a term or a document is over by then
	c, err := newTally(ctx, env, f.database)
	if err != nil {
		return idle{}, err
	}
	defer c.close()
	before, err := c.read(ctx)
	if err != nil {
		return idle{}, err
	}
	pause(ctx, intervals*30*time.Second)
	after, err := c.read(ctx)
	if err != nil {
		return idle{}, err
	}
	each := float64(intervals * len(f.Servers))
	beats := after.beats - before.beats
	return idle{
		beats: float64(beats) / each, other: float64(after.all-before.all-c.own-beats*c.each) / each, unit: c.unit,
	}, nil
}
