package demo_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tieline/internal/cli"
	"tieline/internal/demo"
	"tieline/internal/ledger"
)

// TestMain makes the test's own binary the program whose servers the demo runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(cli.Run(context.Background(), os.Args[1:], cli.System()))
	}
	os.Exit(m.Run())
}

func options(t *testing.T) (demo.Options, *bytes.Buffer) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	out := new(bytes.Buffer)
	return demo.Options{Out: out, Program: program, Duration: 10 * time.Second, Rate: 40, Kill: 3 * time.Second, Restart: 2 * time.Second}, out
}

// TestDemo plays a short demo with real processes: the audit must be clean, and
// the Active must have been killed and followed.
func TestDemo(t *testing.T) {
	o, out := options(t)
	result, err := demo.Run(t.Context(), o)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !result.OK() || result.Promised == 0 || result.Delivered != result.Alerts {
		t.Errorf("the audit found %+v", result)
	}
	if len(result.Failovers) == 0 {
		t.Error("nobody followed the Active that was killed")
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "tieline-demo-*")); len(left) > 0 {
		t.Errorf("the demo left %v behind", left)
	}
}

// interrupter presses Ctrl-C when it is told of an Active.
type interrupter struct {
	bytes.Buffer
	press context.CancelFunc
}

func (i *interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("is Active")) {
		i.press()
	}
	return i.Buffer.Write(p)
}

func TestCtrlCAuditsEarly(t *testing.T) {
	o, _ := options(t)
	ctx, press := context.WithCancel(t.Context())
	defer press()
	o.Out, o.Duration = &interrupter{press: press}, time.Hour
	result, err := demo.Run(ctx, o)
	if err != nil || !result.OK() {
		t.Errorf("after Ctrl-C: %+v, %v", result, err)
	}
}

func TestServersThatDoNotStart(t *testing.T) {
	o, _ := options(t)
	o.Program = "/none"
	if _, err := demo.Run(t.Context(), o); err == nil {
		t.Error("a demo without a program was played")
	}
}

func TestResult(t *testing.T) {
	var out bytes.Buffer
	good := &demo.Result{Report: ledger.Report{Counts: ledger.Counts{Promised: 3, Alerts: 1, Requests: 2, Delivered: 1}}}
	good.Print(&out)
	if !good.OK() || !strings.Contains(out.String(), "Nothing lost") {
		t.Errorf("a clean audit says\n%s", out.String())
	}
	for name, bad := range map[string]*demo.Result{
		"lost":         {Report: ledger.Report{Lost: []string{"a"}}},
		"doubled":      {Report: ledger.Report{Doubled: []string{"a"}}},
		"out of order": {Report: ledger.Report{OutOfOrder: []string{"a"}}},
		"parked":       {Parked: 1},
	} {
		out.Reset()
		bad.Print(&out)
		if bad.OK() || !strings.Contains(out.String(), "FAILED") {
			t.Errorf("%s: OK = %v, and it says\n%s", name, bad.OK(), out.String())
		}
	}
}
