package connector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"tieline/internal/fault"
)

// MaxSize bounds a document's text, in bytes.
const MaxSize = 256 << 10

// Check finds further problems of a document, which need knowledge this package
// does not have: whether an adapter of the kind exists, and what its settings
// must look like.
type Check func(*Document) []fault.Problem

// Parse reads a document, fills in the defaults and validates it. Its error is
// a *fault.Error: TooLarge, or Invalid with every problem found, those of the
// checks included.
func Parse(text []byte, checks ...Check) (*Document, error) {
	if len(text) > MaxSize {
		return nil, fault.New(fault.TooLarge, tooLarge(text))
	}
	doc, problems := Examine(text, checks...)
	switch {
	case len(problems) == 0:
		return doc, nil
	case doc == nil:
		return nil, fault.InvalidInput("the connector document cannot be read", problems)
	default:
		return nil, fault.InvalidInput(title(doc)+" is not valid", problems)
	}
}

// Examine reads a document as Parse does, and returns as much of it as could be
// read, defaults filled in, beside every problem: what an editor shows of a
// document that is being written. The document is nil when the text is too
// large or no YAML.
func Examine(text []byte, checks ...Check) (*Document, []fault.Problem) {
	if len(text) > MaxSize {
		return nil, []fault.Problem{{Message: tooLarge(text)}}
	}
	root, problem := readTree(text)
	if problem != nil {
		return nil, []fault.Problem{*problem}
	}
	doc := new(Document)
	d := decoder{given: make(map[string]bool)}
	d.decode(root, reflect.ValueOf(doc).Elem(), "")
	setDefaults(doc, d.given)

	_, found := compile(doc)
	for _, check := range checks {
		found = append(found, besides(check(doc), found)...)
	}
	return doc, append(d.problems, without(found, d.problems)...)
}

func tooLarge(text []byte) string {
	return fmt.Sprintf("the connector document has %d bytes; at most %d are read", len(text), MaxSize)
}

// Marshal writes the canonical text of a document: what Parse gives back the
// same document for.
func Marshal(doc *Document) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("write connector document %s: %w", doc.Name, err)
	}
	return b.Bytes(), nil
}

func readTree(text []byte) (*yaml.Node, *fault.Problem) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, &fault.Problem{Message: "the document is empty"}
	case err != nil:
		return nil, &fault.Problem{Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &fault.Problem{Message: "a second document follows after ---; apply each connector by itself"}
	}
	return document.Content[0], nil
}

// without drops the problems at, or inside, paths that another problem is
// already told of: a value that could not be read is not also missing.
func without(problems, told []fault.Problem) []fault.Problem {
	var kept []fault.Problem
	for _, p := range problems {
		if !covered(p.Path, told) {
			kept = append(kept, p)
		}
	}
	return kept
}

// besides drops the problems of paths that have one already: what is no address
// at all need not be told that it is none of the kind's either.
func besides(problems []fault.Problem, told findings) []fault.Problem {
	return slices.DeleteFunc(problems, func(p fault.Problem) bool {
		return slices.ContainsFunc(told, func(t fault.Problem) bool { return t.Path == p.Path })
	})
}

func covered(path string, told []fault.Problem) bool {
	for _, t := range told {
		rest, inside := strings.CutPrefix(path, t.Path)
		if inside && (rest == "" || t.Path == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

func title(doc *Document) string {
	if doc.Name == "" {
		return "the connector document"
	}
	return "connector document " + doc.Name
}
