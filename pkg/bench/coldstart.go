package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// starts is how often each function is started; the first start of each, which
// reads the file from disk, is not counted.
const starts = 60

// ticks is how many more jobs a function answers before its memory is read again.
const ticks = 100

// functions measures each function's start next to the reference's, in turns.
func functions(ctx context.Context, built artifacts) error {
	aws, err := newAnswers()
	if err != nil {
		return err
	}
	defer aws.close()
	measured := []*coldStarts{{function: built.reference, event: []byte("{}")}}
	for _, f := range built.functions {
		event, err := jobEvent()
		if err != nil {
			return err
		}
		measured = append(measured, &coldStarts{function: f, event: event, reports: true})
	}
	for round := range starts + 1 {
		for i := range measured {
			m := measured[(i+round)%len(measured)] // in another order each time
			if err := m.start(ctx, aws, round); err != nil {
				return fmt.Errorf("start %s: %w", m.function.id, err)
			}
		}
	}
	if err := aws.check(); err != nil {
		return err
	}
	return printFunctions(measured)
}

// coldStarts are the starts of one function.
type coldStarts struct {
	function
	event   []byte
	reports bool // each event is a job that has to be reported on

	first          durations
	cpu            durations // that it took on the way there
	next           durations // answers of a process that runs already
	fresh, settled memory    // after the first answer, and after many
}

// memory is what a process takes, in bytes: now and at its peak.
type memory struct{ now, peak int64 }

// start runs the function in a new process until it has answered one event, and
// in the last round many more.
func (m *coldStarts) start(ctx context.Context, aws *answers, round int) (err error) {
	api, err := newRuntime()
	if err != nil {
		return err
	}
	defer api.close()
	cmd := exec.CommandContext(ctx, m.bootstrap)
	cmd.Env = append(aws.environment(), "AWS_LAMBDA_RUNTIME_API="+api.address, "AWS_LAMBDA_FUNCTION_NAME="+m.id)
	api.events <- m.event
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	defer func() {
		cmd.Process.Kill() // an error means that it is gone already
		<-exited
		if err == nil && round > 0 && round < starts {
			m.cpu = append(m.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
	}()
	if err := m.await(ctx, api, exited, aws); err != nil {
		return err
	}
	took := api.answered.Sub(began)
	if round == 0 {
		return nil
	}
	m.first = append(m.first, took)
	m.fresh = m.fresh.max(memoryOf(cmd.Process.Pid))
	if round < starts {
		return nil
	}
	for range ticks {
		began := time.Now()
		api.events <- m.event
		if err := m.await(ctx, api, exited, aws); err != nil {
			return err
		}
		m.next = append(m.next, api.answered.Sub(began))
	}
	m.settled = memoryOf(cmd.Process.Pid)
	return nil
}

// await waits for an answer that is right.
func (m *coldStarts) await(ctx context.Context, api *runtimeAPI, exited chan error, aws *answers) error {
	select {
	case fault := <-api.done:
		if fault != "" {
			return fmt.Errorf("it answered with an error: %s", fault)
		}
	case err := <-exited:
		exited <- err
		return fmt.Errorf("it exited: %v", err)
	case <-ctx.Done():
		return ctx.Err()
	}
	if n := aws.takeReports(); m.reports && n != 1 {
		return fmt.Errorf("it made %d reports on one job, not 1", n)
	}
	return nil
}

// jobEvent is what CodePipeline invokes a function with at the start of a
// release, whose load balancer AWS does not find.
func jobEvent() ([]byte, error) {
	parameters, err := json.Marshal(map[string]any{
		"execution": "0a1b2c3d-0000-4000-8000-000000000001", "loadBalancer": missing, "cluster": "hello",
		"services": []string{"hello-blue", "hello-green"},
	})
	if err != nil {
		return nil, err
	}
	location := map[string]any{"type": "S3", "s3Location": map[string]string{"bucketName": bucket, "objectKey": key}}
	return json.Marshal(map[string]any{"CodePipeline.job": map[string]any{
		"id": "0a1b2c3d-0000-4000-8000-000000000002", "accountId": "111122223333",
		"data": map[string]any{
			"actionConfiguration": map[string]any{"configuration": map[string]string{"FunctionName": "function", "UserParameters": string(parameters)}},
			"inputArtifacts":      []any{map[string]any{"name": "Image", "revision": nil, "location": location}},
			"outputArtifacts":     []any{},
			"artifactCredentials": map[string]any{
				"accessKeyId": "ASIAEXAMPLE", "secretAccessKey": "secret", "sessionToken": "token",
				"expirationTime": time.Now().Add(time.Hour).UnixMilli(),
			},
		},
	}})
}

// A runtimeAPI is what one process gets events from.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct {
	address  string
	server   *http.Server
	events   chan []byte
	done     chan string // an error's text, or empty
	answered time.Time   // set before done is sent
}

func newRuntime() (*runtimeAPI, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the runtime: %w", err)
	}
	api := &runtimeAPI{address: listener.Addr().String(), events: make(chan []byte, 1), done: make(chan string, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", api.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) { api.answer(w, r, false) })
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) { api.answer(w, r, true) })
	api.server = &http.Server{Handler: mux}
	go api.server.Serve(listener) // until close
	return api, nil
}

func (api *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	select {
	case event := <-api.events:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", "0a1b2c3d-0000-4000-8000-000000000003")
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:111122223333:function:bench")
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
		w.Write(event)
	case <-r.Context().Done():
	}
}

func (api *runtimeAPI) answer(w http.ResponseWriter, r *http.Request, failed bool) {
	now := time.Now()
	text, err := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	fault := ""
	switch {
	case err != nil:
		fault = "cut short: " + err.Error()
	case failed:
		fault = string(text)
	}
	api.answered = now
	api.done <- fault
}

func (api *runtimeAPI) close() { api.server.Close() }

func printFunctions(measured []*coldStarts) error {
	reference := measured[0]
	rows := [][]string{{"", "first response", "p95", "to hello", "CPU until then", "to hello", "next response", "memory", "peak", "zip", "goal"}}
	for _, m := range measured {
		info, err := os.Stat(m.zip)
		if err != nil {
			return fmt.Errorf("find zip: %w", err)
		}
		ratio := float64(m.first.quantile(0.5)) / float64(reference.first.quantile(0.5))
		row := []string{
			m.id, milliseconds(m.first.quantile(0.5)), milliseconds(m.first.quantile(0.95)), fmt.Sprintf("%.2fx", ratio),
			milliseconds(m.cpu.quantile(0.5)), fmt.Sprintf("%.2fx", float64(m.cpu.quantile(0.5))/float64(reference.cpu.quantile(0.5))),
			milliseconds(m.next.quantile(0.5)), megabytes(m.settled.now), megabytes(max(m.fresh.peak, m.settled.peak)),
			strconv.FormatInt(info.Size(), 10) + " B", "",
		}
		if m.reports {
			row[len(row)-1] = goal("3x, 32 MB", ratio <= 3 && m.settled.now < 32<<20)
		}
		rows = append(rows, row)
	}
	return table(fmt.Sprintf("Functions, from process start: median and p95 of %d starts of each in turns; then %d more events to one process", starts, ticks), rows)
}
