// Package coord is what the engines' coordination sessions share: the names of
// presences, and the JSON form in which a statement takes a heartbeat and
// returns the management group, so that one round trip carries both.
package coord

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tieline/internal/ha"
)

// ErrNoPresence is returned by a Beat whose session does not hold its presence
// any longer. The heartbeat was written with no presence; the session must be
// replaced.
var ErrNoPresence = errors.New("this coordination session does not hold its presence any longer")

// NewPresence returns a fresh presence name: lower-case letters and digits, so
// that it can be a file's name on every system.
func NewPresence() string { return strings.ToLower(rand.Text()) }

// ValidPresence reports whether a published name can be a presence's: lower-case
// letters, digits and dashes. Names come from rows that others wrote and become
// file names.
func ValidPresence(name string) bool {
	if len(name) < 8 || len(name) > 64 {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	}) < 0
}

// Reading is what a statement of a coordination session returned.
type Reading struct {
	Group  ha.Group
	Beaten bool   // the heartbeat's compare-and-swap succeeded
	Held   bool   // the session holds its presence
	Boot   string // of the server's row before the heartbeat; "" = no row
}

// Decode reads the JSON object a group statement returns.
func Decode(text []byte) (Reading, error) {
	var r reading
	if err := json.Unmarshal(text, &r); err != nil {
		return Reading{}, fmt.Errorf("decode the group: %w", err)
	}
	out := Reading{Beaten: r.Beaten > 0, Held: r.Held > 0, Boot: r.Boot, Group: ha.Group{
		Identity: r.Identity,
		Settings: make(map[string]ha.Settings, len(r.Settings)),
	}}
	for _, s := range r.Servers {
		out.Group.Servers = append(out.Group.Servers, s.server())
	}
	for _, m := range r.Members {
		out.Group.Members = append(out.Group.Members, m.member())
	}
	for _, l := range r.Leases {
		out.Group.Leases = append(out.Group.Leases, l.lease())
	}
	for _, s := range r.Settings {
		out.Group.Settings[s.Connector] = s.settings()
	}
	return out, nil
}

// micros is a time or a duration in microseconds, as the schema has them.
type micros int64

func (m micros) duration() time.Duration { return time.Duration(m) * time.Microsecond }
func (m micros) time() time.Time         { return time.UnixMicro(int64(m)).UTC() }

// Micros is a duration as the schema has it.
func Micros(d time.Duration) int64 { return d.Microseconds() }

type reading struct {
	Beaten   int       `json:"beaten"`
	Held     int       `json:"held"`
	Boot     string    `json:"boot"`
	Identity string    `json:"identity"`
	Servers  []server  `json:"servers"`
	Members  []member  `json:"members"`
	Leases   []lease   `json:"leases"`
	Settings []setting `json:"settings"`
}

type server struct {
	Name        string `json:"name"`
	Address     string `json:"address"`
	Boot        string `json:"boot"`
	Presence    string `json:"presence"`
	Beat        int64  `json:"beat"`
	Version     string `json:"version"`
	HeartbeatAt micros `json:"heartbeat_at"`
	Silence     micros `json:"silence"`
	Promised    micros `json:"promised"`
}

func (s server) server() ha.Server {
	return ha.Server{
		Name: s.Name, Address: s.Address, Boot: s.Boot, Presence: s.Presence, Beat: s.Beat, Version: s.Version,
		HeartbeatAt: s.HeartbeatAt.time(), Silence: s.Silence.duration(), Promised: s.Promised.duration(),
	}
}

type member struct {
	Connector string `json:"connector"`
	Server    string `json:"server"`
	Position  int    `json:"position"`
	Runs      int64  `json:"runs"`
	Eligible  int    `json:"eligible"`
	Reaches   int    `json:"reaches"`
	Reason    string `json:"reason"`
}

func (m member) member() ha.Member {
	return ha.Member{
		Connector: m.Connector, Server: m.Server, Position: m.Position, Runs: m.Runs,
		Eligible: m.Eligible != 0, Reaches: m.Reaches != 0, Reason: m.Reason,
	}
}

type lease struct {
	Connector string `json:"connector"`
	Epoch     int64  `json:"epoch"`
	Beat      int64  `json:"beat"`
	Server    string `json:"server"`
	Boot      string `json:"boot"`
	Promised  micros `json:"promised"`
	Successor string `json:"successor"`
	Wish      string `json:"wish"`
	Identity  string `json:"identity"`
	Waiting   int    `json:"waiting"`
}

func (l lease) lease() ha.Lease {
	return ha.Lease{
		Connector: l.Connector, Epoch: l.Epoch, Beat: l.Beat, Server: l.Server, Boot: l.Boot,
		Promised: l.Promised.duration(), Successor: l.Successor, Wish: l.Wish, Identity: l.Identity,
		Waiting: l.Waiting != 0,
	}
}

type setting struct {
	Connector string `json:"connector"`
	Polling   micros `json:"polling"`
	Tolerance int    `json:"tolerance"`
	Failback  string `json:"failback"`
	Window    micros `json:"send_window"`
	Settle    micros `json:"settle"`
	Version   int64  `json:"version"`
}

func (s setting) settings() ha.Settings {
	return ha.Settings{
		Polling: s.Polling.duration(), Tolerance: s.Tolerance, Failback: ha.Failback(s.Failback),
		Window: s.Window.duration(), Settle: s.Settle.duration(), Version: s.Version,
	}
}
