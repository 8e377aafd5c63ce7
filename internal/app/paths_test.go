package app

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tieline/internal/fault"
)

// TestPathsForProgramsAnswerPrograms: whoever comes to intake's paths in a wrong
// way is told so in the form that programs read, not by a page of the console.
func TestPathsForProgramsAnswerPrograms(t *testing.T) {
	d := newDesk(t)
	dir := t.TempDir()
	apply(t, dir, d.document)
	a := start(t, settings(dir, "one"))
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/v1/sources/shop", 405, "POST"}, {"HEAD", "/v1/sources/shop", 405, "POST"}, {"PUT", "/v1/sources/shop", 405, "POST"},
		{"DELETE", "/v1/sources/shop", 405, "POST"}, {"POST", "/v1/sources/none", 404, ""},
		{"POST", "/v1/sources/shop/more", 404, ""}, {"GET", "/v1/sources/", 404, ""}, {"GET", "/v1/nothing", 404, ""}, {"POST", "/v1/", 404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+a.Addr()+c.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || resp.Header.Get("Allow") != c.allow || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s %v", c.method, c.path, resp.Status, resp.Header)
		}
		var problem struct {
			Status int
			Detail string
		}
		if err := json.Unmarshal(text, &problem); c.method != "HEAD" && (err != nil || problem.Status != c.status || problem.Detail == "") {
			t.Errorf("%s %s: %s", c.method, c.path, text)
		}
	}
}

// TestADatabaseFileThatIsReplaced: what is accepted into a file that nobody else
// sees is lost with the process. Nothing is taken in any more, and the server ends.
func TestADatabaseFileThatIsReplaced(t *testing.T) {
	d := newDesk(t)
	dir := t.TempDir()
	apply(t, dir, d.document)
	file := filepath.Join(dir, "tieline.db")
	older, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a := start(t, settings(dir, "one"))
	post(t, a, "shop", alertNamed("x", "open"))
	if err := os.WriteFile(file+".restored", older, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".restored", file); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+a.Addr()+"/v1/sources/shop", "application/json", strings.NewReader(`{"key": "y"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("an alert after the file was replaced is answered %s", resp.Status)
	}
	a.runner.Beat()
	select {
	case <-a.Done():
	case <-time.After(wait):
		t.Fatal("the server goes on with a file that nobody else sees")
	}
	_ = a.Stop(t.Context()) // what cannot be recorded is given up
	if err := a.Err(); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), "was replaced by another") || !strings.Contains(fault.Message(err), "-wal") {
		t.Errorf("err = %v", err)
	}
}
