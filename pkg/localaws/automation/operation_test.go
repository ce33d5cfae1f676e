package automation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

// serve answers the SDK's clients with what answer returns for a request's body.
func serve(t *testing.T, answer func(body string, r *http.Request) (status int, text string)) caller {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		status, text := answer(string(body), r)
		w.Header().Set("X-Amzn-RequestId", "req-7")
		w.WriteHeader(status)
		if _, err := io.WriteString(w, text); err != nil {
			t.Errorf("write answer: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return newClient(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	})
}

func TestClient_CallsEC2(t *testing.T) {
	t.Parallel()
	var asked string
	c := serve(t, func(body string, _ *http.Request) (int, string) {
		asked = body
		return 200, `<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><imagesSet><item>
			<imageId>ami-1</imageId><imageState>available</imageState><isPublic>false</isPublic>
			<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId><volumeSize>8</volumeSize></ebs></item></blockDeviceMapping>
			</item></imagesSet></DescribeImagesResponse>`
	})
	got, err := c.call(context.Background(), "ec2", "describe_images", obj("ImageIds", []any{"ami-1"}, "Filters", []any{obj("Name", "state", "Values", []any{"available"})}))
	if err != nil {
		t.Fatalf("call: %v", err)
	}
	want := obj("Images", []any{obj("ImageId", "ami-1", "State", "available", "Public", false,
		"BlockDeviceMappings", []any{obj("DeviceName", "/dev/xvda", "Ebs", obj("SnapshotId", "snap-1", "VolumeSize", int64(8)))})})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	for _, member := range []string{"Action=DescribeImages", "ImageId.1=ami-1", "Filter.1.Name=state", "Filter.1.Value.1=available"} {
		if !strings.Contains(asked, member) {
			t.Errorf("request: got %s, want %s in it", asked, member)
		}
	}
}

func TestClient_CallsSystemsManager(t *testing.T) {
	t.Parallel()
	c := serve(t, func(body string, r *http.Request) (int, string) {
		if got, want := r.Header.Get("X-Amz-Target"), "AmazonSSM.GetParameter"; got != want {
			t.Errorf("target: got %s, want %s", got, want)
		}
		return 200, `{"Parameter":{"Name":"/image","Type":"String","Value":"ami-1","Version":3,"LastModifiedDate":1772600767.5}}`
	})
	got, err := c.call(context.Background(), "ssm", "GetParameter", obj("Name", "/image"))
	if err != nil {
		t.Fatalf("call: %v", err)
	}
	want := obj("Parameter", obj("Name", "/image", "Type", "String", "Value", "ami-1", "Version", int64(3), "LastModifiedDate", "2026-03-04T05:06:07Z"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestClient_TellsErrorsApart(t *testing.T) {
	t.Parallel()
	ec2Error := func(code, message string) string {
		return "<Response><Errors><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error></Errors><RequestID>req-7</RequestID></Response>"
	}
	cases := map[string]struct {
		status    int
		text      string
		code      string
		kind      string
		transient bool
	}{
		"a denied call":     {403, ec2Error("UnauthorizedOperation", "You are not authorized to perform this operation."), "UnauthorizedOperation", "Permission", false},
		"a throttled call":  {503, ec2Error("RequestLimitExceeded", "Request limit exceeded."), "RequestLimitExceeded", "Throttling", true},
		"a server fault":    {500, ec2Error("InternalError", "An internal error has occurred"), "InternalError", "Internal", true},
		"an unknown image":  {400, ec2Error("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist"), "InvalidAMIID.NotFound", "Action", false},
		"an empty answer":   {502, "", "UnknownError", "Internal", true},
		"a forbidden thing": {403, ec2Error("OptInRequired", "You are not subscribed to this service."), "OptInRequired", "Permission", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			c := serve(t, func(string, *http.Request) (int, string) { calls++; return tc.status, tc.text })
			_, err := c.call(context.Background(), "ec2", "DeregisterImage", obj("ImageId", "ami-1"))
			var refused *callError
			if !errors.As(err, &refused) {
				t.Fatalf("call: got %v, want a refusal", err)
			}
			if refused.code != tc.code || refused.failureType() != tc.kind || refused.transient() != tc.transient {
				t.Errorf("error: got %s %s transient=%v, want %s %s %v", refused.code, refused.failureType(), refused.transient(), tc.code, tc.kind, tc.transient)
			}
			if calls != 1 {
				t.Errorf("calls: got %d, want 1: the engine's clock times the others", calls)
			}
			if refused.requestID != "req-7" {
				t.Errorf("request id: got %q, want req-7", refused.requestID)
			}
		})
	}
}

func TestClient_RefusesInputsThatDoNotFit(t *testing.T) {
	t.Parallel()
	c := serve(t, func(string, *http.Request) (int, string) {
		t.Error("the call went out")
		return 500, ""
	})
	_, err := c.call(context.Background(), "ec2", "RunInstances", obj("ImageId", "ami-1", "MinCount", "one", "Image", "x", "SecurityGroupIds", "sg-1"))
	want := `Parameter validation failed for RunInstances of ec2: Image: is unknown to the embedded AWS; MinCount: is the string "one", not a whole number in range; SecurityGroupIds: is the string "sg-1", not a list`
	if err == nil || err.Error() != want {
		t.Errorf("call: got %v, want %s", err, want)
	}
	if _, err := c.call(context.Background(), "ec2", "DescribeVpcs", nil); err == nil {
		t.Error("call of an operation that is not in the table: got no error")
	}
}

func TestClient_FailsWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	c := newClient(aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(server.URL), HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", "")})
	_, err := c.call(context.Background(), "sns", "Publish", obj("TopicArn", "arn:aws:sns:us-east-1:111122223333:t", "Message", "m"))
	var refused *callError
	if !errors.As(err, &refused) || !refused.transient() || refused.failureType() != "Internal" {
		t.Errorf("call: got %v, want one that may go through later", err)
	}
}

func TestOperations_AreNamedOnceEach(t *testing.T) {
	t.Parallel()
	all := Operations()
	if got := len(slices.Compact(slices.Sorted(slices.Values(all)))); got != len(all) || len(all) < 20 {
		t.Errorf("operations: got %d names for %d operations", got, len(all))
	}
	if !slices.Contains(all, "autoscaling UpdateAutoScalingGroup") {
		t.Errorf("operations: got %q, want UpdateAutoScalingGroup among them", all)
	}
	for service, name := range map[string]string{"ec2": "describeimages", "ssm": "DescribeImages", "": ""} {
		if _, ok := find(service, name); ok {
			t.Errorf("find %q %q: got one, want none", service, name)
		}
	}
}
