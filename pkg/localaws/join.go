package localaws

import (
	"context"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"cutover/pkg/localaws/alb"
	"cutover/pkg/localaws/cloudwatch"
	"cutover/pkg/localaws/codebuild"
	"cutover/pkg/localaws/codecommit"
	"cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/egress"
	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/lambda"
	"cutover/pkg/localaws/sns"
)

// The types here join services whose interfaces differ in their types only.

// bus lets services publish to EventBridge, which is made after them.
type bus struct{ cloud *Cloud }

func (b bus) Publish(source, detailType string, resources []string, detail any) {
	b.cloud.Events.Publish(source, detailType, resources, detail)
}

// builds lets CodePipeline run builds.
func (c *Cloud) builds() codepipeline.Builds {
	if c.config.Builds != nil {
		return c.config.Builds
	}
	return projects{c.CodeBuild}
}

type projects struct{ service *codebuild.Service }

func (p projects) Run(b codepipeline.Build, done func(codepipeline.Outcome)) (string, error) {
	return p.service.Run(codebuild.Build(b), func(o codebuild.Outcome) { done(codepipeline.Outcome(o)) })
}

// repositories lets CodePipeline read CodeCommit.
func (c *Cloud) repositories() codepipeline.Repositories {
	if c.config.Repositories != nil {
		return c.config.Repositories
	}
	return sources{c.CodeCommit}
}

type sources struct{ service *codecommit.Service }

func (r sources) Archive(name, revision string) (codepipeline.Commit, []byte, error) {
	c, archive, err := r.service.Archive(name, revision)
	return codepipeline.Commit{
		ID: c.ID, Message: c.Message, AuthorDate: c.AuthorDate, CommitterDate: c.CommitterDate,
	}, archive, err
}

// roles lets CodePipeline act in roles.
type roles struct{ *iam.Service }

func (r roles) Assume(roleARN, session string) (codepipeline.Credentials, error) {
	c, err := r.Service.AssumeAs("codepipeline.amazonaws.com", roleARN, session)
	return codepipeline.Credentials(c), err
}

func (c *Cloud) assumeForBuild(roleARN, session string) (codebuild.Credentials, error) {
	held, err := c.IAM.AssumeAs("codebuild.amazonaws.com", roleARN, session)
	return codebuild.Credentials{
		AccessKeyID: held.AccessKeyID, SecretAccessKey: held.SecretAccessKey, SessionToken: held.SessionToken,
	}, err
}

// taskEnvironment gives a task what ECS's agent would: where AWS is, and the
// credentials of its role.
func (c *Cloud) taskEnvironment(roleARN, taskID string) (map[string]string, error) {
	environment := map[string]string{"AWS_REGION": Region, "AWS_DEFAULT_REGION": Region, "AWS_ENDPOINT_URL": c.URL()}
	maps.Copy(environment, c.wayOut())
	if roleARN == "" {
		return environment, nil
	}
	held, err := c.IAM.AssumeAs("ecs-tasks.amazonaws.com", roleARN, taskID)
	if err != nil {
		return nil, err
	}
	environment["AWS_ACCESS_KEY_ID"] = held.AccessKeyID
	environment["AWS_SECRET_ACCESS_KEY"] = held.SecretAccessKey
	environment["AWS_SESSION_TOKEN"] = held.SessionToken
	return environment, nil
}

// wayOut is what functions and tasks must know to reach load balancers.
func (c *Cloud) wayOut() map[string]string {
	return egress.Environment(&url.URL{Scheme: "http", Host: c.Host()})
}

// functionTarget lets rules invoke functions.
type functionTarget struct{ service *lambda.Service }

// Deliver implements events.Target.
func (t functionTarget) Deliver(_ context.Context, arn string, event []byte) error {
	return t.service.InvokeAsync(arn, event)
}

// topicTarget lets rules publish to topics.
type topicTarget struct{ service *sns.Service }

// Deliver implements events.Target.
func (t topicTarget) Deliver(_ context.Context, arn string, event []byte) error {
	return t.service.Publish(arn, "", string(event))
}

// balancerMetrics hands what load balancers count to CloudWatch.
type balancerMetrics struct {
	service *cloudwatch.Service
	logger  *slog.Logger
}

// Put implements alb.Metrics.
func (m balancerMetrics) Put(start time.Time, samples []alb.Sample) {
	const most = 500 // in one call
	for part := range slices.Chunk(samples, most) {
		in := &cloudwatch.PutMetricDataInput{Namespace: "AWS/ApplicationELB"}
		for _, s := range part {
			in.MetricData = append(in.MetricData, datum(start, s))
		}
		if _, err := m.service.Record(in); err != nil {
			m.logger.Error("metrics of load balancers lost", "error", err)
		}
	}
}

func datum(start time.Time, s alb.Sample) cloudwatch.MetricDatum {
	d := cloudwatch.MetricDatum{
		MetricName: s.Name, Timestamp: start, Unit: s.Unit,
		Dimensions: []cloudwatch.Dimension{{Name: "LoadBalancer", Value: s.LoadBalancer}},
	}
	if s.TargetGroup != "" {
		d.Dimensions = append(d.Dimensions, cloudwatch.Dimension{Name: "TargetGroup", Value: s.TargetGroup})
	}
	if len(s.Values) > 0 {
		d.Values, d.Counts = s.Values, s.Counts
	} else {
		d.StatisticValues = &cloudwatch.StatisticSet{SampleCount: s.SampleCount, Sum: s.Sum, Minimum: s.Minimum, Maximum: s.Maximum}
	}
	return d
}
