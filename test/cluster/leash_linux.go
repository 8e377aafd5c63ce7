package cluster

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// onLeash starts a process that the kernel kills when this one ends, in whatever
// way: a test that is interrupted, killed or out of time cleans nothing up.
func onLeash(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	answer := make(chan error, 1)
	starts() <- func() { answer <- cmd.Start() }
	return <-answer
}

// starts is served by one thread that stays: the kernel takes the end of the thread
// that started a process for the end of its parent.
var starts = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range work {
			start()
		}
	}()
	return work
})
