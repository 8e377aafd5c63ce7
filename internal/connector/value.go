package connector

import (
	"strings"
	"time"
)

// String writes the duration without the empty parts: "5m", not "5m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// IsZero is false, so that a zero duration is written out: in some places it
// means "never", and leaving it out would bring the default back.
func (d Duration) IsZero() bool { return false }

// MarshalYAML implements yaml.Marshaler.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// MarshalYAML implements yaml.Marshaler.
func (v Value) MarshalYAML() (any, error) {
	if v.CEL != "" {
		return map[string]string{"cel": v.CEL}, nil
	}
	return v.Template, nil
}
