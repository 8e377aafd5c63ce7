// Package secret holds credentials so that they cannot be printed by accident,
// and resolves the references by which configuration names them.
//
// A connector document never contains a secret, only a reference: "env:NAME"
// or "file:/path". Documents can therefore be shown, diffed and exported.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

const redacted = "[redacted]"

// String is a secret text. Every way of printing it (fmt, slog, JSON, YAML)
// gives "[redacted]"; Reveal is the only way to its value.
type String struct{ value string }

// New wraps a secret value.
func New(value string) String { return String{value} }

// Reveal returns the value. Call it where the secret leaves for its peer, nowhere else.
func (s String) Reveal() string { return s.value }

// IsZero reports whether there is no secret.
func (s String) IsZero() bool { return s.value == "" }

// Equal compares in constant time, whatever the lengths.
func (s String) Equal(candidate string) bool {
	a, b := sha256.Sum256([]byte(s.value)), sha256.Sum256([]byte(candidate))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String implements fmt.Stringer.
func (s String) String() string { return redacted }

// GoString implements fmt.GoStringer, for %#v.
func (s String) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb reaches the field.
func (s String) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText implements encoding.TextMarshaler, and by it JSON and YAML.
func (s String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (s String) LogValue() slog.Value { return slog.StringValue(redacted) }

// Ref names a secret: "env:NAME" or "file:/path". The empty Ref names none.
type Ref string

// Check reports what is wrong with the form of the reference, without resolving it.
func (r Ref) Check() error {
	if r == "" {
		return nil
	}
	kind, name, ok := strings.Cut(string(r), ":")
	if !ok || name == "" || (kind != "env" && kind != "file") {
		// The text itself may be a secret pasted in the wrong place: do not repeat it.
		return fmt.Errorf(`a secret is given by reference: "env:NAME" or "file:/path"`)
	}
	return nil
}

// Resolve reads the secret. A file's trailing newline is dropped. An unset or
// empty secret is an error that names the reference.
func (r Ref) Resolve() (String, error) {
	if r == "" {
		return String{}, nil
	}
	if err := r.Check(); err != nil {
		return String{}, err
	}
	kind, name, _ := strings.Cut(string(r), ":")
	var value string
	if kind == "env" {
		value = os.Getenv(name)
	} else {
		b, err := os.ReadFile(name)
		if err != nil {
			return String{}, fmt.Errorf("read secret: %w", err)
		}
		value = strings.TrimRight(string(b), "\r\n")
	}
	if value == "" {
		return String{}, fmt.Errorf("secret %s is not set", r)
	}
	return String{value}, nil
}
