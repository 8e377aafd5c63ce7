package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tieline/internal/ha"
)

// holderURL makes the test binary a server's process: it holds a presence of
// the database until it is killed.
const holderURL = "TIELINE_TEST_HOLDER_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(holderURL); url != "" {
		if err := hold(url); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m)
}

// hold joins as "holder", beats once, tells its presence and stays.
func hold(url string) error {
	ctx := context.Background()
	db, err := Open(ctx, url, Options{Migrate: true})
	if err != nil {
		return err
	}
	if err := db.Join(ctx, joining("holder")); err != nil {
		return err
	}
	s, err := db.Coordinator().Open(ctx, "holder", "holder-boot")
	if err != nil {
		return err
	}
	if _, err := s.Beat(ctx, beatOf("holder", 1, s)); err != nil {
		return err
	}
	fmt.Println("presence:", s.Presence())
	select {}
}

// startHolder starts such a process and returns it with its presence.
func startHolder(t *testing.T, url string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), holderURL+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	name, ok := strings.CutPrefix(strings.TrimSpace(line), "presence: ")
	if err != nil || !ok || name == "" {
		t.Fatalf("the holder said %q (%v)", line, err)
	}
	return cmd, name
}

// await waits for a presence in the background; held is closed once it was
// seen held, and the time of the answer comes with it.
func await(ctx context.Context, c ha.Coordinator, name string) (held chan struct{}, answer chan awaited) {
	held, answer = make(chan struct{}), make(chan awaited, 1)
	go func() {
		err := c.Await(ctx, name, func() { close(held) })
		answer <- awaited{time.Now(), err}
	}()
	return held, answer
}

type awaited struct {
	at  time.Time
	err error
}

func TestWaitersAreGrantedWhenTheHolderIsKilled(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		for range 3 {
			holder, name := startHolder(t, url)
			var answers []chan awaited
			for range 3 {
				held, answer := await(t.Context(), db.Coordinator(), name)
				within(t, "seeing the presence held", held)
				answers = append(answers, answer)
			}
			killed := time.Now()
			if err := holder.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for _, answer := range answers {
				a := within(t, "the grant", answer)
				if a.err != nil {
					t.Errorf("await: %v", a.err)
				}
				t.Logf("granted %v after SIGKILL", a.at.Sub(killed))
			}
			_ = holder.Wait()
			// The same server again, at once: its earlier process is known dead.
			if err := db.Join(t.Context(), joining("holder")); err != nil {
				t.Errorf("join right after the kill: %v", err)
			}
		}
	})
}

func TestPresenceEndsWithItsSession(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		s := openSession(t, db, "north")
		held, answer := await(t.Context(), db.Coordinator(), s.Presence())
		within(t, "seeing the presence held", held)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if a := within(t, "the grant", answer); a.err != nil {
			t.Error(a.err)
		}
		held, answer = await(t.Context(), db.Coordinator(), s.Presence())
		if a := within(t, "the answer about an ended presence", answer); a.err != nil {
			t.Error(a.err)
		}
		select {
		case <-held:
			t.Error("an ended presence was seen held")
		default:
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		s := openSession(t, db, "north")
		ctx, cancel := context.WithCancel(t.Context())
		held, answer := await(ctx, db.Coordinator(), s.Presence())
		within(t, "seeing the presence held", held)
		cancel()
		if a := within(t, "the answer", answer); !errors.Is(a.err, context.Canceled) {
			t.Errorf("await: %v, want context.Canceled", a.err)
		}
		// The waiter is gone from the database too: the presence is still held once.
		if is, err := db.engine.Coordination.Held(t.Context(), s.Presence()); err != nil || !is {
			t.Errorf("held: %v, %v", is, err)
		}
		join(t, db, "north")
		mustBeat(t, s, beatOf("north", 1, s))
	})
}

func TestAwaitRefusesAForeignName(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		for _, name := range []string{"", "../../etc/passwd", "UPPERCASE", strings.Repeat("x", 65)} {
			if err := db.Coordinator().Await(t.Context(), name, func() {}); err == nil {
				t.Errorf("a presence named %q was awaited", name)
			}
		}
	})
}
