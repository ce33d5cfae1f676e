package acceptance

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// Worlds are many and short-lived: collecting garbage less often makes the tests
// a third faster at a few hundred megabytes. A release waits for loopback more
// than it computes, so several run for each processor.
func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400)
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		parallel.Value.Set(strconv.Itoa(4 * runtime.GOMAXPROCS(0)))
	}
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}
