package events_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/lambda"
)

// A listener is a function that keeps what it was invoked with, and fails at
// first as often as it is told to.
type listener struct {
	mu     sync.Mutex
	events []string
	fail   int
}

func (l *listener) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, string(payload))
	if len(l.events) <= l.fail {
		return nil, context.DeadlineExceeded
	}
	return []byte("null"), nil
}

func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.events...)
}

const stack = `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Note:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: note
      Runtime: provided.al2023
      Handler: bootstrap
      Role: !GetAtt Role.Arn
      Code: {S3Bucket: code, S3Key: note.zip}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: releases}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [cutover], detail-type: [Release]}
      Targets:
        - {Id: note, Arn: !GetAtt Note.Arn}
        - {Id: topic, Arn: !Ref Topic}
        - {Id: gone, Arn: !Sub "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:gone"}
  Allowed:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Note
      Action: lambda:InvokeFunction
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Rule.Arn
`

// newCloud is a cloud with that stack, whose function is l.
func newCloud(t *testing.T, c clock.Clock, l *listener) (*localaws.Cloud, aws.Config) {
	t.Helper()
	cloud, err := localaws.New(localaws.Config{
		Clock: c, Dir: t.TempDir(),
		Handlers: map[string]func(map[string]string) lambda.Handler{"note": func(map[string]string) lambda.Handler { return l }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close the embedded AWS: %v", err)
		}
	})
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	if _, err := archive.Create("bootstrap"); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cloud.S3.CreateBucket("code"); err != nil {
		t.Fatal(err)
	}
	if err := cloud.S3.Put("code", "note.zip", code.Bytes()); err != nil {
		t.Fatal(err)
	}
	config := cloud.AWSConfig()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	config.HTTPClient = &http.Client{Transport: transport}
	return cloud, config
}

func TestRule_OfAStackReachesFunctionsAndTopics(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	l := &listener{fail: 1}
	cloud, config := newCloud(t, now, l)
	stacks := cloudformation.NewFromConfig(config)
	_, err := stacks.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String("bus"), TemplateBody: aws.String(stack), Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam},
	})
	if err != nil {
		t.Fatal(err)
	}
	created := now.AdvanceUntil(time.Minute, func() bool {
		out, err := stacks.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("bus")})
		if err != nil {
			t.Fatal(err)
		}
		return out.Stacks[0].StackStatus == cfntypes.StackStatusCreateComplete
	})
	if !created {
		t.Fatal("stack: got none within a minute, want it created")
	}
	put(t, config, "Release", `{"verdict":"succeeded"}`)
	put(t, config, "Other", `{}`)
	now.Advance(0)

	if got := l.heard(); len(got) != 1 {
		t.Fatalf("invocations: got %q, want one of the event that matches", got)
	}
	var event struct{ Detail struct{ Verdict string } }
	if err := json.Unmarshal([]byte(l.heard()[0]), &event); err != nil || event.Detail.Verdict != "succeeded" {
		t.Errorf("the function's event: got %s, %v", l.heard()[0], err)
	}
	messages := cloud.SNS.Messages("arn:aws:sns:us-east-1:111122223333:releases")
	if len(messages) != 1 || messages[0].Message != l.heard()[0] || messages[0].Subject != "" {
		t.Errorf("messages of the topic: got %+v, want the function's event without a subject", messages)
	}
	lost := 0
	for _, d := range cloud.Events.Deliveries() {
		if strings.HasSuffix(d.Target, ":gone") && d.Error != "" {
			lost++
		} else if d.Error != "" {
			t.Errorf("delivery to %s: got %s, want none lost", d.Target, d.Error)
		}
	}
	if lost != 1 {
		t.Errorf("deliveries to a topic that is not there: got %d failed, want 1", lost)
	}
	// From here on the event is Lambda's, which tries again after a minute.
	now.Advance(time.Minute)
	if got := l.heard(); len(got) != 2 || got[0] != got[1] {
		t.Errorf("invocations after one that failed: got %q, want the same once more", got)
	}
}

func put(t *testing.T, config aws.Config, detailType, detail string) {
	t.Helper()
	out, err := eventbridge.NewFromConfig(config).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("cutover"), DetailType: &detailType, Detail: &detail},
	}})
	if err != nil || out.FailedEntryCount != 0 {
		t.Fatalf("put event: got %+v, %v", out, err)
	}
}
