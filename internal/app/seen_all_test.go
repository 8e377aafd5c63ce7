package app

import (
	"fmt"
	"testing"
)

// TestAllOfTheDeskIsWhatWasSeen: all that a filter finds is given up by the tag of
// its list, and retried with it or without.
func TestAllOfTheDeskIsWhatWasSeen(t *testing.T) {
	a, c := refusing(t)
	raised := 0
	list := func(want float64) (tag string) {
		raised++
		post(t, a, "shop", map[string]any{"key": fmt.Sprint("disk-", raised), "summary": "a disk is full"})
		eventually(t, "the links are parked", func() bool {
			etag, found := c.ask(200, "GET", "/parked?limit=1&q=REFUSED", "", "")
			tag = etag
			return found["found"] == want && len(found["items"].([]any)) == 1
		})
		return tag
	}
	const all = `{"all":true,"q":"refused","reason":"noise"}`
	first := list(1)
	_, problem := c.ask(428, "POST", "/parked/give-up", "", all)
	c.says(problem, "does not say what it was decided on")
	c.ask(400, "POST", "/parked/give-up", first, `{"links":[],"reason":"noise"}`)
	second := list(2)
	_, problem = c.ask(412, "POST", "/parked/give-up", first, all)
	c.says(problem, "there were 1, and 2 are parked now")
	c.ask(412, "POST", "/parked/retry", first, `{"all":true,"q":"refused"}`)
	if _, given := c.ask(200, "POST", "/parked/give-up", second, all); given["links"] != 2.0 {
		t.Errorf("given up are %v", given)
	}
	list(1)
	if _, again := c.ask(200, "POST", "/parked/retry", "", `{"all":true}`); again["links"] != 1.0 {
		t.Errorf("retried are %v", again)
	}
}
