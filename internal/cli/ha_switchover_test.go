package cli

import (
	"bytes"
	"strings"
	"testing"

	"tieline/internal/fault"
	"tieline/internal/store"
)

// TestASwitchoverThatAnotherTook: what was asked for is that one server is Active,
// not that the epoch has moved on.
func TestASwitchoverThatAnotherTook(t *testing.T) {
	s := newSite(t)
	s.serve("--server", "m1")
	var status statusView
	eventually(t, "m1 is Active", func() bool {
		s.json(&status, "status")
		return status.Connectors[0].Active == "m1"
	})
	db, err := store.Open(t.Context(), "sqlite:"+s.env["TIELINE_DATA_DIR"]+"/tieline.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	epoch := status.Connectors[0].Epoch - 1 // as it was when somebody asked
	for _, to := range []string{"", "m1"} {
		var out bytes.Buffer
		c := &command{Streams: Streams{Out: &out}, output: "table"}
		if err := c.awaitSwitchover(t.Context(), db, "default", to, epoch, wait); err != nil || !strings.Contains(out.String(), "m1 is Active for default") {
			t.Errorf("to %q: %q, %v", to, &out, err)
		}
	}
	var out bytes.Buffer
	c := &command{Streams: Streams{Out: &out}, output: "table"}
	err = c.awaitSwitchover(t.Context(), db, "default", "m2", epoch, wait)
	if fault.KindOf(err) != fault.Conflict || out.Len() > 0 || !strings.Contains(fault.Message(err), "m2 was asked to be Active for connector default, and m1 is, epoch 1") ||
		!strings.Contains(fault.Message(err), "tieline ha switchover default --to m2") {
		t.Errorf("to m2: %q, %v", &out, fault.Message(err))
	}
}
