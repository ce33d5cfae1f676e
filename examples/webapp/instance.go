package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// instance is what the application tells of where it runs.
type instance struct {
	Image    string `json:"image"`
	Instance string `json:"instance"`
}

// metadataService is the address of the instance metadata service, which the
// AWS SDKs' variable moves.
func metadataService(lookup func(string) (string, bool)) string {
	if address, _ := lookup("AWS_EC2_METADATA_SERVICE_ENDPOINT"); address != "" {
		return strings.TrimSuffix(address, "/")
	}
	return "http://169.254.169.254"
}

// describe asks the metadata service, version 2, which image and which instance
// this is, until it answers or the context ends. What it does not learn is
// "unknown".
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
func describe(ctx context.Context, service string) (instance, error) {
	const again = 200 * time.Millisecond
	unknown := instance{"unknown", "unknown"}
	for {
		found, err := describeOnce(ctx, service)
		if err == nil {
			return found, nil
		}
		select {
		case <-ctx.Done():
			return unknown, err
		case <-time.After(again):
		}
	}
}

func describeOnce(ctx context.Context, service string) (found instance, err error) {
	token, err := ask(ctx, http.MethodPut, service+"/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	if err != nil {
		return found, err
	}
	for path, to := range map[string]*string{"ami-id": &found.Image, "instance-id": &found.Instance} {
		if *to, err = ask(ctx, http.MethodGet, service+"/latest/meta-data/"+path, "X-aws-ec2-metadata-token", token); err != nil {
			return found, err
		}
	}
	return found, nil
}

func ask(ctx context.Context, method, url, header, value string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return "", fmt.Errorf("ask metadata service: %w", err)
	}
	request.Header.Set(header, value)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask metadata service: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask %s: status %s", url, answer.Status)
	}
	return strings.TrimSpace(string(body)), nil
}
