package engine

import (
	"context"

	"tieline/internal/ha"
)

// Coordination is the engine's part in availability: sessions and presences on
// connections of their own, and the way wake-ups take between processes.
type Coordination interface {
	ha.Coordinator
	// Held reports whether somebody holds a presence.
	Held(ctx context.Context, presence string) (bool, error)
	// Listen calls heard for every topic another process (or this one) announced
	// by Announce, and missed when it has begun to hear them, as what was announced
	// before went past, and whenever else announcements may have been missed. It
	// returns when ctx ends.
	Listen(ctx context.Context, heard func(topic string), missed func()) error
	// Announce tells the topics to all processes that listen.
	Announce(ctx context.Context, topics []string) error
}
