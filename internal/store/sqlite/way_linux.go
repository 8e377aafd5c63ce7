package sqlite

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// shared are the file systems that other hosts may use at the same time, by the
// number the system has for them.
var shared = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB2",
	0x00c36400: "Ceph",
	0x01021997: "9P",
	0x5346414f: "AFS",
	0x7461636f: "OCFS2",
	0x01161970: "GFS2",
}

// network returns the name of the network file system that a folder is on, ""
// when it is on none that is known.
func network(folder string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return "", fmt.Errorf("look at the file system of %s: %w", folder, err)
	}
	return shared[uint32(fs.Type)], nil //nolint:gosec // the number is one of 32 bits
}
