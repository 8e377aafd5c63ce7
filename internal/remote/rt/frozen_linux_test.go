package rt

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tieline/internal/remote"
	"tieline/internal/remotetest"
)

// Request Tracker that is frozen during a create carries it out afterwards: the
// outcome is unknown, and a look finds the late ticket.
func TestFrozenDuringCreate(t *testing.T) {
	pause, resume := frozen(t)
	s := settings(t)
	a := connect(t, s)
	d := remotetest.Draft(remotetest.NewKey(), 1, nil)
	if err := a.checkFields(t.Context(), a.wanted(d)); err != nil { // so that the create comes first
		t.Fatal(err)
	}
	pause()
	defer resume()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := a.Create(ctx, d)
	if f := failure(t, err); f.Class != remote.Unknown || f.Connect || !f.Shared {
		t.Errorf("a create that was not answered: %+v", f)
	}
	resume()
	for {
		found, err := a.Look(t.Context(), d.Key)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 1 {
			return
		}
		if len(found) > 1 {
			t.Fatalf("one create made %d tickets", len(found))
		}
	}
}

// frozen returns what stops and continues the processes that serve Request
// Tracker's port on this machine: parent and workers share its socket.
func frozen(t *testing.T) (pause, resume func()) {
	t.Helper()
	u, err := url.Parse(need(t, "TIELINE_TEST_RT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	pids := holders(listener(t, u.Port()))
	if len(pids) == 0 {
		t.Fatalf("no process of this machine listens on port %s; the test needs Request Tracker here", u.Port())
	}
	signal := func(s syscall.Signal) func() {
		return func() {
			for _, pid := range pids {
				_ = syscall.Kill(pid, s) // a worker may have ended meanwhile
			}
		}
	}
	t.Cleanup(signal(syscall.SIGCONT))
	return signal(syscall.SIGSTOP), signal(syscall.SIGCONT)
}

// listener returns the inode of the socket that listens on a TCP port.
func listener(t *testing.T, port string) string {
	t.Helper()
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const listening = "0A"
	for lines := bufio.NewScanner(f); lines.Scan(); {
		col := strings.Fields(lines.Text())
		if len(col) > 9 && col[3] == listening && strings.HasSuffix(col[1], fmt.Sprintf(":%04X", n)) {
			return col[9]
		}
	}
	t.Fatalf("nobody listens on port %s", port)
	return ""
}

// holders returns the processes that have a socket open.
func holders(inode string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is valid
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != "socket:["+inode+"]" {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
