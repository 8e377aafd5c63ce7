package connector

import (
	"errors"
	"slices"
	"strings"
)

// mistakes are everything that is wrong with one template or expression, in its
// order, for the person who wrote it.
type mistakes []string

func (m mistakes) Error() string { return strings.Join(m, "; ") }

// orNil is the mistakes as an error, nil when there are none.
func (m mistakes) orNil() error {
	if len(m) == 0 {
		return nil
	}
	return m
}

// note adds a mistake once; nil adds none.
func (m *mistakes) note(err error) {
	if err == nil {
		return
	}
	for _, one := range mistakesOf(err) {
		if !slices.Contains(*m, one) {
			*m = append(*m, one)
		}
	}
}

func mistakesOf(err error) mistakes {
	var several mistakes
	if errors.As(err, &several) {
		return several
	}
	return mistakes{err.Error()}
}

// each adds a problem for every mistake.
func (f *findings) each(path string, err error) {
	for _, one := range mistakesOf(err) {
		f.add(path, "%s", one)
	}
}
