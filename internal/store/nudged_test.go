package store

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tieline/internal/nudge"
)

// nudgeable is a process of the group on MariaDB that takes nudges over HTTP.
type nudgeable struct {
	*DB
	server *httptest.Server
	heard  <-chan string
}

func newNudgeable(t *testing.T, url, name string) *nudgeable {
	t.Helper()
	n := &nudgeable{DB: open(t, url)}
	g, err := n.Group(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(nudge.Pattern, nudge.Handler(g.NudgeKey, n.Nudged))
	n.server = httptest.NewServer(mux)
	t.Cleanup(n.server.Close)
	n.heard = listen(t, n.DB)
	j := joining(name)
	j.Address = n.server.URL
	if err := n.Join(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	n.hears(t, TopicLease) // its own
	return n
}

// hears waits for a topic and passes over others.
func (n *nudgeable) hears(t *testing.T, topic string) {
	t.Helper()
	for got := within(t, topic, n.heard); got != topic; got = within(t, topic, n.heard) {
		t.Logf("%s came before", got)
	}
}

func TestNudgesReachEveryServer(t *testing.T) {
	url := freshMariaDB(t)
	north, south := newNudgeable(t, url, "north"), newNudgeable(t, url, "south")
	north.hears(t, TopicLease) // south joined, and was not known before
	north.Wake(t.Context(), TopicWork("desk"))
	north.hears(t, TopicWork("desk"))
	south.hears(t, TopicWork("desk"))
	south.Wake(t.Context(), TopicDocuments)
	north.hears(t, TopicDocuments)

	// Somebody who is no server, as a command is.
	open(t, url).Wake(t.Context(), TopicWork("pager"))
	north.hears(t, TopicWork("pager"))
	south.hears(t, TopicWork("pager"))

	// What is more than one nudge holds asks to look at everything.
	many := make([]string, nudge.MaxLines+1)
	for i := range many {
		many[i] = TopicWork(time.Duration(i).String())
	}
	north.Wake(t.Context(), many...)
	south.hears(t, TopicRefresh)
}

func TestNudgesGoToWhoLives(t *testing.T) {
	url := freshMariaDB(t)
	north := newNudgeable(t, url, "north")
	newNudgeable(t, url, "south")
	for _, gone := range []string{"left", "silent", "nowhere"} {
		join(t, north.DB, gone)
	}
	if err := north.Leave(t.Context(), "left", "left-boot"); err != nil {
		t.Fatal(err)
	}
	run(t, north.DB, "UPDATE server SET heartbeat_at = heartbeat_at - promised - 1 WHERE name = 'silent'")
	run(t, north.DB, "UPDATE server SET address = '' WHERE name = 'nowhere'")
	north.nudges.joined("north") // join is this process's own, whoever it is for
	north.nudges.forget()
	peers, _, err := north.peers(t.Context())
	if err != nil || len(peers) != 1 || peers[0].Name != "south" {
		t.Errorf("nudges go to %v: %v", peers, err)
	}
}

func TestCheckTellsWhoCannotBeWoken(t *testing.T) {
	url := freshMariaDB(t)
	north, south := newNudgeable(t, url, "north"), newNudgeable(t, url, "south")
	if text, err := north.checkWakes(t.Context()); err != nil || !strings.Contains(text, "over HTTP") {
		t.Errorf("both are there: %q, %v", text, err)
	}
	south.server.Close()
	if _, err := north.checkWakes(t.Context()); err == nil || !strings.Contains(err.Error(), "south") {
		t.Errorf("south is away: %v", err)
	}
}
