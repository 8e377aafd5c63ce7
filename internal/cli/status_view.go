package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store"
)

// statusView is the status as JSON and YAML show it.
type statusView struct {
	ManagementGroup string            `json:"management_group"`
	Engine          string            `json:"engine"`
	Connectors      []connectorStatus `json:"connectors"`
}

type connectorStatus struct {
	Connector string         `json:"connector"`
	Document  int64          `json:"document"` // current version
	Epoch     int64          `json:"epoch"`
	Active    string         `json:"active"` // "" = nobody
	Backlog   backlogStatus  `json:"backlog"`
	Servers   []serverStatus `json:"servers"` // in communication order
}

type backlogStatus struct {
	Due              int64   `json:"due"`
	InFlight         int64   `json:"in_flight"`
	Parked           int64   `json:"parked"`
	OldestDueSeconds float64 `json:"oldest_due_seconds"`
}

type serverStatus struct {
	Position            int       `json:"position"`
	Server              string    `json:"server"`
	Address             string    `json:"address"`
	State               string    `json:"state"`
	HeartbeatAt         time.Time `json:"heartbeat_at"`
	HeartbeatAgoSeconds float64   `json:"heartbeat_ago_seconds"`
	Epoch               int64     `json:"epoch,omitempty"` // of the Active
	Version             string    `json:"version"`
	Runs                int64     `json:"runs"` // document version
	Eligible            bool      `json:"eligible"`
	Reaches             bool      `json:"reaches"`
	Presence            bool      `json:"presence"` // its end is noticed at once, not when heartbeats stay out
	Reason              string    `json:"reason,omitempty"`
}

// readStatus reads the group once; only names one connector, "" all.
func readStatus(ctx context.Context, db *store.DB, only string) (*statusView, error) {
	info, err := db.Group(ctx)
	if err != nil {
		return nil, err
	}
	group, err := db.ReadGroup(ctx)
	if err != nil {
		return nil, err
	}
	backlog, err := db.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	dead := deadServers(ctx, db.Coordinator(), group.Servers)
	view := &statusView{ManagementGroup: info.Name, Engine: db.Engine(), Connectors: []connectorStatus{}}
	for _, name := range slices.Sorted(maps.Keys(group.Settings)) {
		if only == "" || only == name {
			view.Connectors = append(view.Connectors, statusOf(group, name, dead, backlog[name]))
		}
	}
	if only != "" && len(view.Connectors) == 0 {
		return nil, noConnector(only)
	}
	return view, nil
}

func statusOf(group ha.Group, connector string, dead map[string]bool, b store.Backlog) connectorStatus {
	lease, _ := group.Lease(connector)
	status := connectorStatus{
		Connector: connector, Document: group.Settings[connector].Version, Epoch: lease.Epoch, Servers: []serverStatus{},
		Backlog: backlogStatus{b.Due, b.Claimed, b.Parked, b.OldestDue.Seconds()},
	}
	for i, m := range group.Order(connector) {
		s, _ := group.Server(m.Server)
		row := serverStatus{
			Position: i + 1, Server: m.Server, Address: s.Address, Version: s.Version,
			State:       string(ha.StateOf(group, connector, m.Server, dead)),
			HeartbeatAt: s.HeartbeatAt, HeartbeatAgoSeconds: s.Silence.Seconds(),
			Runs: m.Runs, Eligible: m.Eligible, Reaches: m.Reaches, Reason: m.Reason,
			Presence: s.Presence != "",
		}
		if row.State == string(ha.Active) {
			status.Active, row.Epoch = m.Server, lease.Epoch
		}
		status.Servers = append(status.Servers, row)
	}
	return status
}

// presenceTime bounds the asking whether a presence is held.
const presenceTime = time.Second

// deadServers finds the servers whose presence nobody holds: their processes
// are gone, whatever their last heartbeat promised. A server without a presence,
// and one that cannot be asked about, is not among them.
func deadServers(ctx context.Context, coordinator ha.Coordinator, servers []ha.Server) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, presenceTime)
	defer cancel()
	dead := make([]bool, len(servers))
	var wait sync.WaitGroup
	for i, s := range servers {
		if s.Presence == "" || s.Boot == "" {
			continue
		}
		wait.Go(func() {
			asking, held := context.WithCancel(ctx)
			defer held()
			dead[i] = coordinator.Await(asking, s.Presence, held) == nil
		})
	}
	wait.Wait()
	found := make(map[string]bool)
	for i, s := range servers {
		if dead[i] {
			found[s.Name] = true
		}
	}
	return found
}

func noConnector(name string) error {
	return fault.New(fault.NotFound, fmt.Sprintf("there is no connector %q", name)).
		WithNext(`"tieline connector list" shows those there are.`)
}
