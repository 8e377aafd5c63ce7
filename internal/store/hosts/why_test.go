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
	"testing/synctest"
	"time"
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

// TestEach: several hosts are told with their names, one without.
func TestEach(t *testing.T) {
	at := func(host, cause, next string) error { return &At{host, &Reason{cause, next}} }
	why := func(err error) (string, string) {
		var r *Reason
		if errors.As(err, &r) {
			return r.Cause, r.Next
		}
		return "", ""
	}
	for _, tt := range []struct {
		err         error
		cause, next string
	}{
		{errors.Join(at("a", "is full", "empty it")), "is full", "empty it"},
		{errors.Join(at("a", "is full", "empty it"), at("b", "b is old", "fence b")), "a: is full; b is old", "empty it; fence b"},
		{errors.Join(at("a", "is full", "empty it"), at("b", "is full", "empty it")), "a: is full; b: is full", "empty it"},
		{errors.Join(&At{"a", io.EOF}, at("b", "is full", "empty it")), "a: it does not answer; b: is full", "empty it"},
		{errors.Join(io.EOF, io.EOF), "", ""},
	} {
		if cause, next := Each(tt.err, why); cause != tt.cause || next != tt.next {
			t.Errorf("%v: %q, %q, want %q, %q", tt.err, cause, next, tt.cause, tt.next)
		}
	}
}

// TestOthers: every host but one is asked, and none is waited for longer than the
// limit.
func TestOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		all := Others(t.Context(), 4, 1, time.Second, func(ctx context.Context, at int) (int, error) {
			if at == 2 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return at, nil
		})
		if took := time.Since(began); took != time.Second || len(all) != 3 {
			t.Fatalf("%v after %v", all, took)
		}
		if all[0].Got != 0 || all[2].Got != 3 || all[2].At != 3 || !errors.Is(all[1].Err, context.DeadlineExceeded) {
			t.Errorf("answered: %+v", all)
		}
	})
}
