package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"tieline/internal/ha"
	"tieline/internal/store"
)

// units are the connectors this server serves. One that was started stays: its
// forwarder is asked for nothing once the document is gone.
type units struct {
	start func(*unit) // begins what runs beside a new unit

	mu      sync.Mutex
	byName  map[string]*unit
	refused map[string]int64 // connectors this server may not serve, with the document's version then
}

func newUnits() *units { return &units{byName: map[string]*unit{}, refused: map[string]int64{}} }

// decline notes that this server may not serve a connector, and reports whether
// that is new.
func (us *units) decline(name string, version int64) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	again := us.refused[name] == version
	us.refused[name] = version
	return !again
}

// declined is the version of the document with which a connector was declined, 0 = never.
func (us *units) declined(name string) int64 {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.refused[name]
}

func (us *units) get(name string) *unit {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.byName[name]
}

// all returns the units by name.
func (us *units) all() []*unit {
	us.mu.Lock()
	defer us.mu.Unlock()
	var list []*unit
	for _, name := range slices.Sorted(maps.Keys(us.byName)) {
		list = append(list, us.byName[name])
	}
	return list
}

func (us *units) add(u *unit) {
	us.mu.Lock()
	us.byName[u.name] = u
	start := us.start
	us.mu.Unlock()
	if start != nil {
		start(u)
	}
}

// begin starts what runs beside each unit, now and for those added later.
func (us *units) begin(start func(*unit)) {
	us.mu.Lock()
	us.start = start
	us.mu.Unlock()
	for _, u := range us.all() {
		start(u)
	}
}

func (us *units) reports() []ha.Report {
	var all []ha.Report
	for _, u := range us.all() {
		all = append(all, u.report())
	}
	return all
}

// wake passes "work/<connector>" on to that connector's forwarder.
func (us *units) wake(topic string) {
	for _, u := range us.all() {
		if topic == store.TopicWork(u.name) {
			u.forwarder.Wake()
		}
	}
}

// compare has the Actives among the forwarders ask a source for what it left out.
func (us *units) compare(source string) {
	for _, u := range us.all() {
		u.forwarder.FetchOmitted(source)
	}
}

func (us *units) wakeAll() {
	for _, u := range us.all() {
		u.forwarder.Wake()
	}
}

// close waits until what the forwarders have in flight is recorded.
func (us *units) close(ctx context.Context) error {
	var failed []error
	for _, u := range us.all() {
		failed = append(failed, u.forwarder.Close(ctx))
	}
	return errors.Join(failed...)
}

// serves reports whether this server's settings include a connector.
func serves(connectors []string, name string) bool {
	return len(connectors) == 0 || slices.Contains(connectors, strings.TrimSpace(name))
}
