package cluster

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLeash: what a process started ends with it, also where it is killed. The
// process is this test again, which starts a command that waits for ever.
func TestLeash(t *testing.T) {
	if os.Getenv("TIELINE_TEST_LEASH") != "" {
		cmd := exec.Command("sleep", "1000")
		cmd.Stdout = os.Stdout
		if err := onLeash(cmd); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString("started\n"); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the parent is killed first
		return
	}
	for _, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			parent := exec.Command(os.Args[0], "-test.run=^TestLeash$", "-test.v=false")
			parent.Env = append(os.Environ(), "TIELINE_TEST_LEASH=1")
			// The pipe has no more to say once both who could write to it have ended.
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			parent.Stdout, parent.Stderr = in, in
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			in.Close()
			said := bufio.NewReader(out)
			if line, err := said.ReadString('\n'); err != nil || strings.TrimSpace(line) != "started" {
				t.Fatalf("it says %q: %v", line, err)
			}
			if err := parent.Process.Signal(how); err != nil {
				t.Fatal(err)
			}
			_ = parent.Wait() // of the signal
			if err := out.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = said.ReadString('\n')
			}
			if os.IsTimeout(err) {
				t.Error("what it started is still there a minute after it ended")
			}
		})
	}
}
