package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// balancer runs the benchmark that package alb has of itself.
func balancer(ctx context.Context, _ artifacts) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkForward$", "-benchtime", "20000x", "./pkg/localaws/alb")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go test -bench: %w\n%s", err, out)
	}
	metrics, err := parseBenchmark(string(out), "BenchmarkForward")
	if err != nil {
		return err
	}
	bare, alb := metrics["bare-req/s"], metrics["alb-req/s"]
	if bare == 0 || alb == 0 {
		return fmt.Errorf("read benchmark: it reports no bare-req/s and alb-req/s:\n%s", out)
	}
	return table("Load balancer, one connection, requests in turns", [][]string{
		{"", "requests/s", "to bare", "allocations/request"},
		{"httputil.ReverseProxy", fmt.Sprintf("%.0f", bare), "1.00x", ""},
		{"embedded ALB", fmt.Sprintf("%.0f", alb), fmt.Sprintf("%.2fx", alb/bare), fmt.Sprintf("%+.1f", metrics["more-allocs/req"])},
	})
}

// parseBenchmark reads the metrics of one benchmark, by their units.
// https://go.dev/design/14313-benchmark-format
func parseBenchmark(out, name string) (map[string]float64, error) {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != name && !strings.HasPrefix(fields[0], name+"-") {
			continue
		}
		metrics := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("read benchmark: %w", err)
			}
			metrics[fields[i+1]] = value
		}
		return metrics, nil
	}
	return nil, fmt.Errorf("read benchmark: no %s in:\n%s", name, out)
}
