package app

import (
	"bytes"
	"encoding/json"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// complaints reads a log of JSON, which every line must be, and returns the texts
// of what libraries printed.
func complaints(t *testing.T, text string) (texts []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var entry struct{ Level, Msg, Err string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("not JSON: %s", line)
		}
		if entry.Level == "WARN" && entry.Msg == "a library complains" {
			texts = append(texts, entry.Err)
		}
	}
	return texts
}

func TestStandardLogGoesToTheLog(t *testing.T) {
	var text bytes.Buffer
	release := TakeStandardLog(slog.New(slog.NewJSONHandler(&text, nil)))
	log.Printf("Unsolicited response received on idle HTTP channel starting with %q; err=%v", "HTTP/1.0 408\r\n", nil)
	log.Print("http: panic serving 127.0.0.1:\ngoroutine 1 [running]:\n\tmain()")
	slog.Warn("by slog's default", "took", 1)
	release()
	if log.Writer() != os.Stderr || log.Flags() != log.LstdFlags {
		t.Error("the standard log was not given back")
	}
	got := complaints(t, text.String())
	want := []string{"Unsolicited response", "goroutine 1 [running]:\n\tmain()", "by slog's default took=1"}
	if len(got) != len(want) {
		t.Fatalf("the log has %d complaints: %q", len(got), text.String())
	}
	for i, part := range want {
		if !strings.Contains(got[i], part) {
			t.Errorf("complaint %d is %q, want %q in it", i, got[i], part)
		}
	}
}

// TestServersComplainInTheLog: of a handler that panics, with no word elsewhere.
func TestServersComplainInTheLog(t *testing.T) {
	text := make(lines, 8)
	server := newServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") }), slog.New(slog.NewJSONHandler(text, nil)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if resp, err := http.Get("http://" + listener.Addr().String()); err == nil {
		resp.Body.Close()
		t.Errorf("a panic was answered %s", resp.Status)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-ended
	if got := complaints(t, <-text); len(got) != 1 || !strings.Contains(got[0], "panic serving") || !strings.Contains(got[0], "oh") {
		t.Errorf("the log has %q", got)
	}
}

// lines is sent what a log writes.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}
