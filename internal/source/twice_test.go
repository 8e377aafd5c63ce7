package source

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tieline/internal/fault"
)

func TestKeysGivenTwiceAreRefused(t *testing.T) {
	for body, path := range map[string]string{
		`{"key":"a","summary":"x","key":"b"}`:                           "key",
		`{"labels":{"a":"1","a":"1"}}`:                                  "labels.a",
		`{"alerts":[{"key":"a"},{"key":"b","key":"c"}]}`:                "alerts[1].key",
		`[{"labels":{"a":{"b":1,"b":{}}}}]`:                             "[0].labels.a.b",
		`{"s":"a \" : \\","s":": \\\" {"}`:                              "s",
		`{"a":1,"\u0061":2}`:                                            "a",
		"{\"deep\":[[{\"x\":[{\"y\":1,\"z\":[],\"y\":[{\"y\":0}]}]}]]}": "deep[0][0].x[0].y",
	} {
		b, err := ReadBody([]byte(body), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		var f *fault.Error
		if err := b.Err(); !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Problems) != 1 || f.Problems[0].Path != path {
			t.Errorf("%s: %+v, want a problem of %s alone", body, err, path)
		}
	}
	for _, body := range []string{
		`{}`, `[]`, `"a:b"`, `{"a:b":"c:d","c":[{"a":1},{"a":2}],"d":{"a":{"a":null}}}`, `{"a":"\\","b":"\\\":"}`,
	} {
		b, err := ReadBody([]byte(body), Limits{})
		if err != nil || b.Err() != nil {
			t.Errorf("%s: %v", body, errors.Join(err, b.Err()))
		}
	}
}

// FuzzKeysGivenTwice: the two counts agree with a decoder that sees every key.
func FuzzKeysGivenTwice(f *testing.F) {
	f.Add(`{"a":{"b":[1,":",{"c\":":"\\"}]},"a":0}`)
	f.Fuzz(func(t *testing.T, body string) {
		b, err := ReadBody([]byte(body), Limits{})
		if err != nil {
			return
		}
		n, d := 0, json.NewDecoder(strings.NewReader(body))
		var count func()
		count = func() {
			token, err := d.Token()
			if err != nil {
				return
			}
			switch token {
			case json.Delim('{'):
				for d.More() {
					n++
					_, _ = d.Token()
					count()
				}
				_, _ = d.Token()
			case json.Delim('['):
				for d.More() {
					count()
				}
				_, _ = d.Token()
			}
		}
		count()
		if got := colons([]byte(body)); got != n {
			t.Errorf("%q: %d colons, %d keys", body, got, n)
		}
		if twice := n != entries(b.Root); twice != (len(b.problems) > 0) {
			t.Errorf("%q: %d keys, %d are left; problems %v", body, n, entries(b.Root), b.problems)
		}
	})
}
