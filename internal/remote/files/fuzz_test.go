package files

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func seeds(f *testing.F) {
	for _, s := range []string{
		`{"key": "tl-x", "ticket": "INC0042", "state": "resolved", "text": "disk replaced", "author": "kim", "at": "2026-11-22T15:22:58Z"}`,
		`{"ticket": "1", "state": "open"} `, `{"ticket": 1}`, `{}`, `[]`, `null`, `"x"`, "\xef\xbb\xbf{\"ticket\": \"1\", \"text\": \"x\"}",
		`{"ticket": "1", "ticket": "2", "state": "a"}`, `{"at": "yesterday"}`, strings.Repeat(`{"key":`, 50),
		`<reply><key>tl-x</key><ticket>INC1</ticket><state>resolved</state><at>2026-11-22T15:22:58Z</at></reply>`,
		`<?xml version="1.0"?><!DOCTYPE reply [<!ENTITY x "y">]><reply><key>&x;</key></reply>`,
		`<reply xmlns="urn:x"><key>k</key><text><![CDATA[a<b]]></text></reply><!-- end -->`, `<reply/>`, `<a><a><a>`,
	} {
		f.Add([]byte(s))
	}
}

// FuzzReply: whatever lies in the inbox is taken within bounds or refused with
// a reason that can be shown.
func FuzzReply(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := parse(content)
		if err != nil {
			if s := err.Error(); s == "" || !utf8.ValidString(s) || len(s) > 1000 || strings.ContainsAny(s, "\n\x00\x1b") {
				t.Errorf("the reason cannot be shown: %q", s)
			}
			return
		}
		n := r.news("id")
		if n.Key == "" && n.Ticket == "" || n.State == "" && n.Text == "" && n.Assign == "" {
			t.Errorf("news that tells nothing: %+v", n)
		}
		for _, s := range []string{string(n.Key), n.Ticket, n.State, n.Author} {
			if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("out of bounds: %q", s)
			}
		}
		if len(n.Text) > maxText {
			t.Errorf("a text of %d bytes", len(n.Text))
		}
	})
}
