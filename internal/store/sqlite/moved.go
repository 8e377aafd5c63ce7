package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tieline/internal/fault"
)

// file is a database file as it was opened.
type file struct {
	path   string
	opened os.FileInfo
}

func openedFile(path string) (file, error) {
	info, err := os.Stat(path)
	return file{path, info}, err
}

// moved tells when the path names another file by now, or none: what is written
// to the one that is open would be seen by nobody, and lost with the last process
// that has it. The other is not opened beside it: the log of the first still lies
// where SQLite would take it for that of the other, and damage it.
func (f file) moved() error {
	now, err := os.Stat(f.path)
	var what string
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what = "was removed"
	case err != nil || os.SameFile(f.opened, now):
		return nil // what else is wrong shows when it is used
	default:
		what = "was replaced by another"
	}
	return fault.New(fault.Unavailable, fmt.Sprintf("the database file %s %s while it was open; nothing more is written to it", f.path, what)).
		WithNext("Stop every server, put the file that is to be used in its place without the -wal and -shm files of another, and start them again.")
}
