// Command bootstrap is a function that does what its event says, for the tests of
// package lambda.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type order struct {
	Print []string
	Env   []string
	Sleep time.Duration
	Do    string
}

type report struct {
	Calls     int
	PID       int
	Env       map[string]string
	All       []string
	RequestID string
	ARN       string
	Trace     string
	Deadline  time.Time
}

func main() {
	if os.Getenv("INIT") == "exit" {
		fmt.Println("no settings")
		os.Exit(3)
	}
	calls := 0
	lambda.Start(func(ctx context.Context, o order) (report, error) {
		calls++
		for _, line := range o.Print {
			fmt.Println(line)
		}
		time.Sleep(o.Sleep)
		switch o.Do {
		case "fail":
			return report{}, errors.New("out of luck")
		case "panic":
			panic("at the disco")
		case "exit":
			os.Exit(7)
		case "child":
			if err := exec.Command("/bin/sleep", "600").Start(); err != nil {
				return report{}, err
			}
		}
		lc, _ := lambdacontext.FromContext(ctx)
		r := report{Calls: calls, PID: os.Getpid(), Env: map[string]string{}, RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, All: os.Environ()}
		r.Trace, _ = ctx.Value("x-amzn-trace-id").(string)
		r.Deadline, _ = ctx.Deadline()
		for _, name := range o.Env {
			r.Env[name] = os.Getenv(name)
		}
		return r, nil
	})
}
