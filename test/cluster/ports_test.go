package cluster

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain plays another process: it prints addresses it is given, and keeps them
// until its input ends.
func TestMain(m *testing.M) {
	if os.Getenv("CLUSTER_TEST_ASKS") == "" {
		os.Exit(m.Run())
	}
	openPortsAt(22000)
	for range asked {
		addr, err := FreeAddress()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(addr)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

const asked = 20

// openPortsAt has processes meet, which begin at different places otherwise.
func openPortsAt(port int) {
	ports.Lock()
	defer ports.Unlock()
	if err := openPorts(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ports.next = port - firstPort
}

// TestProcessesAreGivenDifferentAddresses: although none of them listens yet.
func TestProcessesAreGivenDifferentAddresses(t *testing.T) {
	openPortsAt(22000)
	given := map[string]int{}
	for range asked {
		addr, err := FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		given[addr]++
	}
	for range 3 {
		other := exec.Command(os.Args[0])
		other.Env = append(os.Environ(), "CLUSTER_TEST_ASKS=1")
		other.Stderr = os.Stderr
		keeps, err := other.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		said, err := other.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = keeps.Close()
			_ = other.Wait()
		})
		lines := bufio.NewScanner(said)
		for range asked {
			if !lines.Scan() {
				t.Fatalf("another process was given too few: %v", lines.Err())
			}
			given[strings.TrimSpace(lines.Text())]++
		}
	}
	if len(given) != 4*asked {
		t.Errorf("%d different addresses of %d given: %v", len(given), 4*asked, given)
	}
}

// TestAnAddressSomebodyListensAtIsNotGiven: whoever that is.
func TestAnAddressSomebodyListensAtIsNotGiven(t *testing.T) {
	addr, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	_, next, _ := net.SplitHostPort(addr)
	var port int
	if _, err := fmt.Sscan(next, &port); err != nil {
		t.Fatal(err)
	}
	foreign := ""
	for foreign == "" && port < lastPort {
		port++
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			foreign = l.Addr().String()
			defer l.Close()
		}
	}
	openPortsAt(port)
	if addr, err = FreeAddress(); err != nil || addr == foreign {
		t.Errorf("given %s, where somebody listens: %v", addr, err)
	}
}
