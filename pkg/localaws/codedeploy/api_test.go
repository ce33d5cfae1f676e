package codedeploy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/wire"
)

func wantCode(t *testing.T, err error, want, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != want || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("error: got %v, want %s: %s", err, want, text)
	}
}

func TestCreateDeploymentGroup_RefusesAsAWSDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit       func(*codedeploy.CreateDeploymentGroupInput)
		code, text string
	}{
		"no application": {func(in *codedeploy.CreateDeploymentGroupInput) { in.ApplicationName = aws.String("none") }, "ApplicationDoesNotExistException", "none"},
		"no Auto Scaling group": {func(in *codedeploy.CreateDeploymentGroupInput) { in.AutoScalingGroups = nil },
			"InvalidBlueGreenDeploymentConfigurationException", "Exactly one AutoScaling group must be specified"},
		"an Auto Scaling group that does not exist": {func(in *codedeploy.CreateDeploymentGroupInput) { in.AutoScalingGroups = []string{"none"} }, "InvalidAutoScalingGroupException", "none"},
		"DISCOVER_EXISTING": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.BlueGreenDeploymentConfiguration.GreenFleetProvisioningOption.Action = types.GreenFleetProvisioningActionDiscoverExisting
		}, "InvalidBlueGreenDeploymentConfigurationException", "DISCOVER_EXISTING is not served"},
		"blue/green without its configuration": {func(in *codedeploy.CreateDeploymentGroupInput) { in.BlueGreenDeploymentConfiguration = nil },
			"InvalidBlueGreenDeploymentConfigurationException", "must be specified"},
		"a wait before continuing by itself": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.BlueGreenDeploymentConfiguration.DeploymentReadyOption.WaitTimeInMinutes = 5
		}, "InvalidBlueGreenDeploymentConfigurationException", "5 minutes"},
		"a termination after more than two days": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.TerminationWaitTimeInMinutes = 2881
		}, "InvalidBlueGreenDeploymentConfigurationException", "2881"},
		"traffic control without target groups": {func(in *codedeploy.CreateDeploymentGroupInput) { in.LoadBalancerInfo = nil }, "InvalidLoadBalancerInfoException", "target group"},
		"a deployment configuration that does not exist": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.DeploymentConfigName = aws.String("Mine")
		}, "DeploymentConfigDoesNotExistException", "Mine"},
		"tag filters": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.Ec2TagFilters = []types.EC2TagFilter{{Key: aws.String("a"), Type: types.EC2TagFilterTypeKeyOnly}}
		}, "InvalidEC2TagException", "ec2TagFilters"},
		"alarms without a name": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.AlarmConfiguration = &types.AlarmConfiguration{Enabled: true}
		}, "InvalidAlarmConfigException", "naming one"},
		"rollback without events": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.AutoRollbackConfiguration = &types.AutoRollbackConfiguration{Enabled: true}
		}, "InvalidAutoRollbackConfigException", "without an event"},
		"a trigger without a topic": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.TriggerConfigurations = []types.TriggerConfig{{TriggerName: aws.String("t"), TriggerEvents: []types.TriggerEventType{"DeploymentStart"}}}
		}, "InvalidTriggerConfigException", "ARN of a topic"},
		"a role that is not one": {func(in *codedeploy.CreateDeploymentGroupInput) { in.ServiceRoleArn = aws.String("codedeploy") }, "InvalidRoleException", "codedeploy"},
		"members that are not served": {func(in *codedeploy.CreateDeploymentGroupInput) {
			in.EcsServices = []types.ECSService{{ServiceName: aws.String("s")}}
		}, "ValidationException", "ecsServices: is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := w.client.CreateApplication(t.Context(), &codedeploy.CreateApplicationInput{ApplicationName: aws.String("hello")}); err != nil {
				t.Fatal(err)
			}
			in := blueGreen(0)
			c.edit(in)
			_, err := w.client.CreateDeploymentGroup(t.Context(), in)
			wantCode(t, err, c.code, c.text)
		})
	}
}

func TestApplications_AreServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(inPlace())
	ctx := t.Context()
	_, err := w.client.CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: aws.String("hello")})
	wantCode(t, err, "ApplicationAlreadyExistsException", "hello")
	_, err = w.client.CreateApplication(ctx, &codedeploy.CreateApplicationInput{ApplicationName: aws.String("f"), ComputePlatform: types.ComputePlatformLambda})
	wantCode(t, err, "InvalidComputePlatformException", "Lambda")
	got, err := w.client.GetApplication(ctx, &codedeploy.GetApplicationInput{ApplicationName: aws.String("hello")})
	if err != nil || got.Application.ComputePlatform != types.ComputePlatformServer || !got.Application.CreateTime.Equal(w.clock.Now()) {
		t.Errorf("get application: got %+v, %v", got, err)
	}
	list, err := w.client.ListApplications(ctx, &codedeploy.ListApplicationsInput{})
	if err != nil || !slices.Equal(list.Applications, []string{"hello"}) {
		t.Errorf("list applications: got %+v, %v", list, err)
	}
	if _, err := w.client.DeleteApplication(ctx, &codedeploy.DeleteApplicationInput{ApplicationName: aws.String("hello")}); err != nil {
		t.Errorf("delete application: %v", err)
	}
	_, err = w.client.ListDeploymentGroups(ctx, &codedeploy.ListDeploymentGroupsInput{ApplicationName: aws.String("hello")})
	wantCode(t, err, "ApplicationDoesNotExistException", "hello")
}

func TestDeploymentGroups_AreUpdatedInPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(5))
	ctx := t.Context()
	before := w.group()
	_, err := w.client.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: aws.String("hello"), CurrentDeploymentGroupName: aws.String("web"), NewDeploymentGroupName: aws.String("site"),
		DeploymentConfigName: aws.String("CodeDeployDefault.HalfAtATime"),
	})
	if err != nil {
		t.Fatalf("update deployment group: %v", err)
	}
	out, err := w.client.BatchGetDeploymentGroups(ctx, &codedeploy.BatchGetDeploymentGroupsInput{ApplicationName: aws.String("hello"), DeploymentGroupNames: []string{"site", "web"}})
	if err != nil || len(out.DeploymentGroupsInfo) != 1 || !strings.Contains(*out.ErrorMessage, "web") {
		t.Fatalf("batch get: got %+v, %v, want site, and web not found", out, err)
	}
	want := *before
	want.DeploymentGroupName, want.DeploymentConfigName = aws.String("site"), aws.String("CodeDeployDefault.HalfAtATime")
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.GoString(), "noSmithyDocumentSerde") }, cmp.Ignore())
	if diff := cmp.Diff(want, out.DeploymentGroupsInfo[0], ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("group after a partial update: got (+) for wanted (-):\n%s", diff)
	}
	list, err := w.client.ListDeploymentGroups(ctx, &codedeploy.ListDeploymentGroupsInput{ApplicationName: aws.String("hello")})
	if err != nil || !slices.Equal(list.DeploymentGroups, []string{"site"}) {
		t.Errorf("list deployment groups: got %+v, %v", list, err)
	}
	_, err = w.client.UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: aws.String("hello"), CurrentDeploymentGroupName: aws.String("site"),
		DeploymentStyle: &types.DeploymentStyle{DeploymentType: types.DeploymentTypeInPlace, DeploymentOption: types.DeploymentOptionWithTrafficControl},
	})
	if err != nil {
		t.Errorf("update to in place: %v", err)
	}
	if _, err := w.client.DeleteDeploymentGroup(ctx, &codedeploy.DeleteDeploymentGroupInput{ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("site")}); err != nil {
		t.Errorf("delete deployment group: %v", err)
	}
	_, err = w.client.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("site")})
	wantCode(t, err, "DeploymentGroupDoesNotExistException", "site")
}

func TestDeployments_AreOneAtATimeForAGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	ctx := t.Context()
	id := w.deploy("one.zip", revisionFiles("one"))
	_, err := w.client.CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web"), Revision: revisionAt("one.zip")})
	wantCode(t, err, "DeploymentLimitExceededException", "The Deployment Group 'web' already has an active Deployment '"+id+"'")
	_, err = w.client.DeleteDeploymentGroup(ctx, &codedeploy.DeleteDeploymentGroupInput{ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web")})
	wantCode(t, err, "InvalidOperationException", id)
	_, err = w.client.ContinueDeployment(ctx, &codedeploy.ContinueDeploymentInput{DeploymentId: &id})
	wantCode(t, err, "DeploymentNotStartedException", id)
	w.clock.Advance(time.Second)
	_, err = w.client.ContinueDeployment(ctx, &codedeploy.ContinueDeploymentInput{DeploymentId: &id})
	wantCode(t, err, "DeploymentIsNotInReadyStateException", id)
	w.await(id, types.DeploymentStatusSucceeded)
	_, err = w.client.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &id})
	wantCode(t, err, "DeploymentAlreadyCompletedException", id)
	_, err = w.client.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: aws.String("d-NONE")})
	wantCode(t, err, "DeploymentDoesNotExistException", "d-NONE")
	_, err = w.client.CreateDeployment(ctx, &codedeploy.CreateDeploymentInput{ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web")})
	wantCode(t, err, "RevisionRequiredException", "required")
}

func TestDeployments_AreListedAndTheirTargetsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	ctx := t.Context()
	first := w.deploy("one.zip", revisionFiles("one"))
	w.await(first, types.DeploymentStatusSucceeded)
	w.clock.Advance(time.Hour)
	since := w.clock.Now()
	second := w.deploy("two.zip", revisionFiles("two"))
	for name, c := range map[string]struct {
		in   codedeploy.ListDeploymentsInput
		want []string
	}{
		"all, the newest first":   {codedeploy.ListDeploymentsInput{}, []string{second, first}},
		"those with a status":     {codedeploy.ListDeploymentsInput{IncludeOnlyStatuses: []types.DeploymentStatus{"Succeeded"}}, []string{first}},
		"those since some time":   {codedeploy.ListDeploymentsInput{CreateTimeRange: &types.TimeRange{Start: &since}}, []string{second}},
		"those until before that": {codedeploy.ListDeploymentsInput{CreateTimeRange: &types.TimeRange{End: aws.Time(since.Add(-time.Second))}}, []string{first}},
	} {
		out, err := w.client.ListDeployments(ctx, &c.in)
		if err != nil || !slices.Equal(out.Deployments, c.want) {
			t.Errorf("list %s: got %+v, %v, want %q", name, out, err, c.want)
		}
	}
	batch, err := w.client.BatchGetDeployments(ctx, &codedeploy.BatchGetDeploymentsInput{DeploymentIds: []string{first, second}})
	if err != nil || len(batch.DeploymentsInfo) != 2 || *batch.DeploymentsInfo[1].PreviousRevision.S3Location.Key != "one.zip" {
		t.Errorf("batch get deployments: got %+v, %v", batch, err)
	}
	green, err := w.client.ListDeploymentTargets(ctx, &codedeploy.ListDeploymentTargetsInput{DeploymentId: &first, TargetFilters: map[string][]string{"ServerInstanceLabel": {"Green"}}})
	if err != nil || !slices.Equal(green.TargetIds, []string{"i-3", "i-4"}) {
		t.Errorf("green targets: got %+v, %v", green, err)
	}
	//lint:ignore SA1019 served in its older form too
	blue, err := w.client.ListDeploymentInstances(ctx, &codedeploy.ListDeploymentInstancesInput{DeploymentId: &first, InstanceTypeFilter: []types.InstanceType{"Blue"}})
	if err != nil || !slices.Equal(blue.InstancesList, []string{"i-1", "i-2"}) {
		t.Errorf("blue instances: got %+v, %v", blue, err)
	}
	//lint:ignore SA1019 served in its older form too
	one, err := w.client.GetDeploymentInstance(ctx, &codedeploy.GetDeploymentInstanceInput{DeploymentId: &first, InstanceId: aws.String("i-1")})
	//lint:ignore SA1019 served in its older form too
	if err != nil || *one.InstanceSummary.InstanceId != "arn:aws:ec2:us-east-1:111122223333:instance/i-1" || one.InstanceSummary.InstanceType != "Blue" {
		t.Errorf("instance: got %+v, %v", one, err)
	}
	targets, err := w.client.BatchGetDeploymentTargets(ctx, &codedeploy.BatchGetDeploymentTargetsInput{DeploymentId: &first, TargetIds: []string{"i-1", "i-3"}})
	if err != nil || len(targets.DeploymentTargets) != 2 || targets.DeploymentTargets[1].InstanceTarget.InstanceLabel != "Green" {
		t.Errorf("targets: got %+v, %v", targets, err)
	}
	_, err = w.client.GetDeploymentTarget(ctx, &codedeploy.GetDeploymentTargetInput{DeploymentId: &first, TargetId: aws.String("i-9")})
	wantCode(t, err, "DeploymentTargetDoesNotExistException", "i-9")
}

func TestRevisions_AreKnownOnceRegisteredOrDeployed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(inPlace())
	ctx := t.Context()
	get := &codedeploy.GetApplicationRevisionInput{ApplicationName: aws.String("hello"), Revision: revisionAt("one.zip")}
	_, err := w.client.GetApplicationRevision(ctx, get)
	wantCode(t, err, "RevisionDoesNotExistException", "one.zip")
	if _, err := w.client.RegisterApplicationRevision(ctx, &codedeploy.RegisterApplicationRevisionInput{
		ApplicationName: aws.String("hello"), Revision: revisionAt("one.zip"), Description: aws.String("the first"),
	}); err != nil {
		t.Fatal(err)
	}
	w.await(w.deploy("two.zip", revisionFiles("two")), types.DeploymentStatusSucceeded)
	got, err := w.client.GetApplicationRevision(ctx, get)
	if err != nil || *got.RevisionInfo.Description != "the first" || got.RevisionInfo.FirstUsedTime != nil {
		t.Errorf("registered revision: got %+v, %v", got, err)
	}
	used, err := w.client.ListApplicationRevisions(ctx, &codedeploy.ListApplicationRevisionsInput{ApplicationName: aws.String("hello"), Deployed: types.ListStateFilterActionInclude})
	if err != nil || len(used.Revisions) != 1 || *used.Revisions[0].S3Location.Key != "two.zip" {
		t.Errorf("revisions in use: got %+v, %v", used, err)
	}
	git := &types.RevisionLocation{RevisionType: types.RevisionLocationTypeGitHub}
	_, err = w.client.RegisterApplicationRevision(ctx, &codedeploy.RegisterApplicationRevisionInput{ApplicationName: aws.String("hello"), Revision: git})
	wantCode(t, err, "InvalidRevisionException", "GitHub")
}

func TestDeploymentConfigs_AreTheBuiltInOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, err := w.client.ListDeploymentConfigs(t.Context(), &codedeploy.ListDeploymentConfigsInput{})
	if err != nil || !slices.Equal(list.DeploymentConfigsList, []string{"CodeDeployDefault.AllAtOnce", "CodeDeployDefault.HalfAtATime", "CodeDeployDefault.OneAtATime"}) {
		t.Errorf("list: got %+v, %v", list, err)
	}
	half, err := w.client.GetDeploymentConfig(t.Context(), &codedeploy.GetDeploymentConfigInput{DeploymentConfigName: aws.String("CodeDeployDefault.HalfAtATime")})
	if err != nil || half.DeploymentConfigInfo.MinimumHealthyHosts.Value != 50 || half.DeploymentConfigInfo.MinimumHealthyHosts.Type != types.MinimumHealthyHostsTypeFleetPercent {
		t.Errorf("get: got %+v, %v", half, err)
	}
}

func TestTags_BelongToApplicationsAndGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(inPlace())
	ctx := t.Context()
	arn := aws.String("arn:aws:codedeploy:us-east-1:111122223333:deploymentgroup:hello/web")
	if _, err := w.client.TagResource(ctx, &codedeploy.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}, {Key: aws.String("x"), Value: aws.String("")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.UntagResource(ctx, &codedeploy.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	out, err := w.client.ListTagsForResource(ctx, &codedeploy.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil || len(out.Tags) != 1 || *out.Tags[0].Value != "blue" {
		t.Errorf("tags: got %+v, %v", out, err)
	}
	_, err = w.client.ListTagsForResource(ctx, &codedeploy.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:codedeploy:us-east-1:111122223333:application:none")})
	wantCode(t, err, "InvalidArnException", "application:none")
}

func TestPage_GoesThroughAllItems(t *testing.T) {
	t.Parallel()
	all := make([]int, 2*pageSize+1)
	for i := range all {
		all[i] = i
	}
	var got []int
	token := ""
	for pages := 0; pages == 0 || token != ""; pages++ {
		items, next, err := page(all, token)
		if err != nil || pages > 2 {
			t.Fatalf("page %d: got error %v", pages, err)
		}
		got, token = append(got, items...), next
	}
	if !slices.Equal(got, all) {
		t.Errorf("items of all pages: got %d, want %d", len(got), len(all))
	}
	_, _, err := page(all, "none")
	wantWire(t, err, "InvalidNextTokenException")
}

func wantWire(t *testing.T, err error, want string) {
	t.Helper()
	var fault *wire.Error
	if !errors.As(err, &fault) || fault.Code != want {
		t.Errorf("error: got %v, want %s", err, want)
	}
}

func TestWire_RefusesWhatItDoesNotServe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config, _ := endpointtest.Serve(t, w.clock, w.service.Wire())
	client := codedeploy.NewFromConfig(config)
	_, err := client.ListOnPremisesInstances(t.Context(), &codedeploy.ListOnPremisesInstancesInput{})
	wantCode(t, err, "UnknownOperationException", "ListOnPremisesInstances")
	_, err = client.CreateDeployment(t.Context(), &codedeploy.CreateDeploymentInput{ApplicationName: aws.String("hello"), TargetInstances: &types.TargetInstances{}})
	wantCode(t, err, "ValidationException", "targetInstances")

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, *config.BaseEndpoint, strings.NewReader(`{"applicationName": 3}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "CodeDeploy_20141006.GetApplication")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260301/us-east-1/codedeploy/aws4_request, SignedHeaders=host, Signature=00")
	answer, err := config.HTTPClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(body), "applicationName: is 3") {
		t.Errorf("malformed member: got %s (error %v)", body, err)
	}
}

func TestOperations_AskIAMForTheirResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setUp(blueGreen(0))
	id := w.deploy("one.zip", revisionFiles("one"))
	const group = "arn:aws:codedeploy:us-east-1:111122223333:deploymentgroup:hello/web"
	for name, c := range map[string]struct {
		in   any
		want wire.Access
	}{
		"CreateDeployment":   {&CreateDeploymentInput{ApplicationName: "hello", DeploymentGroupName: "web"}, wire.Access{Resource: group}},
		"GetDeployment":      {&DeploymentInput{DeploymentId: id}, wire.Access{Resource: group}},
		"StopDeployment":     {&StopDeploymentInput{DeploymentId: id}, wire.Access{Resource: group}},
		"ListDeployments":    {&ListDeploymentsInput{ApplicationName: "hello", DeploymentGroupName: "web"}, wire.Access{Resource: group}},
		"GetDeploymentGroup": {&DeploymentGroupInput{ApplicationName: "hello", DeploymentGroupName: "web"}, wire.Access{Resource: group}},
		"GetApplication":     {&ApplicationInput{ApplicationName: "hello"}, wire.Access{Resource: "arn:aws:codedeploy:us-east-1:111122223333:application:hello"}},
		"GetDeploymentConfig": {&GetDeploymentConfigInput{DeploymentConfigName: "CodeDeployDefault.AllAtOnce"},
			wire.Access{Resource: "arn:aws:codedeploy:us-east-1:111122223333:deploymentconfig:CodeDeployDefault.AllAtOnce"}},
	} {
		op, ok := w.service.Wire().Operation(name)
		if !ok {
			t.Fatalf("there is no operation %s", name)
		}
		c.want.Action = "codedeploy:" + name
		if diff := cmp.Diff([]wire.Access{c.want}, op.Access(c.in, c.want.Action)); diff != "" {
			t.Errorf("%s: got (+) for wanted (-):\n%s", name, diff)
		}
	}
	create, _ := w.service.Wire().Operation("CreateDeploymentGroup")
	pass := wire.Access{Action: "iam:PassRole", Resource: serviceRole, Context: map[string]string{"iam:PassedToService": "codedeploy.amazonaws.com"}}
	got := create.Access(&CreateDeploymentGroupInput{ApplicationName: "hello", DeploymentGroupName: "web", Settings: Settings{ServiceRoleArn: serviceRole}}, "codedeploy:CreateDeploymentGroup")
	if diff := cmp.Diff([]wire.Access{{Action: "codedeploy:CreateDeploymentGroup", Resource: group}, pass}, got); diff != "" {
		t.Errorf("CreateDeploymentGroup: got (+) for wanted (-):\n%s", diff)
	}
}
