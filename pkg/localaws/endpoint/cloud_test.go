package endpoint_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/elbv2"
	"cutover/pkg/localaws/endpoint"
)

func TestCloud_LimitsWhatComesByTheAPI(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(noon)
	cloud, err := localaws.New(localaws.Config{Clock: now, Dir: t.TempDir(), Limits: endpoint.AWSLimits()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("close the embedded AWS: %v", err)
		}
	})
	config := cloud.AWSConfig()
	config.RetryMaxAttempts = 1
	config.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	client := elb.NewFromConfig(config)
	// What services do on the account's behalf takes none of its tokens.
	for range 50 {
		if _, err := cloud.ELBV2.DescribeTags(t.Context(), &elbv2.DescribeTagsInput{}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() error {
		_, err := client.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(1)})
		return err
	}
	if got := granted(t, 60, read); got != 40 {
		t.Errorf("reads in a burst: got %d, want 40", got)
	}
	cloud.Limits.Set()
	if got := granted(t, 60, read); got != 60 {
		t.Errorf("reads once the limits are lifted: got %d, want 60", got)
	}
}
