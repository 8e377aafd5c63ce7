package ha_test

import (
	"testing"
	"time"

	"tieline/internal/ha"
)

func TestKilledActiveIsReplacedWithinASecond(t *testing.T) {
	bubble(t, thirty, []string{"a", "b", "c"}, func(c *cluster) {
		c.startAll("a", "b", "c")
		at := time.Now()
		c.kill(c.nodes["a"])
		s := c.next(at, time.Minute)
		if gap := s.began.Sub(at); gap >= time.Second {
			t.Errorf("gap %v, want under a second", gap)
		}
		if s.server != "b" {
			t.Errorf("%s followed, want b: it is next in order", s.server)
		}
		if got := c.last().Reason; got != ha.ReasonPresence {
			t.Errorf("reason %q", got)
		}
	})
}
