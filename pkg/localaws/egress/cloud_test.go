package egress_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/lambda"
	"cutover/pkg/localaws/workload"
)

// site is a load balancer with a listener that has a target group, an HTTPS one
// that answers by itself, a function, and a task.
const site = `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Caller:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: caller
      Runtime: provided.al2023
      Handler: bootstrap
      Role: !GetAtt Role.Arn
      Code: {S3Bucket: code, S3Key: caller.zip}
      Environment: {Variables: {no_proxy: "*"}}
  VPC: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  SubnetA: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref VPC, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a}}
  SubnetB: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref VPC, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1b}}
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {Name: web, Subnets: [!Ref SubnetA, !Ref SubnetB]}
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {Name: blue, Port: 80, Protocol: HTTP, VpcId: !Ref VPC, TargetType: ip}
  Test:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: 8080
      Protocol: HTTP
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Group}]
  Secure:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: 8443
      Protocol: HTTPS
      Certificates: [{CertificateArn: "arn:aws:acm:us-east-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"}]
      DefaultActions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: "200", MessageBody: secure}}]
  Cluster: {Type: AWS::ECS::Cluster}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      Cpu: "256"
      Memory: "512"
      ContainerDefinitions: [{Name: web, Image: web, Essential: true, PortMappings: [{ContainerPort: 80}]}]
  Service:
    Type: AWS::ECS::Service
    DependsOn: Test
    Properties:
      ServiceName: web
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Task
      LaunchType: FARGATE
      DesiredCount: 1
      NetworkConfiguration: {AwsvpcConfiguration: {Subnets: [!Ref SubnetA, !Ref SubnetB]}}
      LoadBalancers: [{TargetGroupArn: !Ref Group, ContainerName: web, ContainerPort: 80}]
Outputs:
  DNSName: {Value: !GetAtt Balancer.DNSName}
`

// caller is a function that asks addresses as its environment says.
type caller struct {
	transport *http.Transport
}

func (c caller) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	var addresses []string
	if err := json.Unmarshal(payload, &addresses); err != nil {
		return nil, err
	}
	var answers []string
	for _, address := range addresses {
		answers = append(answers, read((&http.Client{Transport: c.transport}).Get(address)))
	}
	return json.Marshal(answers)
}

func read(response *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(response.StatusCode, " ", strings.TrimSpace(string(body)))
}

func TestCloud_FunctionsAndTasksReachLoadBalancersByName(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	roots := x509.NewCertPool()
	make := func(env map[string]string) lambda.Handler {
		proxy, err := url.Parse(env["HTTP_PROXY"])
		if err != nil {
			t.Errorf("HTTP_PROXY: %v", err)
		}
		if got := env["no_proxy"]; got != "*" {
			t.Errorf("a variable of the function's own: got %q, want it to take precedence", got)
		}
		transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
		t.Cleanup(transport.CloseIdleConnections)
		return caller{transport}
	}
	// The task answers with the proxy that it finds.
	task := func(task *workload.Task) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, r.Host, task.Env["HTTP_PROXY"], task.Env["NO_PROXY"])
		})
	}
	cloud, err := localaws.New(localaws.Config{
		Clock: now, Dir: t.TempDir(), Runner: workload.NewInProcess(now, workload.Images{"web": task}),
		Handlers: map[string]func(map[string]string) lambda.Handler{"caller": make},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close the embedded AWS: %v", err)
		}
	})
	certificate, err := cloud.ELBV2.Plane.Certificate()
	if err != nil || !roots.AppendCertsFromPEM(certificate) {
		t.Fatalf("certificate of listeners: got %s, %v", certificate, err)
	}
	name := deploy(t, cloud)
	healthy := now.AdvanceUntil(5*time.Minute, func() bool {
		answers := invoke(t, cloud, "http://"+name+":8080/")
		return strings.HasPrefix(answers[0], "200 ")
	})
	if !healthy {
		t.Fatalf("the task by its load balancer: got %q, want it within five minutes", invoke(t, cloud, "http://"+name+":8080/"))
	}
	want := []string{
		"200 " + name + ":8080 " + cloud.URL() + " 127.0.0.1,::1",
		"200 secure",
		"403 no listener of a load balancer at " + name + ": functions and tasks of the embedded AWS reach its own load balancers only, at NAME.REGION.elb.localhost and a listener's port",
	}
	got := invoke(t, cloud, "http://"+name+":8080/", "https://"+name+":8443/", "http://"+name+"/")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// deploy makes the site and returns its load balancer's DNS name.
func deploy(t *testing.T, cloud *localaws.Cloud) string {
	t.Helper()
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
	if err := cloud.S3.Put("code", "caller.zip", code.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := cloud.CloudFormation.Deploy(t.Context(), cloudformation.Stack{Name: "site", Template: []byte(site)}); err != nil {
		t.Fatal(err)
	}
	return cloud.CloudFormation.Outputs("site")["DNSName"]
}

// invoke lets the function ask and returns the answers. The SDK's client has no
// proxy: what it finds in this process's environment must not matter.
func invoke(t *testing.T, cloud *localaws.Cloud, addresses ...string) []string {
	t.Helper()
	payload, err := json.Marshal(addresses)
	if err != nil {
		t.Fatal(err)
	}
	config := cloud.AWSConfig()
	config.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	out, err := sdk.NewFromConfig(config).Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("caller"), Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError != nil {
		t.Fatalf("function: got error %s: %s", *out.FunctionError, out.Payload)
	}
	var answers []string
	if err := json.Unmarshal(out.Payload, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}
