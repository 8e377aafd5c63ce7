//go:build !linux

package sqlite

import "errors"

// watchClose and watchWrite are not to be had here: whoever waits looks at
// short intervals.
func watchClose(string) (closed <-chan struct{}, stop func(), err error) {
	return nil, nil, errors.ErrUnsupported
}

func watchWrite(string) (written <-chan struct{}, stop func(), err error) {
	return nil, nil, errors.ErrUnsupported
}
