package remote

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// Reader reads kind-specific settings strictly: it collects every problem with
// its path instead of stopping at the first, and knows which keys were asked
// for, so that a misspelt one is found.
type Reader struct {
	path     string
	values   map[string]any
	asked    []string
	problems *[]fault.Problem
}

// NewReader returns a reader of Settings.Values.
func NewReader(values map[string]any) *Reader {
	return &Reader{path: "remote.settings", values: values, problems: new([]fault.Problem)}
}

// Problems returns what was found so far, in the order of asking.
func (r *Reader) Problems() []fault.Problem { return *r.problems }

// Bad reports a problem of a key.
func (r *Reader) Bad(key, format string, args ...any) {
	r.report(r.path+"."+key, format, args...)
}

func (r *Reader) report(path, format string, args ...any) {
	*r.problems = append(*r.problems, fault.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *Reader) get(key string) (any, bool) {
	r.asked = append(r.asked, key)
	v, ok := r.values[key]
	return v, ok && v != nil
}

// Has reports whether the key is there, even if empty.
func (r *Reader) Has(key string) bool {
	_, ok := r.values[key]
	return ok
}

// Text reads a text; numbers and flags are taken as they are written.
func (r *Reader) Text(key, otherwise string) string {
	v, ok := r.get(key)
	if !ok {
		return otherwise
	}
	switch v := v.(type) {
	case string:
		return v
	case int, int64, uint64, float64, bool:
		return fmt.Sprint(v)
	}
	r.Bad(key, "must be a text")
	return otherwise
}

// Required reads a text that must not be empty.
func (r *Reader) Required(key, why string) string {
	v := r.Text(key, "")
	if strings.TrimSpace(v) == "" {
		r.Bad(key, "is required: %s", why)
	}
	return v
}

// OneOf reads a text that must be one of the choices.
func (r *Reader) OneOf(key, otherwise string, choices ...string) string {
	v := r.Text(key, otherwise)
	if !slices.Contains(choices, v) {
		r.Bad(key, "must be one of %s", strings.Join(choices, ", "))
		return otherwise
	}
	return v
}

// Bool reads a flag.
func (r *Reader) Bool(key string) bool {
	v, ok := r.get(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.Bad(key, "must be true or false")
	}
	return b
}

// Int reads a whole number within bounds, both included.
func (r *Reader) Int(key string, otherwise, least, most int) int {
	v, ok := r.get(key)
	if !ok {
		return otherwise
	}
	n, ok := v.(int)
	if !ok || n < least || n > most {
		r.Bad(key, "must be a whole number from %d to %d", least, most)
		return otherwise
	}
	return n
}

// Duration reads a duration as Go writes it ("30s", "5m"), within 0 and a year.
func (r *Reader) Duration(key string, otherwise time.Duration) time.Duration {
	v, ok := r.get(key)
	if !ok {
		return otherwise
	}
	if d, ok := v.(time.Duration); ok {
		return d
	}
	d, err := time.ParseDuration(fmt.Sprint(v))
	if err != nil || d < 0 || d > 365*24*time.Hour {
		r.Bad(key, `must be a duration such as "30s", "5m" or "24h"`)
		return otherwise
	}
	return d
}

// Texts reads a list of texts.
func (r *Reader) Texts(key string, otherwise ...string) []string {
	v, ok := r.get(key)
	if !ok {
		return otherwise
	}
	if list, ok := v.([]string); ok {
		return list
	}
	list, ok := v.([]any)
	if !ok {
		r.Bad(key, "must be a list of texts")
		return otherwise
	}
	texts := make([]string, 0, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok || s == "" {
			r.report(fmt.Sprintf("%s.%s[%d]", r.path, key, i), "must be a text")
			continue
		}
		texts = append(texts, s)
	}
	return texts
}

// TextMap reads a map of texts.
func (r *Reader) TextMap(key string) map[string]string {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	if texts, ok := v.(map[string]string); ok {
		return texts
	}
	values, ok := v.(map[string]any)
	if !ok {
		r.Bad(key, "must be a map of texts")
		return nil
	}
	texts := make(map[string]string, len(values))
	for name, value := range values {
		switch value.(type) {
		case string, int, int64, uint64, float64, bool:
			texts[name] = fmt.Sprint(value)
		default:
			r.Bad(key+"."+name, "must be a text")
		}
	}
	return texts
}

// Ref reads a reference to a secret.
func (r *Reader) Ref(key string) secret.Ref {
	ref := secret.Ref(r.Text(key, ""))
	if err := ref.Check(); err != nil {
		r.Bad(key, "%v", err)
	}
	return ref
}

// Sub returns the reader of a nested map; ok is false when the key is absent.
// Its problems join those of its parent.
func (r *Reader) Sub(key string) (sub *Reader, ok bool) {
	sub = &Reader{path: r.path + "." + key, problems: r.problems}
	v, ok := r.get(key)
	if !ok {
		return sub, false
	}
	sub.values, ok = v.(map[string]any)
	if !ok {
		r.Bad(key, "must be a map of settings")
	}
	return sub, ok
}

// Done reports every key that was never asked for.
func (r *Reader) Done() {
	for key := range r.values {
		if !slices.Contains(r.asked, key) {
			r.Bad(key, "is not a setting here; known are %s", strings.Join(sorted(r.asked), ", "))
		}
	}
	slices.SortStableFunc(*r.problems, func(a, b fault.Problem) int { return strings.Compare(a.Path, b.Path) })
}

func sorted(keys []string) []string {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return slices.Compact(keys)
}
