// Command tieline is a highly available alert connector: the service, and the
// tools around it. See "tieline --help".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tieline/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once: whoever asks twice means it.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.System()))
}
