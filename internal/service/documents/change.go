package documents

import (
	"fmt"

	"tieline/internal/connector/edit"
	"tieline/internal/fault"
)

// Set is the change that puts a value at a path ("remote.poll",
// `fields["Alert Source"]`). Its error is fault.Invalid: the text is no path.
func Set(path string, value any) (Change, error) {
	p, err := pathOf(path)
	return func(t *edit.Text) error { return t.Set(p, value) }, err
}

// Remove is the change that takes away what stands at a path.
func Remove(path string) (Change, error) {
	p, err := pathOf(path)
	return func(t *edit.Text) error { t.Remove(p); return nil }, err
}

// Append is the change that adds an item to the list at a path.
func Append(path string, value any) (Change, error) {
	p, err := pathOf(path)
	return func(t *edit.Text) error { return t.Append(p, value) }, err
}

// Move is the change that moves an item of the list at a path, counted from 0.
func Move(path string, from, to int) (Change, error) {
	p, err := pathOf(path)
	return func(t *edit.Text) error { t.Move(p, from, to); return nil }, err
}

func pathOf(text string) (edit.Path, error) {
	p, err := edit.ParsePath(text)
	if err == nil && len(p) == 0 {
		err = fmt.Errorf("a path is needed")
	}
	if err != nil {
		return nil, fault.InvalidInput("the change is not valid", []fault.Problem{{Path: "path", Message: err.Error()}})
	}
	return p, nil
}

// SetBlock is the change that puts a part of a document, written as YAML, at a path.
func SetBlock(path, text string) (Change, error) {
	p, err := pathOf(path)
	return func(t *edit.Text) error { return t.SetBlock(p, text) }, err
}
