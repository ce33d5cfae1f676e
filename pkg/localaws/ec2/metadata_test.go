package ec2_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/ec2"
)

// serveMetadata serves the metadata of all instances and returns where one finds its own.
func serveMetadata(t *testing.T, p *place) (base func(id string) string, client *http.Client) {
	t.Helper()
	server := httptest.NewServer(p.service.Metadata())
	t.Cleanup(server.Close)
	client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(id string) string { return server.URL + "/imds/" + id }, client
}

func TestMetadata_TellsTheSDKWhoItIs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := p.input(p.amazon())
	in.UserData = encoded("#!/bin/sh\ntrue\n")
	in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Arn: aws.String("arn:aws:iam::111122223333:instance-profile/web")}
	in.MetadataOptions = &types.InstanceMetadataOptionsRequest{InstanceMetadataTags: types.InstanceMetadataTagsStateEnabled}
	in.TagSpecifications = []types.TagSpecification{tagged(types.ResourceTypeInstance, "Name", "builder")}
	id := p.run(t, in)
	base, transport := serveMetadata(t, p)
	host := strings.TrimPrefix(strings.TrimSuffix(base(""), "/imds/"), "http://")
	client := imds.New(imds.Options{Endpoint: ec2.MetadataEndpoint(host, id), HTTPClient: transport})

	for path, want := range map[string]string{
		"ami-id": p.amazon(), "instance-id": id, "instance-type": "t3.micro", "local-ipv4": "10.0.1.4", "hostname": "ip-10-0-1-4.ec2.internal",
		"placement/availability-zone": "us-east-1b", "placement/region": "us-east-1", "placement/": "availability-zone\nregion",
		"iam/security-credentials/": "web", "tags/instance/Name": "builder", "tags/instance": "Name",
	} {
		out, err := client.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: path})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got, err := io.ReadAll(out.Content)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q (error %v), want %q", path, got, err, want)
		}
	}
	data, err := client.GetUserData(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(data.Content); err != nil || string(text) != "#!/bin/sh\ntrue\n" {
		t.Errorf("user data: got %q (error %v)", text, err)
	}
	document, err := client.GetInstanceIdentityDocument(t.Context(), nil)
	if err != nil || document.InstanceID != id || document.ImageID != p.amazon() || document.Region != "us-east-1" || document.AccountID != "111122223333" || document.Architecture != "x86_64" {
		t.Errorf("identity: got %+v (error %v)", document, err)
	}
	held, err := ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = client }).Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := []string{held.AccessKeyID, held.SecretAccessKey, held.SessionToken}
	if diff := cmp.Diff([]string{"ASIA" + id, "secret of " + role, "session"}, got); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
}

func TestMetadata_Sessions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	second := p.run(t, p.input(p.amazon())) // Amazon Linux 2023 has version 2 only
	in := p.input(p.amazon())
	in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: types.HttpTokensStateOptional}
	first := p.run(t, in)
	in.ClientToken = nil // which the SDK has set
	in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpEndpoint: types.InstanceMetadataEndpointStateDisabled}
	closed := p.run(t, in)
	base, client := serveMetadata(t, p)
	ask := func(method, url string, header ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	const ttl, held = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
	status, token := ask("PUT", base(second)+"/latest/api/token", ttl, "60")
	if status != 200 || token == "" || strings.ContainsAny(token, " \n") {
		t.Fatalf("begin a session: got %d %q", status, token)
	}
	for _, c := range []struct {
		what, method, url string
		header            []string
		want              int
	}{
		{"with a token", "GET", base(second) + "/latest/meta-data/instance-id", []string{held, token}, 200},
		{"version 1 where version 2 is required", "GET", base(second) + "/latest/meta-data/instance-id", nil, 401},
		{"version 1 where it is allowed", "GET", base(first) + "/latest/meta-data/instance-id", nil, 200},
		{"the token of another instance", "GET", base(first) + "/latest/meta-data/instance-id", []string{held, token}, 401},
		{"a session of seven hours", "PUT", base(second) + "/latest/api/token", []string{ttl, "25200"}, 400},
		{"a session without an end", "PUT", base(second) + "/latest/api/token", nil, 400},
		{"a path of nothing", "GET", base(second) + "/latest/meta-data/colour", []string{held, token}, 404},
		{"no user data", "GET", base(second) + "/latest/user-data", []string{held, token}, 404},
		{"a role that it does not have", "GET", base(second) + "/latest/meta-data/iam/security-credentials/web", []string{held, token}, 404},
		{"tags that are not to be shown", "GET", base(second) + "/latest/meta-data/tags/instance", []string{held, token}, 404},
		{"metadata that is closed", "PUT", base(closed) + "/latest/api/token", []string{ttl, "60"}, 403},
		{"an instance that is not there", "PUT", base("i-0123456789abcdef0") + "/latest/api/token", []string{ttl, "60"}, 404},
	} {
		if got, body := ask(c.method, c.url, c.header...); got != c.want {
			t.Errorf("%s: got %d %q, want %d", c.what, got, body, c.want)
		}
	}
}
