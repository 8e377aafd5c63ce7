package sim

import (
	"sync"
	"time"
)

// Host is the machine one server is installed on: what outlives its processes.
type Host struct {
	name string

	mu         sync.Mutex
	reqCut     bool          // requests to the database do not arrive
	ansCut     bool          // answers of the database do not arrive
	remoteCut  bool          // the remote system cannot be connected to
	wallOffset time.Duration // an administrator's clock against the truth
	bootOffset time.Duration // when the machine was started
	process    *Process      // the latest boot; nil before the first
	boots      int
	server     string // the installed server's name
	removed    bool   // from the management group
}

// current is the latest boot, nil before the first.
func (h *Host) current() *Process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.process
}

func (h *Host) serverName() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.server
}

// rename gives the server a name that was never used.
func (h *Host) rename() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server += "'"
}

func (h *Host) isRemoved() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.removed
}

func (h *Host) setRemoved(removed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.removed = removed
}

func (h *Host) cut() (request, answer bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reqCut, h.ansCut
}

func (h *Host) setCut(request, answer bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reqCut, h.ansCut = request, answer
}

func (h *Host) remoteReachable() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.remoteCut
}

func (h *Host) setRemoteCut(cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remoteCut = cut
}

func (h *Host) stepWall(by time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wallOffset += by
}
