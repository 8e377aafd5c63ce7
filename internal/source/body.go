package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tieline/internal/fault"
)

const (
	// MaxKey bounds an observation's key, in bytes: databases index it.
	MaxKey = 1024
	// maxProblems bounds how many problems one answer lists.
	maxProblems = 100
	// broken stands in for bytes that are not UTF-8 and for lone halves of surrogate
	// pairs, so that the field they are in can be named. It is a noncharacter, which
	// no text may contain anyway.
	broken = '\uFDD1'
	// notText says what broken stood in for.
	notText = "not valid UTF-8, or half of a surrogate pair"
)

// Or fills in DefaultLimits where a limit is 0.
func (l Limits) Or(defaults Limits) Limits {
	pick := func(n, otherwise int) int {
		if n > 0 {
			return n
		}
		return otherwise
	}
	if l.Bytes <= 0 {
		l.Bytes = defaults.Bytes
	}
	l.Alerts, l.Field, l.Labels = pick(l.Alerts, defaults.Alerts), pick(l.Field, defaults.Field), pick(l.Labels, defaults.Labels)
	return l
}

// Body is a JSON request body being read: values are fetched by path, what is
// wrong with them is collected, and Err tells all of it at the end.
type Body struct {
	Root     any
	limits   Limits
	problems []fault.Problem
	more     int
	invalid  bool // broken stands somewhere
}

// ReadBody decodes a JSON body. The error is of kind fault.TooLarge or Invalid.
func ReadBody(body []byte, limits Limits) (*Body, error) {
	b := &Body{limits: limits.Or(DefaultLimits)}
	if int64(len(body)) > b.limits.Bytes {
		return nil, fault.New(fault.TooLarge, fmt.Sprintf("the body has more than %d bytes", b.limits.Bytes)).
			WithNext("Send fewer alerts in one request.")
	}
	if b.invalid = !utf8.Valid(body); b.invalid {
		body = bytes.ToValidUTF8(body, []byte(string(broken)))
	}
	body, halves := breakHalves(body)
	b.invalid = b.invalid || halves
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&b.Root); err != nil {
		return nil, notJSON(body, err)
	}
	if rest := bytes.TrimSpace(body[decoder.InputOffset():]); len(rest) > 0 {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("the body goes on after its JSON value, at byte %d", decoder.InputOffset()))
	}
	b.once(body)
	return b, nil
}

func notJSON(body []byte, err error) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return fault.New(fault.Invalid, "the body is empty; JSON is needed")
	}
	msg := "the body is not JSON"
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		msg += fmt.Sprintf(": %s, at byte %d", syntax.Error(), syntax.Offset)
	} else {
		msg += ": it ends too early"
	}
	return fault.Wrap(fault.Invalid, err, msg)
}

// Fail notes what is wrong with the value at a path.
func (b *Body) Fail(path, format string, args ...any) {
	if len(b.problems) == maxProblems {
		b.more++
		return
	}
	b.problems = append(b.problems, fault.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Err returns what is wrong with the body, nil when nothing is.
func (b *Body) Err() error {
	if b.invalid && len(b.problems) == 0 {
		b.noteBroken(b.Root, "")
	}
	if b.more > 0 {
		b.problems = append(b.problems, fault.Problem{Message: fmt.Sprintf("and %d more", b.more)})
	}
	return fault.InvalidInput("the request is not valid; nothing of it was taken", b.problems)
}

// noteBroken notes the texts that are broken where nobody reads them.
func (b *Body) noteBroken(value any, path string) {
	switch v := value.(type) {
	case string:
		if strings.ContainsRune(v, broken) {
			b.Fail(path, notText)
		}
	case []any:
		for i, inner := range v {
			b.noteBroken(inner, fmt.Sprintf("%s[%d]", path, i))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			at := Join(path, key)
			b.noteBroken(key, at)
			b.noteBroken(v[key], at)
		}
	}
}

// Object returns the object at a path, nil with a problem when it is none.
func (b *Body) Object(value any, path string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		b.Fail(path, "expected an object, found %s", kindOf(value))
	}
	return object
}

// Alerts returns the list of alerts at a path, at most as many as the limit.
func (b *Body) Alerts(value any, path string) ([]any, error) {
	list, ok := value.([]any)
	if !ok {
		b.Fail(path, "expected a list, found %s", kindOf(value))
	}
	if len(list) > b.limits.Alerts {
		return nil, fault.New(fault.TooLarge, fmt.Sprintf("the request has %d alerts; at most %d are taken in one", len(list), b.limits.Alerts)).
			WithNext("Send them in several requests.")
	}
	return list, nil
}

// Only notes the keys of an object that are not known.
func (b *Body) Only(object map[string]any, path string, known ...string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, key) {
			b.Fail(Join(path, key), "unknown field; known are %s", strings.Join(known, ", "))
		}
	}
}

// Text returns a text of an object, "" when it is absent or null.
func (b *Body) Text(object map[string]any, path, key string) string {
	return b.text(object[key], path, key)
}

func (b *Body) text(value any, path, key string) string {
	if value == nil {
		return ""
	}
	text, ok := value.(string)
	if !ok {
		b.Fail(Join(path, key), "expected a text, found %s", kindOf(value))
		return ""
	}
	b.check(text, path, key)
	return text
}

// check notes texts that no database or remote system could hold. The path is
// joined only where something is wrong: most texts are fine.
func (b *Body) check(text, path, key string) {
	switch {
	case len(text) > b.limits.Field:
		b.Fail(Join(path, key), "%d bytes are too many; at most %d", len(text), b.limits.Field)
	case strings.ContainsRune(text, 0):
		b.Fail(Join(path, key), "a NUL character is not allowed")
	case strings.ContainsRune(text, broken):
		b.Fail(Join(path, key), notText)
	}
}

// Texts returns an object of texts (labels, annotations), nil when it is absent,
// null or empty.
func (b *Body) Texts(object map[string]any, path, key string) map[string]string {
	value, path := object[key], Join(path, key)
	if value == nil {
		return nil
	}
	table := b.Object(value, path)
	if len(table) > b.limits.Labels {
		b.Fail(path, "%d entries are too many; at most %d", len(table), b.limits.Labels)
		return nil
	}
	if len(table) == 0 {
		return nil
	}
	before := len(b.problems)
	texts := make(map[string]string, len(table))
	for name, value := range table {
		b.check(name, path, name)
		if name == "" {
			b.Fail(path, "a name is empty")
		}
		if value == nil {
			b.Fail(Join(path, name), "expected a text, found null")
		}
		texts[name] = b.text(value, path, name)
	}
	slices.SortStableFunc(b.problems[before:], func(p, q fault.Problem) int { return strings.Compare(p.Path, q.Path) })
	return texts
}

// Count returns a whole number of an object that is not negative, 0 when it is
// absent or null.
func (b *Body) Count(object map[string]any, path, key string) int {
	value := object[key]
	if value == nil {
		return 0
	}
	if number, ok := value.(json.Number); ok {
		if n, err := strconv.ParseUint(number.String(), 10, 31); err == nil {
			return int(n)
		}
	}
	b.Fail(Join(path, key), "expected a whole number that is not negative")
	return 0
}

// Time returns an RFC 3339 time of an object in UTC to the microsecond, the
// zero time when it is absent, null, "" or Go's zero time, 0001-01-01T00:00:00Z,
// which some programs write for "none". Any other up to the first moment of 1970 is
// refused: it is a mistake, and could not be stored.
func (b *Body) Time(object map[string]any, path, key string) time.Time {
	t := b.time(object, path, key)
	if !t.IsZero() && t.UnixMicro() <= 0 {
		b.Fail(Join(path, key), "the time is not after the beginning of 1970; leave it out where there is none")
		return time.Time{}
	}
	return t
}

// ToldTime is Time for a source that passes on what others wrote: refusing it
// would lose the alert, so that a time up to the first moment of 1970 is none.
func (b *Body) ToldTime(object map[string]any, path, key string) time.Time {
	if t := b.time(object, path, key); t.UnixMicro() > 0 {
		return t
	}
	return time.Time{}
}

func (b *Body) time(object map[string]any, path, key string) time.Time {
	text := b.Text(object, path, key)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		b.Fail(Join(path, key), `expected a time such as "2026-01-31T12:00:00Z", found %q`, Short(text))
		return time.Time{}
	}
	if t = t.UTC().Truncate(time.Microsecond); t.Year() > 9999 {
		b.Fail(Join(path, key), "the year %d is too late", t.Year())
	}
	return t
}

// Key notes a key that names nothing, or that databases cannot index. An empty one
// is the caller's to judge.
func (b *Body) Key(text, path, key string) {
	switch {
	case text != "" && strings.TrimSpace(text) == "":
		b.Fail(Join(path, key), "the text is blank; leave it out, or name the problem")
	case len(text) > MaxKey:
		b.Fail(Join(path, key), "%d bytes are too many; at most %d", len(text), MaxKey)
	}
}

// Join appends a key to a path, quoting it where it would read as several.
func Join(path, key string) string {
	plain := key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	switch {
	case !plain:
		return fmt.Sprintf("%s[%q]", path, Short(key))
	case path == "":
		return key
	}
	return path + "." + key
}

// Short cuts a text for a message.
func Short(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}

func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}
