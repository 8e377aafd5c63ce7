package sqlite

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watchClose tells when a descriptor that may write the file was closed, or the
// file removed; the system does the former for a process that dies.
func watchClose(path string) (closed <-chan struct{}, stop func(), err error) {
	return watch(path, unix.IN_CLOSE_WRITE|unix.IN_DELETE_SELF)
}

// watchWrite tells when the file was written.
func watchWrite(path string) (written <-chan struct{}, stop func(), err error) {
	return watch(path, unix.IN_MODIFY)
}

func watch(path string, mask uint32) (told <-chan struct{}, stop func(), err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil, fmt.Errorf("watch %s: %w", path, err)
	}
	if _, err := unix.InotifyAddWatch(fd, path, mask); err != nil {
		_ = unix.Close(fd)
		return nil, nil, fmt.Errorf("watch %s: %w", path, err)
	}
	events := os.NewFile(uintptr(fd), "inotify") // non-blocking: Close ends a Read
	tell, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			if _, err := events.Read(buf); err != nil {
				return
			}
			select {
			case tell <- struct{}{}:
			default:
			}
		}
	}()
	return tell, func() { _ = events.Close(); <-ended }, nil
}
