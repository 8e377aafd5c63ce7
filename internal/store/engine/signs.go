package engine

// Reasons of the lines in a connector's availability history that tell until when
// a former Active is known to have lived. They stand beside the take-over that
// ended its term, under the epoch of that term, and are written where the fact
// would be lost: by the take-over itself, and by a server that starts anew before
// its row forgets the process before.
const (
	// LastHeard: the line's time is its last heartbeat; it ended by itself within
	// a polling interval after that.
	LastHeard = "last heard"
	// SeenEnding: whoever took over saw its process end at the line's time.
	SeenEnding = "seen ending"
)
