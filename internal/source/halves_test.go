package source

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"tieline/internal/fault"
)

// TestHalvesAreNamedWhereNobodyReads: also in what an adapter passes over.
func TestHalvesAreNamedWhereNobodyReads(t *testing.T) {
	for body, path := range map[string]string{
		`{"a":[{"later":"\ud800"}]}`:         "a[0].later",
		`{"a":{"\udc00 x":1}}`:               `a["\ufdd1 x"]`,
		"{\"a\":\"\xff\"}":                   "a",
		`"\ud83d\ud83d\ude00"`:               "",
		`{"fine":"\ud83d\ude00","b":"\ud8"}`: "not JSON",
	} {
		b, err := ReadBody([]byte(body), Limits{})
		if path == "not JSON" {
			if err == nil {
				t.Errorf("%s was taken", body)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if p := fault.ProblemsOf(b.Err()); len(p) != 1 || p[0].Path != path || p[0].Message != notText {
			t.Errorf("%s: %v, want one of %s", body, p, path)
		}
	}
}

// FuzzHalves: a decoder makes U+FFFD of nothing but what the sender wrote as such.
func FuzzHalves(f *testing.F) {
	for _, seed := range []string{`"\ud800"`, `"\ud83d\ude00"`, `"\ude00\ud83d\\ud800\ufffd"`, `{"\udfff":"\ud83d\u0041"}`, `\`, `"\ud83d\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		after, found := breakHalves([]byte(body))
		if len(after) != len(body) || found == (string(after) == body) {
			t.Fatalf("%q became %q, %v", body, after, found)
		}
		if strings.Contains(body, "\uFFFD") || strings.Contains(strings.ToLower(body), `\ufffd`) || strings.ToValidUTF8(body, "") != body {
			return
		}
		if text, ok := decoded(after); ok && strings.ContainsRune(text, '\uFFFD') {
			t.Errorf("%q still has halves: %q", body, after)
		}
		if was, ok := decoded([]byte(body)); ok && strings.ContainsRune(was, '\uFFFD') != found {
			t.Errorf("%q: found is %v", body, found)
		}
	})
}

// decoded returns all texts of a JSON value in one.
func decoded(body []byte) (string, bool) {
	if !json.Valid(body) {
		return "", false
	}
	var all strings.Builder
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err != nil {
			return all.String(), true
		}
		if text, ok := token.(string); ok {
			all.WriteString(text)
		}
	}
}
