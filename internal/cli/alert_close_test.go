package cli

import (
	"strings"
	"testing"
)

// TestASourceThatLeavesIsNamed: its open alerts are said to stay open, and can be
// closed by command; their tickets hear of it.
func TestASourceThatLeavesIsNamed(t *testing.T) {
	s := newSite(t)
	url, _ := s.serve("--server", "only")
	document := s.ok("connector", "show", "default")
	for _, key := range []string{"a", "b", "c"} {
		s.ok("send", "--url", url, "key="+key, "summary=disk full", "severity=critical")
	}
	var open []alertView
	eventually(t, "three alerts are forwarded", func() bool {
		s.json(&open, "alert", "list", "--status", "open")
		return len(open) == 3 && len(open[0].Links) == 1 && open[0].Links[0].Stage == "settled"
	})
	if out := s.ok("alert", "close", open[0].ID); !strings.Contains(out, "1 alert was closed") {
		t.Errorf("close says %q", out)
	}
	name := open[0].Source
	if !strings.Contains(document, "- name: "+name) {
		t.Fatalf("the document does not name source %q:\n%s", name, document)
	}
	changed := strings.Replace(document, "- name: "+name, "- name: successor", 1)
	r := s.runWith(changed, "connector", "apply", "-f", "-")
	if r.code != 0 || !strings.Contains(r.out, "source "+name+" is no longer in it and has 2 open alerts") {
		t.Fatalf("apply says %+v", r)
	}
	if out := s.ok("alert", "close", "--source", name); !strings.Contains(out, "2 alerts were closed") {
		t.Errorf("close says %q", out)
	}
	var closed []alertView
	eventually(t, "their tickets have heard of it", func() bool {
		s.json(&closed, "alert", "list", "--status", "closed")
		told := 0
		for _, a := range closed {
			if len(a.Links) == 1 && a.Links[0].Stage == "settled" && a.Links[0].Delivered == a.Revision {
				told++
			}
		}
		return told == 3
	})
	if r := s.run("alert", "close"); r.code != 2 {
		t.Errorf("close of nothing: %+v", r)
	}
}
