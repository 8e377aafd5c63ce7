package remotetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tieline/internal/remote"
)

func serveDesk(t *testing.T, o DeskOptions) (*Desk, string) {
	d := NewDesk(o)
	s := httptest.NewServer(d)
	t.Cleanup(func() { d.Close(); s.Close() })
	return d, s.URL
}

// post sends a message; status 0 means that it was not answered.
func post(ctx context.Context, t *testing.T, method, url, idempotency string, m remote.Message) (status int) {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = nil
	req.Header.Set("Idempotency-Key", idempotency)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestDeskFaults(t *testing.T) {
	d, url := serveDesk(t, DeskOptions{})
	d.Plan(Fault{Status: 503, RetryAfter: "1"}, Fault{Lose: true}, Fault{Late: true}, Fault{Delay: time.Millisecond})
	create := func(ctx context.Context, revision int64) int {
		return post(ctx, t, "POST", url+"/tickets", fmt.Sprint(revision), remote.Message{Kind: "new", Key: "k", Revision: revision})
	}
	if status := create(t.Context(), 1); status != 503 {
		t.Errorf("planned 503, got %d", status)
	}
	if status := create(t.Context(), 2); status != 0 {
		t.Errorf("a lost answer came: %d", status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() { done <- create(ctx, 3) }()
	for d.Waiting() == 0 {
		time.Sleep(time.Millisecond) // the request is on its way through the loopback
	}
	cancel()
	if status := <-done; status != 0 {
		t.Errorf("a late write was answered: %d", status)
	}
	if n := len(d.Tickets()); n != 1 {
		t.Errorf("%d tickets before the late one is released", n)
	}
	d.Release()
	if status := create(t.Context(), 4); status != 200 {
		t.Errorf("a good write: %d", status)
	}
	entries := d.Entries()
	if len(entries) != 3 || !entries[0].Late || entries[1].Revision != 3 || !entries[1].Late || entries[2].Late {
		t.Errorf("entries %+v", entries)
	}
}

func TestDeskDropsRepeats(t *testing.T) {
	d, url := serveDesk(t, DeskOptions{Deduplicate: true})
	for range 2 {
		post(t.Context(), t, "POST", url+"/tickets", "k", remote.Message{Kind: "new", Key: "k", Revision: 1})
	}
	if a := d.Audit(map[string]int64{"k": 1}); !a.Clean() || a.Dropped != 1 || a.Tickets != 1 {
		t.Errorf("%v", a)
	}
}

// The audit must see each kind of damage.
func TestAudit(t *testing.T) {
	d, url := serveDesk(t, DeskOptions{})
	send := func(kind, key string, revision int64) {
		post(t.Context(), t, "POST", url+"/tickets", "", remote.Message{Kind: kind, Key: key, Revision: revision})
	}
	put := func(id string, key string, revision int64) {
		post(t.Context(), t, "PUT", url+"/tickets/"+id, "", remote.Message{Kind: "update", Key: key, Revision: revision})
	}
	send("new", "good", 1)
	put("1", "good", 3)
	put("1", "good", 2) // a late one,
	put("1", "good", 3) // mended
	send("new", "twice", 1)
	send("new", "twice", 1)
	send("new", "behind", 1)
	send("new", "back", 2)
	put("5", "back", 1)
	send("new", "stranger", 1)
	for _, seq := range []int64{2, 1} {
		post(t.Context(), t, "POST", url+"/tickets/1/notes", "", remote.Message{Kind: "note", Key: "notes", Note: &remote.MessageNote{Seq: seq}})
	}
	a := d.Audit(map[string]int64{"good": 3, "twice": 1, "behind": 2, "back": 2, "gone": 1})
	want := "tickets 6, dropped creates 0, lost 1 (gone), doubled 1 (twice), behind 2 (back, behind), reversed 2 (back, notes), strangers 1 (stranger)"
	if a.String() != want || a.Clean() {
		t.Errorf("the audit says %s, want %s", a, want)
	}
}

func TestDeskAsksForItsToken(t *testing.T) {
	_, url := serveDesk(t, DeskOptions{Token: "t"})
	if status := post(t.Context(), t, "POST", url+"/tickets", "", remote.Message{Kind: "new", Key: "k"}); status != 401 {
		t.Errorf("without a token: %d", status)
	}
}
