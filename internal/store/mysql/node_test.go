package mysql

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
)

// proxy stands before the tests' server and plays several: a session with another
// node than the first has locks of its own and another uid.
type proxy struct {
	upstream, uid string
	listener      net.Listener
	number        atomic.Int32 // of the sessions so far
	node          atomic.Pointer[func(n int32) byte]
}

// behindProxy returns the server's URL by way of a proxy, which gives the n-th
// session, from 1, the node that it says: 'e' is the server as it is.
func behindProxy(t *testing.T, direct string, node func(n int32) byte) (string, *proxy) {
	t.Helper()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := OpenRaw(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	p := &proxy{upstream: u.Host}
	p.node.Store(&node)
	if err := raw.QueryRowContext(t.Context(), "SELECT @@server_uid").Scan(&p.uid); err != nil {
		t.Fatal(err)
	}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.listener.Close() })
	go p.serve()
	u.Host = p.listener.Addr().String()
	return u.String(), p
}

func (p *proxy) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.upstream)
		if err != nil {
			_ = near.Close()
			continue
		}
		node := (*p.node.Load())(p.number.Add(1))
		var wg sync.WaitGroup
		wg.Go(func() { rewrite(far, near, "tieline-", "tielin"+string(node)+"-") })
		wg.Go(func() { rewrite(near, far, p.uid, string(node)+p.uid[1:]) })
		go func() {
			wg.Wait()
			_, _ = near.Close(), far.Close()
		}()
	}
}

// rewrite carries bytes, with one text in place of another as long. Requests and
// answers are small, and written in one piece each.
func rewrite(to, from net.Conn, old, replacement string) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if _, err := to.Write(bytes.ReplaceAll(buf[:n], []byte(old), []byte(replacement))); err != nil {
			return
		}
	}
}

func sameNode(int32) byte { return 'e' }

func everySecond(n int32) byte { return "ef"[n%2] }

// TestAProxyThatSpreadsSessions is refused at the start, also if what it gives
// first is one server.
func TestAProxyThatSpreadsSessions(t *testing.T) {
	for name, node := range map[string]func(int32) byte{
		"alternates":               everySecond,
		"alternates after a while": func(n int32) byte { return "ef"[n%2*max(0, min(1, n-4))] },
		"one of five is another":   func(n int32) byte { return "ef"[max(0, min(1, n-6))] },
	} {
		url, _ := behindProxy(t, server(t), node)
		e, err := Open(t.Context(), url, engine.Options{Log: slog.New(slog.DiscardHandler)})
		if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), "same node") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = e.Close()
		}
	}
}

// TestALaterSessionWithAnotherServer: it is refused while others are with the
// first, and accepted where all are, as after a failover.
func TestALaterSessionWithAnotherServer(t *testing.T) {
	url, p := behindProxy(t, server(t), sameNode)
	var log bytes.Buffer
	e, err := Open(t.Context(), url, engine.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	one := func(n int32) byte { return "ef"[n%6/5] } // of six, one is with another
	p.number.Store(4)
	p.node.Store(&one)
	if _, err := e.Coordination.Open(t.Context(), "north", "boot"); fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "this session is with") {
		t.Errorf("a session with another server than all others: %v", err)
	}
	spread := everySecond
	p.node.Store(&spread)
	p.number.Store(0) // the next is with another
	if _, err := e.Coordination.Open(t.Context(), "north", "boot"); fault.KindOf(err) != fault.Refused {
		t.Errorf("a session with another server, while sessions are spread: %v", err)
	}
	moved := func(int32) byte { return 'f' }
	p.node.Store(&moved)
	s, err := e.Coordination.Open(t.Context(), "north", "boot")
	if err != nil {
		t.Fatalf("when all are with another server: %v", err)
	}
	defer s.Close()
	if !strings.Contains(log.String(), "another database server than before") {
		t.Errorf("the log does not tell: %s", log.String())
	}
}

// TestTwoHostsThatTakeWrites: nothing tells which to follow, so that a person must.
func TestTwoHostsThatTakeWrites(t *testing.T) {
	first, _ := behindProxy(t, server(t), sameNode)
	_, p := behindProxy(t, server(t), func(int32) byte { return 'f' })
	u, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	one, other := u.Host, p.listener.Addr().String()
	u.Host = one + "," + other
	var log bytes.Buffer
	e, err := Open(t.Context(), u.String(), engine.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want := one + " and " + other + " both take writes"
	if !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "fence") {
		t.Errorf("the log does not say it: %s", log.String())
	}
	found, todo, err := e.Inspect.Hosts(t.Context())
	if err != nil || !strings.Contains(found, one+" is in use; "+other+" takes writes") || !strings.Contains(todo, "fence the one") {
		t.Errorf("the check finds %q, %q: %v", found, todo, err)
	}
}

// TestAServerThatTakesNoWrites is passed over where there are others, and is told
// from one that does not answer.
func TestAServerThatTakesNoWrites(t *testing.T) {
	readOnly := server(t) + "?tx_read_only=1"
	e, err := Open(t.Context(), readOnly, engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if found, todo, err := e.Inspect.Writes(t.Context()); err != nil || found != "takes no writes (transaction_read_only is on)" || todo == "" {
		t.Errorf("the check finds %q, %q: %v", found, todo, err)
	}
	_, err = e.Write.ExecContext(t.Context(), "CREATE TABLE nothing_is_made (n int)")
	if cause, _ := e.Why(err); e.Classify(err) != engine.ReadOnly || !strings.Contains(cause, "transaction_read_only is on") {
		t.Errorf("a write: %q, %v", cause, err)
	}
	u, err := url.Parse(readOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	u.Host += ",localhost:" + port
	_, err = Open(t.Context(), u.String(), engine.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if fault.KindOf(err) != fault.Unavailable || strings.Count(fault.Message(err), "takes no writes") != 2 {
		t.Errorf("of two that take none: %v", err)
	}
	for values, want := range map[string]string{"0 0": "", "OFF 0": "", "1 0": "read_only is on", "ON 0": "read_only is on", "0 1": "transaction_read_only is on"} {
		n := nodeOf(append([]string{"db", "3306", "1", "uid"}, strings.Fields(values)...))
		if !strings.HasPrefix(n.readOnly, want) || want == "" && n.readOnly != "" {
			t.Errorf("%s: %q", values, n.readOnly)
		}
	}
}

// TestReadOnlyThatIsPassedOver: a replica that takes this user's writes is not one
// that takes none, and needs attention all the same.
func TestReadOnlyThatIsPassedOver(t *testing.T) {
	n := node{readOnly: "read_only is on, as a replica has it"}
	if found, todo := n.writes(true); strings.Contains(found, "takes no writes") || !strings.Contains(found, "which this user may pass over") || !strings.Contains(todo, "name the primary") {
		t.Errorf("passed over: %q, %q", found, todo)
	}
	if found, _ := n.writes(false); !strings.Contains(found, "takes no writes") {
		t.Errorf("not passed over: %q", found)
	}
	for params, want := range map[string]bool{"": true, "?tx_read_only=1": false} {
		e, err := Open(t.Context(), server(t)+params, engine.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if over, err := (inspector{db: e.Write}).passesOver(t.Context()); err != nil || over != want {
			t.Errorf("with %q a write passes: %v, %v; want %v", params, over, err, want)
		}
	}
}

// TestGranted reads what servers answer to SHOW GRANTS.
func TestGranted(t *testing.T) {
	by := func(lines ...string) []string { return lines }
	for _, c := range []struct {
		lines   []string
		missing []string
		process bool
	}{
		{by("GRANT USAGE ON *.* TO `w`@`%`"), needed, false},
		{by("GRANT `app` TO `w`@`%`", "GRANT USAGE ON *.* TO `app`", "GRANT ALL PRIVILEGES ON `t_x`.* TO `app`"), nil, false},
		{by("GRANT ALL PRIVILEGES ON *.* TO `w`@`%` WITH GRANT OPTION"), nil, true},
		{by("GRANT PROCESS ON *.* TO `w`@`%`", "GRANT ALL PRIVILEGES ON `t\\_x`.* TO `w`@`%`"), nil, true},
		{by("GRANT ALL PRIVILEGES ON `t\\_y`.* TO `w`@`%`", "GRANT ALL PRIVILEGES ON `t\\_x`.`alert` TO `w`@`%`"), needed, false},
		{by("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER ON `t%`.* TO `w`@`%`"), []string{"CREATE VIEW"}, false},
	} {
		missing, process := granted(c.lines, "t_x")
		if !slices.Equal(missing, c.missing) && len(missing)+len(c.missing) > 0 || process != c.process {
			t.Errorf("%q lack %v, PROCESS %v", c.lines, missing, process)
		}
	}
	if got, want := grantAll("t_x", "o'neil@10.%"), "GRANT ALL ON `t\\_x`.* TO 'o''neil'@'10.%'"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
