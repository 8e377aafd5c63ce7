package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Addresses lie below those the system gives to outgoing connections, so that one
// stays its owner's while nobody listens there: servers are killed and proxies
// cut, and nobody else must get their place.
const firstPort, lastPort = 22000, 31999

// ports are what this process was given. Others of the same user keep off: each
// holds a lock on the byte of its ports in one file, which ends with the process.
var ports struct {
	sync.Mutex
	file  *os.File
	next  int
	given map[int]bool
}

// FreeAddress returns an address of this host at which nobody listens. While this
// process lives, no process that asks here is given it again.
func FreeAddress() (string, error) {
	ports.Lock()
	defer ports.Unlock()
	if err := openPorts(); err != nil {
		return "", err
	}
	const count = lastPort - firstPort + 1
	for range count {
		port := firstPort + ports.next
		ports.next = (ports.next + 1) % count
		if addr := fmt.Sprintf("127.0.0.1:%d", port); !ports.given[port] && claimPort(port) && nobodyListens(addr) {
			ports.given[port] = true
			return addr, nil
		}
	}
	return "", errors.New("no free port between 22000 and 31999")
}

// openPorts begins at a place of its own, so that processes rarely meet.
func openPorts() error {
	if ports.file != nil {
		return nil
	}
	name := filepath.Join(os.TempDir(), fmt.Sprintf("tieline-test-ports-%d.lock", os.Getuid()))
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("keep a port: %w", err)
	}
	// Closing any other handle of the file would end the locks: there is this one.
	ports.file, ports.given = file, map[int]bool{}
	ports.next = os.Getpid() % (lastPort - firstPort + 1)
	return nil
}

// claimPort locks a port's byte for as long as this process lives.
func claimPort(port int) bool {
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: int64(port), Len: 1}
	return syscall.FcntlFlock(ports.file.Fd(), syscall.F_SETLK, &lock) == nil
}

func nobodyListens(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	return l.Close() == nil
}
