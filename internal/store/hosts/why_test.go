package hosts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestWhy(t *testing.T) {
	dial := func(err error) error { return fmt.Errorf("host: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	for _, tt := range []struct {
		err         error
		cause, next string
	}{
		{dial(&net.DNSError{Name: "db", IsNotFound: true}), "db is not known", "name service"},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "nothing listens", "start the database server"},
		{dial(os.NewSyscallError("connect", syscall.ENOENT)), "no such socket", "its socket"},
		{dial(os.ErrDeadlineExceeded), "does not answer", "firewall"},
		{dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "no route", "host and the port"},
		{io.EOF, "as a Such server does", "is it a Such server?"},
		{errors.Join(errors.New("the login"), context.DeadlineExceeded), "says nothing", "is it a Such server, and well?"},
		{errors.New("something else"), "", ""},
	} {
		cause, next := Why(tt.err, "a Such server", func(err error) bool { return errors.Is(err, io.EOF) })
		if !strings.Contains(cause, tt.cause) || !strings.Contains(next, tt.next) || tt.cause == "" && cause+next != "" {
			t.Errorf("%v: %q, %q", tt.err, cause, next)
		}
	}
}
