package main

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/rogpeppe/go-internal/testscript"

	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/record"
)

// The command itself against the embedded AWS, whose clock stands at noon of
// some day: it speaks by that clock.
func TestScripts_OnTheEmbeddedAWS(t *testing.T) {
	t.Parallel()
	cloud, err := localaws.New(localaws.Config{Clock: clock.NewManual(noon), Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	_, err = record.Open(ssm.NewFromConfig(cloud.AWSConfig()), "shop").Acquire(t.Context(), noon, record.Record{
		Execution: current, Strategy: "canary of 10 % for 5m0s", Started: noon.Add(-10 * time.Minute), Expires: noon.Add(time.Hour),
		Progress: record.Progress{Settled: true, Since: noon.Add(-3 * time.Minute)}, Steps: []record.Step{{Weight: 10, At: noon.Add(-3 * time.Minute)}},
	})
	must(t, err)
	testscript.Run(t, testscript.Params{Dir: "testdata/remote", Setup: func(e *testscript.Env) error {
		e.Vars = append(e.Vars, cloud.Environment()...)
		return nil
	}})
}
