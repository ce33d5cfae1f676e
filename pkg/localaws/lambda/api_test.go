package lambda_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/resource"

	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

func quiet() handler {
	return func(context.Context, []byte) ([]byte, error) { return []byte(`{"Calls":1}`), nil }
}

func TestCreateFunction_Refusals(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	tests := []struct {
		name   string
		change func(*sdk.CreateFunctionInput)
		code   string
		part   string
	}{
		{"another runtime", func(in *sdk.CreateFunctionInput) { in.Runtime = types.RuntimePython313 }, "InvalidParameterValueException", "python3.13"},
		{"a role that Lambda can't assume", func(in *sdk.CreateFunctionInput) { in.Role = ptr("arn:aws:iam::111122223333:role/none") }, "InvalidParameterValueException", "cannot be assumed"},
		{"several faults are told at once", func(in *sdk.CreateFunctionInput) { in.MemorySize, in.Timeout = ptr(int32(64)), ptr(int32(901)) }, "InvalidParameterValueException", "MemorySize: 64 is not between 128 and 10240; Timeout: 15m1s"},
		{"a reserved variable", func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		}, "InvalidParameterValueException", "AWS_REGION"},
		{"variables over the limit", func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"LONG": strings.Repeat("x", 4096)}}
		}, "InvalidParameterValueException", "4100 bytes"},
		{"two architectures", func(in *sdk.CreateFunctionInput) {
			in.Architectures = []types.Architecture{types.ArchitectureArm64, types.ArchitectureX8664}
		}, "InvalidParameterValueException", "Architectures"},
		{"code that is no zip", func(in *sdk.CreateFunctionInput) { in.Code = &types.FunctionCode{ZipFile: []byte("hello")} }, "InvalidParameterValueException", "Could not unzip"},
		{"code that leaves its directory", func(in *sdk.CreateFunctionInput) {
			raw, err := zipped(0o755, map[string][]byte{"../bootstrap": []byte("x")})
			if err != nil {
				t.Fatal(err)
			}
			in.Code = &types.FunctionCode{ZipFile: raw}
		}, "InvalidParameterValueException", "Could not unzip"},
		{"code that is not in S3", func(in *sdk.CreateFunctionInput) {
			in.Code = &types.FunctionCode{S3Bucket: ptr("code"), S3Key: ptr("none.zip")}
		}, "InvalidParameterValueException", "NoSuchKey"},
		{"a member that the embedded AWS does not honour", func(in *sdk.CreateFunctionInput) { in.KMSKeyArn = ptr("arn:aws:kms:x") }, "InvalidParameterValueException", "KMSKeyArn: is unknown"},
	}
	raw, err := zipped(0o755, map[string][]byte{"bootstrap": []byte("#!/bin/sh")})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		in := &sdk.CreateFunctionInput{FunctionName: ptr("hello"), Role: ptr(role), Handler: ptr("bootstrap"),
			Runtime: types.RuntimeProvidedal2023, Code: &types.FunctionCode{ZipFile: raw}}
		test.change(in)
		_, err := c.client.CreateFunction(context.Background(), in)
		wantCode(t, err, test.code)
		if err == nil || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: got %v, want %q in it", test.name, err, test.part)
		}
	}
	c.function("hello", nil)
	_, err = c.client.CreateFunction(context.Background(), &sdk.CreateFunctionInput{FunctionName: ptr("hello"), Role: ptr(role),
		Handler: ptr("bootstrap"), Runtime: types.RuntimeProvidedal2023, Code: &types.FunctionCode{ZipFile: raw}})
	wantCode(t, err, "ResourceConflictException")
	_, err = c.client.ListLayers(context.Background(), &sdk.ListLayersInput{})
	wantCode(t, err, "UnknownOperationException")
}

func TestFunction_IsShownAsItWasMade(t *testing.T) {
	t.Parallel()
	c := start(t, only(quiet()))
	ctx := context.Background()
	c.function("hello", func(in *sdk.CreateFunctionInput) {
		in.Tags = map[string]string{"team": "shop"}
		in.LoggingConfig = &types.LoggingConfig{LogFormat: types.LogFormatJson, LogGroup: ptr("/shop/hello")}
		in.Architectures = []types.Architecture{types.ArchitectureArm64}
	})
	for _, name := range []string{"hello", "hello:$LATEST", "arn:aws:lambda:us-east-1:111122223333:function:hello", "111122223333:function:hello"} {
		got, err := c.client.GetFunction(ctx, &sdk.GetFunctionInput{FunctionName: &name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f := got.Configuration
		if *f.FunctionName != "hello" || f.State != types.StateActive || *f.MemorySize != 128 || f.Architectures[0] != types.ArchitectureArm64 || *f.LoggingConfig.LogGroup != "/shop/hello" || got.Tags["team"] != "shop" {
			t.Errorf("%s: got %+v, want the function", name, f)
		}
	}
	for _, name := range []string{"none", "hello:7"} {
		_, err := c.client.GetFunctionConfiguration(ctx, &sdk.GetFunctionConfigurationInput{FunctionName: &name})
		wantCode(t, err, "ResourceNotFoundException")
	}
	_, err := c.client.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: ptr("hello"), MemorySize: ptr(int32(256))})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.client.GetFunctionConfiguration(ctx, &sdk.GetFunctionConfigurationInput{FunctionName: ptr("hello")})
	if err != nil || *got.MemorySize != 256 || *got.Timeout != 20 {
		t.Errorf("after an update of the memory: got %+v (%v), want 256 MB and the rest as it was", got, err)
	}
	out, err := c.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: ptr("hello"), InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != 204 || len(c.lambda.Invocations()) != 0 {
		t.Errorf("DryRun: got %+v (%v), want 204 and no invocation", out, err)
	}
	_, err = c.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: ptr("hello"), Payload: []byte("{")})
	wantCode(t, err, "InvalidRequestContentException")

	for _, name := range []string{"hello2", "hello3"} {
		c.function(name, nil)
	}
	var names []string
	pages := sdk.NewListFunctionsPaginator(c.client, &sdk.ListFunctionsInput{MaxItems: ptr(int32(2))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Functions {
			names = append(names, *f.FunctionName)
		}
	}
	if diff := cmp.Diff([]string{"hello", "hello2", "hello3"}, names); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

func TestInvoke_AsksIAM(t *testing.T) {
	t.Parallel()
	c := start(t, only(quiet()))
	ctx := context.Background()
	c.function("hello", nil)
	c.function("hello2", nil)
	if _, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "caller", AssumeRolePolicyDocument: trust}); err != nil {
		t.Fatal(err)
	}
	_, err := c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: "caller", PolicyName: "p", PolicyDocument: `{"Statement":[
		{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:111122223333:function:hello"},
		{"Effect":"Allow","Action":["lambda:UpdateFunctionConfiguration","iam:PassRole"],"Resource":"*","Condition":{"StringEqualsIfExists":{"iam:PassedToService":"ecs.amazonaws.com"}}}]}`})
	if err != nil {
		t.Fatal(err)
	}
	creds, err := c.iam.Assume("arn:aws:iam::111122223333:role/caller", "caller")
	if err != nil {
		t.Fatal(err)
	}
	caller := c.as(creds.AccessKeyID)
	if _, err := caller.Invoke(ctx, &sdk.InvokeInput{FunctionName: ptr("hello")}); err != nil {
		t.Errorf("allowed function: got %v, want nil", err)
	}
	_, err = caller.Invoke(ctx, &sdk.InvokeInput{FunctionName: ptr("hello2")})
	wantCode(t, err, "AccessDeniedException")
	if _, err := caller.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: ptr("hello"), Timeout: ptr(int32(5))}); err != nil {
		t.Errorf("update without a role: got %v, want nil", err)
	}
	_, err = caller.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: ptr("hello"), Role: ptr(role)})
	wantCode(t, err, "AccessDeniedException")
}

func TestPermission_LetsServicesIn(t *testing.T) {
	t.Parallel()
	c := start(t, only(quiet()))
	ctx := context.Background()
	c.function("hello", nil)
	add := &sdk.AddPermissionInput{FunctionName: ptr("hello"), StatementId: ptr("rule"), Action: ptr("lambda:InvokeFunction"),
		Principal: ptr("events.amazonaws.com"), SourceArn: ptr("arn:aws:events:us-east-1:111122223333:rule/*-push")}
	if _, err := c.client.AddPermission(ctx, add); err != nil {
		t.Fatal(err)
	}
	_, err := c.client.AddPermission(ctx, add)
	wantCode(t, err, "ResourceConflictException")
	for source, want := range map[string]bool{"rule/shop-push": true, "rule/shop-pull": false} {
		if got := c.lambda.Permits("hello", "events.amazonaws.com", "arn:aws:events:us-east-1:111122223333:"+source); got != want {
			t.Errorf("Permits for %s: got %v, want %v", source, got, want)
		}
	}
	policy, err := c.client.GetPolicy(ctx, &sdk.GetPolicyInput{FunctionName: ptr("hello")})
	if err != nil || !json.Valid([]byte(*policy.Policy)) || !strings.Contains(*policy.Policy, `"Service":"events.amazonaws.com"`) {
		t.Errorf("policy: got %v (%v), want the statement", policy, err)
	}
	if _, err := c.client.RemovePermission(ctx, &sdk.RemovePermissionInput{FunctionName: ptr("hello"), StatementId: ptr("rule")}); err != nil {
		t.Fatal(err)
	}
	_, err = c.client.GetPolicy(ctx, &sdk.GetPolicyInput{FunctionName: ptr("hello")})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestEventInvokeConfig_PutDropsWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	c := start(t, only(quiet()))
	ctx := context.Background()
	c.function("hello", nil)
	_, err := c.client.GetFunctionEventInvokeConfig(ctx, &sdk.GetFunctionEventInvokeConfigInput{FunctionName: ptr("hello")})
	wantCode(t, err, "ResourceNotFoundException")
	for _, in := range []*sdk.PutFunctionEventInvokeConfigInput{{MaximumRetryAttempts: ptr(int32(0))}, {MaximumEventAgeInSeconds: ptr(int32(120)), Qualifier: ptr("$LATEST")}} {
		in.FunctionName = ptr("hello")
		if _, err := c.client.PutFunctionEventInvokeConfig(ctx, in); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.client.GetFunctionEventInvokeConfig(ctx, &sdk.GetFunctionEventInvokeConfigInput{FunctionName: ptr("hello")})
	if err != nil || *got.MaximumRetryAttempts != 2 || *got.MaximumEventAgeInSeconds != 120 {
		t.Errorf("got %+v (%v), want 2 retries and 120 s", got, err)
	}
	if _, err := c.client.DeleteFunctionEventInvokeConfig(ctx, &sdk.DeleteFunctionEventInvokeConfigInput{FunctionName: ptr("hello")}); err != nil {
		t.Fatal(err)
	}
	_, err = c.client.PutFunctionEventInvokeConfig(ctx, &sdk.PutFunctionEventInvokeConfigInput{FunctionName: ptr("hello"), MaximumRetryAttempts: ptr(int32(3)), MaximumEventAgeInSeconds: ptr(int32(1))})
	wantCode(t, err, "InvalidParameterValueException")
}

func TestResources_MakeChangeAndRemove(t *testing.T) {
	t.Parallel()
	c := start(t, only(quiet()))
	ctx := context.Background()
	kinds := map[string]resource.Type{}
	for _, typ := range c.lambda.Resources() {
		kinds[typ.Name] = typ
	}
	function := kinds["AWS::Lambda::Function"]
	r := resource.Request{StackName: "shop", StackID: "s", LogicalID: "hello", Properties: map[string]any{
		"Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role, "Timeout": "60", "ReservedConcurrentExecutions": 3,
		"Code":          map[string]any{"S3Bucket": "code", "S3Key": "v1.zip"},
		"Environment":   map[string]any{"Variables": map[string]any{"DEBUG": true}},
		"Tags":          []any{map[string]any{"Key": "team", "Value": "shop"}},
		"Architectures": []any{"arm64"},
	}}
	state, err := function.Create(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	name := state.PhysicalID
	if !strings.HasPrefix(name, "shop-hello-") || state.Attributes["Arn"] != "arn:aws:lambda:us-east-1:111122223333:function:"+name {
		t.Errorf("state: got %+v, want a generated name and its ARN", state)
	}
	if got := c.invoke(name, `{}`); got.Calls != 1 {
		t.Errorf("invoke by the handler of the logical id: got %+v, want its answer", got)
	}
	async := resource.Request{LogicalID: "Async", Properties: map[string]any{"FunctionName": name, "Qualifier": "$LATEST", "MaximumRetryAttempts": 0}}
	made, err := kinds["AWS::Lambda::EventInvokeConfig"].Create(ctx, async)
	if err != nil {
		t.Fatal(err)
	}
	async.PhysicalID = made.PhysicalID
	permission := resource.Request{StackName: "shop", LogicalID: "Permission", Properties: map[string]any{"FunctionName": state.Attributes["Arn"], "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}}
	if made, err = kinds["AWS::Lambda::Permission"].Create(ctx, permission); err != nil {
		t.Fatal(err)
	}
	permission.PhysicalID = made.PhysicalID

	r.PhysicalID, r.Previous = name, r.Properties
	r.Properties = map[string]any{
		"Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role,
		"Code": map[string]any{"S3Bucket": "code", "S3Key": "v2.zip"},
	}
	if _, err := function.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	got, err := c.client.GetFunction(ctx, &sdk.GetFunctionInput{FunctionName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if f := got.Configuration; *f.Timeout != 3 || f.Environment != nil || got.Concurrency != nil || f.Architectures[0] != types.ArchitectureX8664 || len(got.Tags) != 0 {
		t.Errorf("after an update without them: got %+v, want the defaults", f)
	}
	for range 2 {
		for kind, r := range map[string]resource.Request{"AWS::Lambda::EventInvokeConfig": async, "AWS::Lambda::Permission": permission} {
			if err := kinds[kind].Delete(ctx, r); err != nil {
				t.Errorf("delete %s: %v", kind, err)
			}
		}
		if err := function.Delete(ctx, r); err != nil {
			t.Errorf("delete function: %v", err)
		}
	}
	r.Properties = map[string]any{"Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role, "Layers": []any{"x"}, "Code": map[string]any{"S3Bucket": "code", "S3Key": "v1.zip"}}
	if _, err := function.Create(ctx, r); err == nil || !strings.Contains(err.Error(), "Layers") {
		t.Errorf("unknown property: got %v, want it named", err)
	}
}

func TestLogs_AsJSON(t *testing.T) {
	t.Parallel()
	c := start(t, only(quiet()))
	c.function("hello", func(in *sdk.CreateFunctionInput) {
		in.LoggingConfig = &types.LoggingConfig{LogFormat: types.LogFormatJson}
	})
	c.invoke("hello", `{}`)
	var kinds []string
	for _, line := range c.lines("hello") {
		var record struct {
			Type   string
			Record struct{ RequestID, Status string }
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Record.RequestID == "" {
			t.Errorf("line %q: %v, want JSON with the request id", line, err)
		}
		kinds = append(kinds, record.Type+" "+record.Record.Status)
	}
	if diff := cmp.Diff([]string{"platform.start ", "platform.report success"}, kinds); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
