package cloudwatch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
)

// balancer is a load balancer that sends /green to group green and all else to
// blue; green's health check fails. An alarm watches green's failures.
const balancer = `
Parameters:
  Port: {Type: String}
Resources:
  VPC: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  SubnetA: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref VPC, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a}}
  SubnetB: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref VPC, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1b}}
  Web:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {Name: web, Subnets: [!Ref SubnetA, !Ref SubnetB]}
  Blue:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      Name: blue
      Port: 80
      Protocol: HTTP
      VpcId: !Ref VPC
      TargetType: ip
      HealthCheckPath: /
      HealthCheckIntervalSeconds: 5
      HealthCheckTimeoutSeconds: 2
      HealthyThresholdCount: 2
      Targets: [{Id: 127.0.0.1, Port: !Ref Port, AvailabilityZone: all}]
  Green:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      Name: green
      Port: 80
      Protocol: HTTP
      VpcId: !Ref VPC
      TargetType: ip
      HealthCheckPath: /fail
      HealthCheckIntervalSeconds: 5
      HealthCheckTimeoutSeconds: 2
      UnhealthyThresholdCount: 2
      Targets: [{Id: 127.0.0.1, Port: !Ref Port, AvailabilityZone: all}]
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Web
      Port: 80
      Protocol: HTTP
      DefaultActions: [{Type: forward, TargetGroupArn: !Ref Blue}]
  Rule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 1
      Conditions: [{Field: path-pattern, Values: [/green/*]}]
      Actions: [{Type: forward, TargetGroupArn: !Ref Green}]
  Failures:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: failures
      Namespace: AWS/ApplicationELB
      MetricName: HTTPCode_Target_5XX_Count
      Dimensions:
        - {Name: TargetGroup, Value: !GetAtt Green.TargetGroupFullName}
        - {Name: LoadBalancer, Value: !GetAtt Web.LoadBalancerFullName}
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 2
      ComparisonOperator: GreaterThanOrEqualToThreshold
      TreatMissingData: notBreaching
Outputs:
  web: {Value: !GetAtt Web.LoadBalancerFullName}
  blue: {Value: !GetAtt Blue.TargetGroupFullName}
  green: {Value: !GetAtt Green.TargetGroupFullName}
`

// Release decisions read these metrics, by target group and load balancer.
func TestGetMetricData_OfTargetGroups(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(noon)
	cloud, err := localaws.New(localaws.Config{Clock: now, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close the embedded AWS: %v", err)
		}
	})
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/fail") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(target.Close)
	_, port, _ := strings.Cut(target.Listener.Addr().String(), ":")
	if err := cloud.CloudFormation.Deploy(t.Context(), cloudformation.Stack{
		Name: "balancer", Template: []byte(balancer), Parameters: map[string]string{"Port": port},
	}); err != nil {
		t.Fatal(err)
	}
	names := cloud.CloudFormation.Outputs("balancer")
	config := cloud.AWSConfig()
	config.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	client := sdk.NewFromConfig(config)

	now.Advance(time.Minute) // both are checked
	address, _ := cloud.ELBV2.Listens("web", 80)
	paths := []string{"/", "/", "/", "/fail", "/green/", "/green/fail", "/green/fail"}
	for _, path := range paths {
		response, err := config.HTTPClient.Do(request(t, "http://"+address+path))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	await(t, "the load balancer's records", func() bool { return len(cloud.ELBV2.Plane.Records(names["web"])) == len(paths) })
	minute := now.Now()
	now.Advance(time.Minute)

	stats := map[string][2]string{ // metric and statistic
		"requests": {"RequestCount", "Sum"}, "failures": {"HTTPCode_Target_5XX_Count", "Sum"},
		"times": {"TargetResponseTime", "SampleCount"}, "p99": {"TargetResponseTime", "p99"},
		"healthy": {"HealthyHostCount", "Minimum"}, "unhealthy": {"UnHealthyHostCount", "Maximum"},
	}
	var queries []types.MetricDataQuery
	for len(queries)+2*len(stats) <= 500 { // as many as one call takes
		for _, group := range []string{"blue", "green"} {
			for name, s := range stats {
				queries = append(queries, types.MetricDataQuery{
					Id: aws.String(fmt.Sprintf("%s_%s_%d", name, group, len(queries))), Label: aws.String(name + " of " + group),
					MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: &s[1], Metric: &types.Metric{
						Namespace: aws.String("AWS/ApplicationELB"), MetricName: &s[0],
						Dimensions: []types.Dimension{{Name: aws.String("TargetGroup"), Value: aws.String(names[group])}, {Name: aws.String("LoadBalancer"), Value: aws.String(names["web"])}},
					}},
				})
			}
		}
	}
	out, err := client.GetMetricData(t.Context(), &sdk.GetMetricDataInput{MetricDataQueries: queries, StartTime: &minute, EndTime: aws.Time(now.Now())})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(out.MetricDataResults); got != len(queries) {
		t.Errorf("results: got %d, want %d", got, len(queries))
	}
	got := map[string]float64{}
	for _, r := range out.MetricDataResults {
		if len(r.Values) != 1 || r.StatusCode != types.StatusCodeComplete || !r.Timestamps[0].Equal(minute) {
			t.Errorf("%s: got %v at %v, %s, want one value of the minute", *r.Id, r.Values, r.Timestamps, r.StatusCode)
			continue
		}
		if before, again := got[*r.Label]; again && before != r.Values[0] {
			t.Errorf("%s: got %v and %v for the same query", *r.Label, before, r.Values[0])
		}
		got[*r.Label] = r.Values[0]
	}
	for _, group := range []string{"blue", "green"} {
		if p99 := got["p99 of "+group]; p99 <= 0 || p99 > 60 {
			t.Errorf("p99 of %s: got %v, want some seconds", group, p99)
		}
		delete(got, "p99 of "+group)
	}
	want := map[string]float64{
		"requests of blue": 4, "failures of blue": 1, "times of blue": 4, "healthy of blue": 1, "unhealthy of blue": 0,
		"requests of green": 3, "failures of green": 2, "times of green": 3, "healthy of green": 0, "unhealthy of green": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values of the minute (-want +got):\n%s", diff)
	}
	history, err := client.DescribeAlarmHistory(t.Context(), &sdk.DescribeAlarmHistoryInput{AlarmName: aws.String("failures"), HistoryItemType: types.HistoryItemTypeStateUpdate})
	if err != nil {
		t.Fatal(err)
	}
	if len(history.AlarmHistoryItems) == 0 || !strings.HasSuffix(*history.AlarmHistoryItems[0].HistorySummary, "to ALARM") {
		t.Errorf("history of the alarm: got %+v, want its change to ALARM last", history.AlarmHistoryItems)
	}
}

func request(t *testing.T, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// await polls, as what it waits for happens in real time.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: got none within ten seconds", what)
		}
	}
}
