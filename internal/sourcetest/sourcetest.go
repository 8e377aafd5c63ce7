// Package sourcetest is the conformance suite for what sources push: every
// adapter's parser takes the same limits, and refuses hostile input in the same
// way. Parsers store nothing, so that a refused request leaves nothing behind.
package sourcetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

// Alert is what the suite wants to be in a body.
type Alert struct {
	Status alert.Status
	Labels map[string]string
	URL    string
}

// Format is how one kind of source writes a request.
type Format struct {
	Adapter source.Adapter // whose observations carry Source
	Source  string
	// Body writes a request with the alerts.
	Body func(alerts ...Alert) []byte
	// Label, Status and URL are where an alert's label, status and address stand in
	// problems' paths.
	Label  func(i int, name string) string
	Status func(i int) string
	URL    func(i int) string
}

// Run runs the suite.
func Run(t *testing.T, f Format) {
	t.Run("takes what is valid", f.takes)
	t.Run("keeps the order and the keys", f.keepsOrder)
	t.Run("holds the limits", f.limits)
	t.Run("names every wrong field", f.namesFields)
	t.Run("refuses what is not JSON", f.notJSON)
	t.Run("refuses texts that cannot be stored", f.texts)
	t.Run("refuses half of a pair, and takes what is whole", f.halves)
}

func one(name string) Alert {
	return Alert{Status: alert.Open, Labels: map[string]string{"alertname": name, "instance": "ö \"quoted\" \\ 日本"}, URL: "http://monitor/" + name}
}

func several(n int) []Alert {
	alerts := make([]Alert, n)
	for i := range alerts {
		alerts[i] = one(fmt.Sprintf("A%d", i))
	}
	return alerts
}

func (f Format) takes(t *testing.T) {
	closed := one("B")
	closed.Status = alert.Closed
	got, err := f.Adapter.Parse(f.Body(one("A"), closed), source.Limits{})
	if err != nil {
		t.Fatal(fault.Message(err))
	}
	Check(t, got)
	want := []alert.Status{alert.Open, alert.Closed}
	for i, o := range got {
		if o.Source != f.Source || o.Status != want[i] {
			t.Errorf("observation %d is of source %q, %s", i, o.Source, o.Status)
		}
	}
	if diff := cmp.Diff(one("A").Labels, got[0].Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got[0].URL != "http://monitor/A" {
		t.Errorf("url = %q", got[0].URL)
	}
}

func (f Format) keepsOrder(t *testing.T) {
	body := f.Body(one("A"), one("B"), one("A"))
	first, err := f.Adapter.Parse(body, source.Limits{})
	if err != nil {
		t.Fatal(fault.Message(err))
	}
	again, _ := f.Adapter.Parse(body, source.Limits{})
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same body gave something else (-first +again):\n%s", diff)
	}
	if first[0].Key != first[2].Key || first[0].Key == first[1].Key {
		t.Errorf("keys = %q, %q, %q; the same labels have the same key, others another", first[0].Key, first[1].Key, first[2].Key)
	}
	if none, err := f.Adapter.Parse(f.Body(), source.Limits{}); err != nil || len(none) != 0 {
		t.Errorf("no alerts gave %v, %v", none, err)
	}
}

func (f Format) limits(t *testing.T) {
	body := f.Body(several(10)...)
	long := one("A")
	long.Labels["long"] = strings.Repeat("x", 101)
	wide := one("A")
	for i := range 5 {
		wide.Labels[fmt.Sprintf("l%d", i)] = "x"
	}
	tests := map[string]struct {
		body   []byte
		limits source.Limits
		kind   fault.Kind
		text   string
	}{
		"bytes":          {body, source.Limits{Bytes: int64(len(body)) - 1}, fault.TooLarge, fmt.Sprint(len(body) - 1)},
		"alerts":         {body, source.Limits{Alerts: 9}, fault.TooLarge, "9"},
		"field":          {f.Body(one("Z"), long), source.Limits{Field: 100}, fault.Invalid, f.Label(1, "long")},
		"labels":         {f.Body(wide), source.Limits{Labels: 6}, fault.Invalid, "at most 6"},
		"default bytes":  {make([]byte, source.DefaultLimits.Bytes+1), source.Limits{}, fault.TooLarge, fmt.Sprint(source.DefaultLimits.Bytes)},
		"default alerts": {f.Body(several(source.DefaultLimits.Alerts + 1)...), source.Limits{}, fault.TooLarge, fmt.Sprint(source.DefaultLimits.Alerts)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { f.refuses(t, test.body, test.limits, test.kind, test.text) })
	}
	if got, err := f.Adapter.Parse(body, source.Limits{Bytes: int64(len(body)), Alerts: 10}); err != nil || len(got) != 10 {
		t.Errorf("just within the limits gave %d observations, %v", len(got), err)
	}
}

// namesFields breaks three fields of two alerts by replacing texts in the body,
// and wants all three named.
func (f Format) namesFields(t *testing.T) {
	marked := one("A")
	marked.Labels["port"] = "PORT"
	other := one("B")
	other.URL = "ADDRESS"
	text := string(f.Body(marked, other, one("C")))
	text = strings.Replace(text, `"PORT"`, `8080`, 1)
	text = strings.Replace(text, `"ADDRESS"`, `["x"]`, 1)
	text = replaceLast(text, statusWord(text), "sleeping")
	_, err := f.Adapter.Parse([]byte(text), source.Limits{})
	var paths []string
	for _, p := range fault.ProblemsOf(err) {
		paths = append(paths, p.Path)
	}
	slices.Sort(paths)
	want := []string{f.Label(0, "port"), f.URL(1), f.Status(2)}
	slices.Sort(want)
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("named (-want +got):\n%s\nof %s", diff, text)
	}
}

func statusWord(body string) string {
	if strings.Contains(body, `"firing"`) {
		return "firing"
	}
	return "open"
}

func replaceLast(text, old, new string) string {
	i := strings.LastIndex(text, old)
	return text[:i] + new + text[i+len(old):]
}

func (f Format) notJSON(t *testing.T) {
	whole := f.Body(several(3)...)
	for name, body := range map[string]string{
		"nothing": "", "space": " \n", "text": "hello", "cut off": string(whole[:len(whole)-2]), "twice": string(whole) + string(whole),
		"trailing": string(whole) + "x", "a number": "1", "null": "null", "a text": `"x"`, "form": "a=b&c=d", "xml": "<alert/>",
		"deep": strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
	} {
		t.Run(name, func(t *testing.T) { f.refuses(t, []byte(body), source.Limits{}, fault.Invalid, "") })
	}
}

func (f Format) texts(t *testing.T) {
	marked := one("A")
	marked.Labels["odd"] = "MARK"
	body := string(f.Body(one("Z"), marked))
	for name, text := range map[string]string{
		"NUL": `\u0000`, "not UTF-8": "\xff\xfe", "cut UTF-8": "\xc3",
		"first half": `\ud800`, "second half": `\uDFFF`, "halves the wrong way round": `\ude00\ud83d`, "half before a text": `\ud83d\u0041`,
	} {
		t.Run(name, func(t *testing.T) {
			f.refuses(t, []byte(strings.Replace(body, "MARK", text, 1)), source.Limits{}, fault.Invalid, f.Label(1, "odd"))
		})
	}
}

// halves has texts that a decoder makes U+FFFD of, and others that only look alike.
func (f Format) halves(t *testing.T) {
	marked := one("A")
	marked.Labels["odd"] = "MARK"
	body := string(f.Body(marked))
	for text, want := range map[string]string{
		`\ud83d\ude00`: "😀", `\uD83D\uDE00\ud83d\ude00`: "😀😀", `\ufffd`: "\uFFFD", "\uFFFD": "\uFFFD", `\\ud800`: `\ud800`, `\\\ud83d\ude00`: `\😀`,
	} {
		got, err := f.Adapter.Parse([]byte(strings.Replace(body, "MARK", text, 1)), source.Limits{})
		if err != nil || got[0].Labels["odd"] != want {
			t.Errorf("%s gave %v, %v; want %q", text, got, err, want)
		}
	}
	named := strings.Replace(body, `"odd"`, `"\ud800"`, 1)
	f.refuses(t, []byte(named), source.Limits{}, fault.Invalid, "surrogate")
	two := strings.Replace(body, `"odd":"MARK"`, `"\ud800":"1","\ud801":"1"`, 1)
	f.refuses(t, []byte(two), source.Limits{}, fault.Invalid, "surrogate")
}

func (f Format) refuses(t *testing.T, body []byte, limits source.Limits, kind fault.Kind, text string) {
	t.Helper()
	got, err := f.Adapter.Parse(body, limits)
	if err == nil || fault.KindOf(err) != kind || got != nil {
		t.Fatalf("gave %d observations and %v; want none and an error of kind %v", len(got), err, kind)
	}
	if !strings.Contains(fault.Message(err), text) {
		t.Errorf("the message does not name %q: %s", text, fault.Message(err))
	}
}

// Check fails the test where an observation is not fit to be stored.
func Check(t testing.TB, observations []alert.Observation) {
	t.Helper()
	for i, o := range observations {
		switch {
		case o.Source == "" || o.Key == "" || len(o.Key) > source.MaxKey:
			t.Errorf("observation %d: source %q, key %q", i, o.Source, o.Key)
		case o.Status != alert.Open && o.Status != alert.Closed:
			t.Errorf("observation %d: status %q", i, o.Status)
		}
		for _, at := range []time.Time{o.StartsAt, o.EndsAt} {
			if at.Location() != time.UTC || at.Nanosecond()%1000 != 0 || !at.IsZero() && at.Year() < 1970 {
				t.Errorf("observation %d: time %v cannot be stored", i, at)
			}
		}
		checkContent(t, i, o)
	}
}

func checkContent(t testing.TB, i int, o alert.Observation) {
	t.Helper()
	text, err := json.Marshal(o.Content)
	if err != nil {
		t.Fatalf("observation %d: %v", i, err)
	}
	var back alert.Content
	if err := json.Unmarshal(text, &back); err != nil || !back.Equal(o.Content) {
		t.Errorf("observation %d does not survive storage: %s", i, text)
	}
	if !utf8.ValidString(o.Key) || strings.Contains(string(text), `\u0000`) && strings.ContainsRune(o.Key+o.Summary+o.Severity, 0) {
		t.Errorf("observation %d has texts that cannot be stored", i)
	}
}

// Fuzz checks what must hold for any body whatever.
func Fuzz(t *testing.T, a source.Adapter, body []byte) {
	got, err := a.Parse(body, source.Limits{Alerts: 50, Labels: 20, Field: 2000})
	if err == nil {
		Check(t, got)
		return
	}
	if kind := fault.KindOf(err); (kind != fault.Invalid && kind != fault.TooLarge) || got != nil {
		t.Errorf("gave %d observations and an error of kind %v: %v", len(got), kind, err)
	}
	if !utf8.ValidString(fault.Message(err)) {
		t.Errorf("the message is not text: %q", fault.Message(err))
	}
}
