package iam_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

const (
	trust  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:UpdateService","iam:GetRole"],"Resource":"*"}]}`
)

type cloud struct {
	clock *clock.Manual
	iam   *iam.Service
	url   string
}

func start(t *testing.T) *cloud {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	s := iam.New(iam.Config{Clock: c})
	e := endpoint.New(endpoint.Config{Clock: c, IAM: s, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{}, Logger: slog.New(slog.DiscardHandler)})
	e.Add(s.Wire())
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return &cloud{c, s, server.URL}
}

func (c *cloud) client(key string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &c.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
	})
}

func (c *cloud) admin() *sdk.Client { return c.client(iam.AdministratorAccessKeyID) }

func ptr[T any](v T) *T { return &v }

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	var own *wire.Error
	switch {
	case errors.As(err, &api):
		if api.ErrorCode() != code {
			t.Errorf("got %v, want %s", err, code)
		}
	case errors.As(err, &own):
		if own.Code != code {
			t.Errorf("got %v, want %s", err, code)
		}
	default:
		t.Errorf("got %v, want %s", err, code)
	}
}

func (c *cloud) role(t *testing.T, name string) string {
	t.Helper()
	out, err := c.admin().CreateRole(t.Context(), &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: ptr(trust)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Role.Arn
}

func TestRole_Life(t *testing.T) {
	t.Parallel()
	c := start(t)
	admin, ctx := c.admin(), t.Context()
	made, err := admin.CreateRole(ctx, &sdk.CreateRoleInput{
		RoleName: ptr("deploy"), Path: ptr("/cutover/"), AssumeRolePolicyDocument: ptr(trust), Description: ptr("deploys"),
		Tags: []types.Tag{{Key: ptr("team"), Value: ptr("shop")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *made.Role.Arn, "arn:aws:iam::111122223333:role/cutover/deploy"; got != want {
		t.Errorf("ARN: got %s, want %s", got, want)
	}
	_, err = admin.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: ptr("deploy"), AssumeRolePolicyDocument: ptr(trust)})
	wantCode(t, err, "EntityAlreadyExists")

	if _, err := admin.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: ptr("deploy"), PolicyName: ptr("inline"), PolicyDocument: ptr(policy)}); err != nil {
		t.Fatal(err)
	}
	shown, err := admin.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: ptr("deploy"), PolicyName: ptr("inline")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := url.PathUnescape(*shown.PolicyDocument); err != nil || got != policy {
		t.Errorf("document: got %q (%v), want %q", got, err, policy)
	}
	attach := &sdk.AttachRolePolicyInput{RoleName: ptr("deploy"), PolicyArn: ptr("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")}
	for range 2 {
		if _, err := admin.AttachRolePolicy(ctx, attach); err != nil {
			t.Fatal(err)
		}
	}
	attached, err := admin.ListAttachedRolePolicies(ctx, &sdk.ListAttachedRolePoliciesInput{RoleName: ptr("deploy")})
	if err != nil || len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "AWSLambdaBasicExecutionRole" {
		t.Errorf("attached: got %v (%v), want AWSLambdaBasicExecutionRole once", attached, err)
	}
	_, err = admin.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: ptr("deploy"), PolicyArn: ptr("arn:aws:iam::aws:policy/AdministratorAccess")})
	wantCode(t, err, "NoSuchEntity")
	if err == nil || !strings.Contains(err.Error(), "AdministratorAccess") {
		t.Errorf("unknown managed policy: got %v, want its name in the refusal", err)
	}

	_, err = admin.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: ptr("deploy")})
	wantCode(t, err, "DeleteConflict")
	if _, err := admin.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: ptr("deploy"), PolicyName: ptr("inline")}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: ptr("deploy"), PolicyArn: attach.PolicyArn}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: ptr("deploy")}); err != nil {
		t.Fatal(err)
	}
	_, err = admin.GetRole(ctx, &sdk.GetRoleInput{RoleName: ptr("deploy")})
	wantCode(t, err, "NoSuchEntity")
}

func TestManagedPolicy_Life(t *testing.T) {
	t.Parallel()
	c := start(t)
	admin, ctx := c.admin(), t.Context()
	c.role(t, "deploy")
	made, err := admin.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: ptr("update"), PolicyDocument: ptr(policy)})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.Policy.Arn
	if _, err := admin.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: ptr("deploy"), PolicyArn: arn}); err != nil {
		t.Fatal(err)
	}
	got, err := admin.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: arn})
	if err != nil || *got.Policy.AttachmentCount != 1 {
		t.Errorf("attachments: got %v (%v), want 1", got, err)
	}
	version, err := admin.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: arn, VersionId: got.Policy.DefaultVersionId})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := url.PathUnescape(*version.PolicyVersion.Document); text != policy {
		t.Errorf("document: got %q, want %q", text, policy)
	}
	_, err = admin.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "DeleteConflict")

	var names []string
	pages := sdk.NewListPoliciesPaginator(admin, &sdk.ListPoliciesInput{MaxItems: ptr(int32(2))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Policies {
			names = append(names, *p.PolicyName)
		}
	}
	want := []string{"update", "AWSXRayDaemonWriteAccess", "AWSXrayWriteOnlyAccess", "AWSLambdaBasicExecutionRole", "AmazonECSTaskExecutionRolePolicy"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	simulated, err := admin.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{
		PolicySourceArn: ptr("arn:aws:iam::111122223333:role/deploy"), ActionNames: []string{"ecs:UpdateService", "ecs:DeleteService"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var decisions []string
	for _, r := range simulated.EvaluationResults {
		decisions = append(decisions, *r.EvalActionName+" "+string(r.EvalDecision))
	}
	if diff := cmp.Diff([]string{"ecs:UpdateService allowed", "ecs:DeleteService implicitDeny"}, decisions); diff != "" {
		t.Errorf("simulation (-want +got):\n%s", diff)
	}
}

func TestSession_ActsInItsRoleUntilItEnds(t *testing.T) {
	t.Parallel()
	c := start(t)
	ctx := t.Context()
	arn := c.role(t, "deploy")
	if _, err := c.admin().PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: ptr("deploy"), PolicyName: ptr("p"), PolicyDocument: ptr(policy)}); err != nil {
		t.Fatal(err)
	}
	creds, err := c.iam.AssumeAs("lambda.amazonaws.com", arn, "green")
	if err != nil {
		t.Fatal(err)
	}
	p, ok := c.iam.Principal(creds.AccessKeyID)
	if want := (wire.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/deploy/green", RoleARN: arn, AccessKeyID: creds.AccessKeyID}); !ok || p != want {
		t.Errorf("principal: got %+v (%v), want %+v", p, ok, want)
	}
	caller := c.client(creds.AccessKeyID)
	get := func() error {
		_, err := caller.GetRole(ctx, &sdk.GetRoleInput{RoleName: ptr("deploy")})
		return err
	}
	if err := get(); err != nil {
		t.Errorf("allowed call: got %v, want nil", err)
	}
	_, never := caller.ListRoles(ctx, &sdk.ListRolesInput{})
	wantCode(t, never, "AccessDenied")

	lift := c.iam.Deny("deploy", "iam:GetRole")
	denied := get()
	wantCode(t, denied, "AccessDenied")
	if never, denied := message(never), message(denied); strings.ReplaceAll(never, "ListRoles", "GetRole") != strings.ReplaceAll(denied, arn, "*") {
		t.Errorf("a permission taken away reads\n%s\nwant it like one never given\n%s", denied, never)
	}
	lift()
	if err := get(); err != nil {
		t.Errorf("permission given back: got %v, want nil", err)
	}

	c.clock.Advance(12*time.Hour + time.Second)
	wantCode(t, get(), "UnrecognizedClientException")
	creds, err = c.iam.Assume(arn, "again")
	if err != nil {
		t.Fatal(err)
	}
	c.iam.Revoke(creds.AccessKeyID)
	if _, ok := c.iam.Principal(creds.AccessKeyID); ok {
		t.Error("revoked session: got a principal, want none")
	}
}

func message(err error) string {
	var api smithy.APIError
	errors.As(err, &api)
	return api.ErrorMessage()
}

func TestAssume_AsksTheTrustPolicy(t *testing.T) {
	t.Parallel()
	c := start(t)
	ctx := t.Context()
	user := wire.Principal{ARN: iam.AdministratorARN}
	conditional := `{"Statement":{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"},"ArnLike":{"aws:SourceArn":"arn:aws:ssm:*:111122223333:automation-execution/*"}}}}`
	tests := []struct {
		name, trust string
		who         iam.Assumption
		want        bool
	}{
		{"a trusted service", trust, iam.Assumption{Service: "lambda.amazonaws.com"}, true},
		{"another service", trust, iam.Assumption{Service: "ecs-tasks.amazonaws.com"}, false},
		{"a user where a service is trusted", trust, iam.Assumption{Principal: user}, false},
		{"a service for the wanted resource", conditional, iam.Assumption{Service: "ssm.amazonaws.com", SourceARN: "arn:aws:ssm:us-east-1:111122223333:automation-execution/x"}, true},
		{"a service that does not say for which resource", conditional, iam.Assumption{Service: "ssm.amazonaws.com"}, false},
		{"a user where the account is trusted", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}}`, iam.Assumption{Principal: user}, true},
		{"a role where it is trusted by name", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},"Action":"sts:AssumeRole"}}`, iam.Assumption{Principal: wire.Principal{ARN: "x", RoleARN: "arn:aws:iam::111122223333:role/a"}}, true},
		{"a role where another one is trusted", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/b"},"Action":"sts:AssumeRole"}}`, iam.Assumption{Principal: wire.Principal{ARN: "x", RoleARN: "arn:aws:iam::111122223333:role/a"}}, false},
		{"a service that is denied as well", `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"},{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:*"}]}`, iam.Assumption{Principal: user}, false},
	}
	for i, test := range tests {
		name := "role" + string(rune('a'+i))
		out, err := c.admin().CreateRole(ctx, &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &test.trust})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		test.who.RoleARN, test.who.Session = *out.Role.Arn, "session"
		if _, err := c.iam.Begin(test.who); (err == nil) != test.want {
			t.Errorf("%s: got %v, want allowed %v", test.name, err, test.want)
		}
	}
	_, err := c.iam.Begin(iam.Assumption{Service: "lambda.amazonaws.com", RoleARN: "arn:aws:iam::111122223333:role/none", Session: "session"})
	wantCode(t, err, "AccessDenied")
}

func TestResources_UpdatesLeaveOtherPoliciesAlone(t *testing.T) {
	t.Parallel()
	c := start(t)
	ctx := t.Context()
	types := map[string]resource.Type{}
	for _, typ := range c.iam.Resources() {
		types[typ.Name] = typ
	}
	tree := func(text string) map[string]any {
		var v map[string]any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	role := resource.Request{StackName: "shop", StackID: "s", LogicalID: "Role", Properties: map[string]any{
		"AssumeRolePolicyDocument": tree(trust),
		"Policies":                 []any{map[string]any{"PolicyName": "old", "PolicyDocument": tree(policy)}},
		"ManagedPolicyArns":        []any{"arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"},
	}}
	made := must(t)(types["AWS::IAM::Role"].Create(ctx, role))
	name := made.PhysicalID
	if !strings.HasPrefix(name, "shop-Role-") {
		t.Errorf("name: got %s, want shop-Role-...", name)
	}
	extra := resource.Request{StackName: "shop", StackID: "s", LogicalID: "Extra", Properties: map[string]any{
		"PolicyName": "extra", "PolicyDocument": tree(policy), "Roles": []any{name},
	}}
	extra.PhysicalID = must(t)(types["AWS::IAM::Policy"].Create(ctx, extra)).PhysicalID
	managed := resource.Request{StackName: "shop", StackID: "s", LogicalID: "Managed", Properties: map[string]any{
		"PolicyDocument": tree(policy), "Roles": []any{name},
	}}
	managed.PhysicalID = must(t)(types["AWS::IAM::ManagedPolicy"].Create(ctx, managed)).PhysicalID
	profile := resource.Request{StackName: "shop", StackID: "s", LogicalID: "Profile", Properties: map[string]any{"Roles": []any{name}}}
	profile.PhysicalID = must(t)(types["AWS::IAM::InstanceProfile"].Create(ctx, profile)).PhysicalID

	role.PhysicalID, role.Previous = name, role.Properties
	role.Properties = map[string]any{
		"AssumeRolePolicyDocument": tree(trust),
		"Policies":                 []any{map[string]any{"PolicyName": "new", "PolicyDocument": tree(policy)}},
	}
	if types["AWS::IAM::Role"].Replaces(role.Previous, role.Properties) {
		t.Error("update of policies: got a replacement, want an update")
	}
	must(t)(types["AWS::IAM::Role"].Update(ctx, role))
	inline, err := c.admin().ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"extra", "new"}, inline.PolicyNames); diff != "" {
		t.Errorf("inline policies (-want +got):\n%s", diff)
	}
	shown, err := c.admin().GetInstanceProfile(ctx, &sdk.GetInstanceProfileInput{InstanceProfileName: &profile.PhysicalID})
	if err != nil || len(shown.InstanceProfile.Roles) != 1 || *shown.InstanceProfile.Roles[0].RoleName != name {
		t.Errorf("instance profile: got %v (%v), want the role", shown, err)
	}

	for _, r := range []struct {
		name    string
		request resource.Request
	}{{"AWS::IAM::InstanceProfile", profile}, {"AWS::IAM::ManagedPolicy", managed}, {"AWS::IAM::Policy", extra}, {"AWS::IAM::Role", role}, {"AWS::IAM::Role", role}} {
		if err := types[r.name].Delete(ctx, r.request); err != nil {
			t.Errorf("delete %s: %v", r.name, err)
		}
	}
	_, err = c.admin().GetRole(ctx, &sdk.GetRoleInput{RoleName: &name})
	wantCode(t, err, "NoSuchEntity")
	_, err = types["AWS::IAM::Role"].Create(ctx, resource.Request{LogicalID: "R", Properties: map[string]any{"AssumeRolePolicyDocument": tree(trust), "PermissionsBoundary": "x"}})
	if err == nil || !strings.Contains(err.Error(), "PermissionsBoundary") {
		t.Errorf("unknown property: got %v, want it named", err)
	}
}

func must(t *testing.T) func(resource.State, error) resource.State {
	return func(s resource.State, err error) resource.State {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestAPI_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	c := start(t)
	_, err := c.admin().CreateUser(context.Background(), &sdk.CreateUserInput{UserName: ptr("bob")})
	wantCode(t, err, "InvalidAction")
	_, err = c.admin().CreateRole(context.Background(), &sdk.CreateRoleInput{RoleName: ptr("r"), AssumeRolePolicyDocument: ptr(trust), PermissionsBoundary: ptr("x")})
	wantCode(t, err, "ValidationError")
	c.role(t, "sized")
	_, err = c.admin().PutRolePolicy(context.Background(), &sdk.PutRolePolicyInput{RoleName: ptr("sized"), PolicyName: ptr("big"),
		PolicyDocument: ptr(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:` + strings.Repeat("x", 11_000) + `"}}`)})
	wantCode(t, err, "LimitExceeded")
}
