package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// traffic is a stream of requests at a steady rate on a fixed number of
// connections. A request that falls due while all are busy is sent late, and its
// wait counts in its latency.
type traffic struct {
	url         string
	rate        int // requests a second
	connections int

	sent, failed atomic.Int64

	mu        sync.Mutex
	latencies durations
	versions  map[string]int
	firstFail string
}

// run sends requests until the context ends, and then waits for all answers.
func (t *traffic) run(ctx context.Context) {
	t.versions = map[string]int{}
	transport := &http.Transport{MaxIdleConnsPerHost: t.connections, MaxConnsPerHost: t.connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	began := time.Now()
	var due atomic.Int64
	var workers sync.WaitGroup
	for range t.connections {
		workers.Go(func() {
			for {
				at := began.Add(time.Duration(due.Add(1)) * time.Second / time.Duration(t.rate))
				if wait := time.Until(at); wait > 0 {
					time.Sleep(wait)
				}
				if ctx.Err() != nil {
					return
				}
				t.ask(client, at)
			}
		})
	}
	workers.Wait()
}

// ask sends one request; its context is not the stream's, as what was sent counts.
func (t *traffic) ask(client *http.Client, due time.Time) {
	t.sent.Add(1)
	version, err := get(client, t.url)
	took := time.Since(due)
	if err != nil {
		t.failed.Add(1)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.versions[version]++
		t.latencies = append(t.latencies, took)
	case t.firstFail == "":
		t.firstFail = time.Now().UTC().Format(time.RFC3339Nano) + " " + err.Error()
	}
}

// get asks once, and tells which version gave the whole answer.
func get(client *http.Client, url string) (version string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", fmt.Errorf("answer cut short: %w", err)
	}
	version = response.Header.Get("X-Version")
	if response.StatusCode != http.StatusOK || version == "" {
		return "", fmt.Errorf("status %s from version %q", response.Status, version)
	}
	return version, nil
}
