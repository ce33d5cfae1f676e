package deploygreen

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/job"
)

// One call of each kind a service that is changed, and of reads only what AWS
// has no batch for: each task definition for the image's place and before it is
// registered, and the health of green's targets once.
func TestSet_CallsGrowOnlyByBatches(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]struct{ ticks, balancers, services, tags, rules int }{
		1:   {9, 9, 9, 9, 2*9 + 2},
		5:   {9, 9, 9, 9, 2*9 + 2},
		100: {12, 12, 12 * 20, 12 * 10, 2*12 + 2}, // the task definitions of 25 are looked at in a tick
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, n)
			said, _, err := s.follow()
			if err != nil {
				t.Fatal(err)
			}
			s.released()
			if len(said) != want.ticks {
				t.Errorf("got %d ticks, want %d:\n%s", len(said), want.ticks, strings.Join(said, "\n"))
			}
			got := map[string]int{}
			for _, call := range s.world.Calls() {
				got[call]++
			}
			if diff := cmp.Diff(map[string]int{
				"DescribeLoadBalancers": want.balancers, "DescribeListeners": want.balancers, "DescribeRules": want.rules,
				"DescribeServices": want.services, "DescribeTags": want.tags,
				"DescribeTargetHealth": n, "DescribeTaskDefinition": 2 * n, "ListTaskDefinitions": 2 * n,
				"AddTags": n, "ModifyRule": n, "RegisterTaskDefinition": n, "UpdateService": n,
			}, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// What an earlier attempt registered is found again, of 25 services in a tick.
func TestSet_RetryFindsWhatWasRegistered(t *testing.T) {
	t.Parallel()
	s := newShop(t, 60)
	var state State
	for range 5 { // name, route, register thrice
		r, err := s.tick(state)
		if err != nil {
			t.Fatal(err)
		}
		state = r.State()
	}
	s.world.Calls()
	said, _, err := s.follow()
	if err != nil {
		t.Fatal(err)
	}
	s.released()
	if want := "release set shop: s25: the task definitions of service s25-b (target group s25-b) are looked at next; "; !strings.HasPrefix(said[0], want) || !strings.HasSuffix(said[0], "; 30 more") {
		t.Errorf("got %q, want it to go on with s25 and 34 more", said[0])
	}
	for _, call := range s.world.Writes() {
		if call != "UpdateService" {
			t.Errorf("got %s, want only the services updated", call)
		}
	}
}

// A whole run of a hundred services through the function's own handler, with the
// artifact and the continuation token as CodePipeline has them. Their revisions
// have five digits.
func TestSet_AHundredServicesFitTheToken(t *testing.T) {
	t.Parallel()
	s := newShop(t, 100)
	for i := range s.world.Revisions {
		r := &s.world.Revisions[i]
		if *r.Family == "hello" {
			continue
		}
		r.Revision = int32(10_000 + 577*i)
		arn := fmt.Sprintf("arn:aws:ecs:us-east-1:111122223333:task-definition/%s:%d", *r.Family, r.Revision)
		r.TaskDefinitionArn = &arn
		for _, side := range []string{"-a", "-b"} {
			service := s.world.Services[*r.Family+side]
			service.TaskDefinition, service.Deployments[0].TaskDefinition = &arn, &arn
		}
	}
	reports := &pipeline{}
	h := job.NewHandler(job.Config{
		Action: "DeployGreen", CodePipeline: reports, Logger: slog.New(slog.DiscardHandler),
		S3: func(aws.CredentialsProvider) job.S3 { return archive(s.files) },
	}, on(s.world).Step)
	longest, token := 0, ""
	for n := range 30 {
		if _, err := h.Invoke(t.Context(), event(t, n, token)); err != nil {
			t.Fatal(err)
		}
		if reports.failure != nil {
			t.Fatalf("tick %d: %s", n, *reports.failure.FailureDetails.Message)
		}
		if token = aws.ToString(reports.success.ContinuationToken); token == "" {
			break
		}
		longest = max(longest, len(token))
		s.world.Advance()
	}
	if token != "" {
		t.Errorf("not done: %s", *reports.success.ExecutionDetails.Summary)
	}
	if longest > 1500 { // of the 2,048 that CodePipeline takes: the rest is for longer summaries
		t.Errorf("got a token of %d characters, want at most 1500", longest)
	}
	if got := reports.success.OutputVariables["Services"]; got != "100" {
		t.Errorf("output Services: got %q, want 100", got)
	}
}

// event is what CodePipeline invokes the function with.
func event(t *testing.T, n int, token string) []byte {
	t.Helper()
	parameters, err := json.Marshal(map[string]string{"execution": execution, "release": "cutover.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"CodePipeline.job": map[string]any{
		"id": fmt.Sprintf("00000000-0000-4000-8000-%012d", n), "accountId": "111122223333",
		"data": map[string]any{
			"actionConfiguration": map[string]any{"configuration": map[string]any{"FunctionName": "deploy-green", "UserParameters": string(parameters)}},
			"inputArtifacts": []any{map[string]any{"name": "build", "location": map[string]any{
				"type": "S3", "s3Location": map[string]any{"bucketName": "artifacts", "objectKey": "build.zip"},
			}}},
			"artifactCredentials": map[string]any{"accessKeyId": "AKIA", "secretAccessKey": "x-secret-key", "sessionToken": "x-session-token"},
			"continuationToken":   token,
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
