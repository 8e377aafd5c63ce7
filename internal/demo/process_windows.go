package demo

import (
	"os/exec"
	"syscall"
)

// detach keeps a Ctrl-C meant for the demo away from its servers: they must
// live on while the demo audits.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminate has no gentle form here.
