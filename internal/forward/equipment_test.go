package forward

import (
	"testing"
	"time"

	"tieline/internal/connector"
	"tieline/internal/ha"
	"tieline/internal/remote"
)

// TestCallsHaveTimeForTheirRequests: a call reads, writes and reads back. Whatever
// it may last, it ends within the window in which it may begin.
func TestCallsHaveTimeForTheirRequests(t *testing.T) {
	for _, tt := range []struct{ timeout, window, call time.Duration }{
		{0, 0, 15 * time.Second},
		{2 * time.Second, 0, 6 * time.Second},
		{10 * time.Second, 2 * time.Minute, 15 * time.Second}, // the term's own window is the shorter
		{10 * time.Second, 4 * time.Second, 2 * time.Second},
	} {
		limits := connector.Limits{Timeout: connector.Duration(tt.timeout), Window: connector.Duration(tt.window)}
		e := equip(&Setup{Remote: unasked{}, Mapping: limited{limits: limits}}, ha.Term{})
		if e.timeout != tt.call {
			t.Errorf("timeout %s, window %s: a call has %s, want %s", tt.timeout, tt.window, e.timeout, tt.call)
		}
		if e.startable()+e.timeout > e.window {
			t.Errorf("timeout %s, window %s: a call may end after its window", tt.timeout, tt.window)
		}
	}
}

// unasked is a remote of which only the traits are asked.
type unasked struct{ remote.Adapter }

func (unasked) Traits() remote.Traits { return remote.Traits{} }

// limited is a mapping of nothing, with limits.
type limited struct {
	Mapping
	limits connector.Limits
}

func (limited) Refire(string) connector.Refire { return connector.Refire{} }
func (limited) CloseAction() string            { return "" }
func (l limited) Limits() connector.Limits     { return l.limits }
