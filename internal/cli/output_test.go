package cli

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestPrintForms(t *testing.T) {
	type row struct {
		Name  string   `json:"name"`
		Count int      `json:"count"`
		Text  string   `json:"text"`
		List  []string `json:"list"`
	}
	v := row{"b", 2, "yes", []string{}}
	for form, want := range map[string]string{
		"table": "a person's view\n",
		"json":  "{\n  \"name\": \"b\",\n  \"count\": 2,\n  \"text\": \"yes\",\n  \"list\": []\n}\n",
		// "yes" stays a text where a reader takes it for a boolean, and the order is the struct's.
		"yaml": "name: b\ncount: 2\ntext: \"yes\"\nlist: []\n",
	} {
		var out bytes.Buffer
		c := &command{Streams: Streams{Out: &out}, output: form}
		if err := c.print(v, func(w io.Writer) { fmt.Fprintln(w, "a person's view") }); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s: got\n%swant\n%s", form, out.String(), want)
		}
	}
}

func TestTableKeepsRowsOnOneLine(t *testing.T) {
	var out bytes.Buffer
	table := newTable(&out, "A", "B")
	table.row("one\ntwo", "x\ty")
	table.flush()
	if want := "A        B\none two  x y\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 400 * time.Millisecond: "0s", 59 * time.Second: "59s", 130 * time.Second: "2m10s",
		3*time.Hour + 5*time.Minute: "3h05m", 300 * time.Hour: "12d",
	} {
		if got := ago(d); got != want {
			t.Errorf("ago(%s) = %s, want %s", d, got, want)
		}
	}
}
