//go:build !windows

package files

import "os"

// syncDirectory makes a renaming in the directory survive a power failure.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
