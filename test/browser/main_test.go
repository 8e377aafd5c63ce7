package browser

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"tieline/test/cluster"
)

var (
	binary   string          // the tieline that is tested, built once
	axe      string          // axe-core's script
	chromium context.Context // the one browser; every tab has a profile of its own in it
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tieline-browser")
	if err != nil {
		return give(err)
	}
	defer os.RemoveAll(dir)
	if binary, err = cluster.Build(dir); err != nil {
		return give(err)
	}
	script, err := os.ReadFile(os.Getenv("TIELINE_TEST_AXE"))
	if err != nil {
		return give(fmt.Errorf("TIELINE_TEST_AXE names no axe.js (test/peers/axe.sh fetches it): %w", err))
	}
	axe = string(script)
	stop, err := startChromium()
	if err != nil {
		return give(err)
	}
	defer stop()
	defer closeGalleries()
	return m.Run()
}

func give(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// startChromium starts the browser that all tests share.
func startChromium() (stop func(), err error) {
	path := os.Getenv("TIELINE_TEST_CHROMIUM")
	if path == "" {
		return nil, fmt.Errorf("TIELINE_TEST_CHROMIUM names no browser (test/peers/chromium.sh installs one)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.WindowSize(1280, 900))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, close := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	chromium = ctx
	return func() { close(); cancel() }, nil
}
