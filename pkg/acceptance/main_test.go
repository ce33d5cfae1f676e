package acceptance

import (
	"os"
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

// Worlds are many and short-lived: collecting garbage less often makes the tests
// a third faster at a few hundred megabytes.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			println(err.Error())
			status = 1
		}
	}
	os.Exit(status)
}
