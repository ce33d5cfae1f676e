package endpoint

import "slices"

// AWSLimits are the limits that AWS publishes as an account's defaults, for the
// operations that releases lean on. What AWS gives as requests per second, with
// no word on bursts, is a bucket of one second's requests. Operations that AWS
// publishes no figure for (those of Auto Scaling, CodeDeploy, CodePipeline,
// Systems Manager outside Parameter Store, S3's per prefix) are not limited: a
// guess would prove nothing.
func AWSLimits() []Limit {
	return slices.Concat(balancerLimits(), containerLimits(), alarmLimits(), parameterLimits(), instanceLimits(), functionLimits())
}

// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
// What ECS, Auto Scaling and CloudFormation do on the account's behalf has
// buckets of its own.
func balancerLimits() []Limit {
	const service = "elasticloadbalancing"
	return []Limit{
		{Service: service, Operations: []string{"CreateLoadBalancer", "SetSubnets"}, Burst: 10, Refill: 0.2},
		{Service: service, Operations: []string{"RegisterTargets", "DeregisterTargets"}, Burst: 20, Refill: 4},
		{Service: service, Operations: []string{"Describe*"}, Burst: 40, Refill: 10},
		{Service: service, Operations: []string{"Add*", "Create*", "Delete*", "Modify*", "Remove*", "Set*"}, Burst: 20, Refill: 3},
	}
}

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/request-throttling.html
func containerLimits() []Limit {
	const service = "ecs"
	return []Limit{
		{Service: service, Operations: []string{"CreateCluster", "DeleteCluster", "PutClusterCapacityProviders", "UpdateCluster", "UpdateClusterSettings"}, Burst: 20, Refill: 1},
		{Service: service, Operations: []string{"DescribeClusters", "ListClusters"}, Burst: 50, Refill: 20},
		{Service: service, Operations: []string{"DeregisterTaskDefinition", "RegisterTaskDefinition"}, Burst: 20, Refill: 1},
		{Service: service, Operations: []string{"DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"}, Burst: 50, Refill: 20},
		{Service: service, Operations: []string{"DeleteTaskDefinitions"}, Burst: 5, Refill: 1},
		{Service: service, Operations: []string{"TagResource", "UntagResource"}, Burst: 20, Refill: 10},
		{Service: service, Operations: []string{"ListTagsForResource"}, Burst: 50, Refill: 20},
		{Service: service, Operations: []string{"RunTask", "StartTask", "StopTask", "ExecuteCommand"}, Burst: 100, Refill: 40},
		{Service: service, Operations: []string{"DescribeTasks", "ListTasks", "DescribeContainerInstances", "ListContainerInstances"}, Burst: 100, Refill: 20},
		{Service: service, Operations: []string{"CreateService", "DeleteService", "UpdateService"}, Burst: 50, Refill: 5},
		{Service: service, Operations: []string{"DescribeServices", "ListServices"}, Burst: 100, Refill: 20},
		{Service: service, Operations: []string{"DescribeServiceDeployments", "ListServiceDeployments"}, Burst: 50, Refill: 20},
		{Service: service, Operations: []string{"DescribeServiceRevisions"}, Burst: 50, Refill: 20},
		{Service: service, Operations: []string{"GetTaskProtection", "UpdateTaskProtection"}, Burst: 200, Refill: 80},
	}
}

// https://docs.aws.amazon.com/general/latest/gr/cw_region.html: each operation by
// itself. Its limits on datapoints are not among these.
func alarmLimits() []Limit {
	perSecond := func(rate float64, operations ...string) Limit {
		return Limit{Service: "monitoring", Operations: operations, Each: true, Burst: rate, Refill: rate}
	}
	return []Limit{
		perSecond(3, "DeleteAlarms", "DisableAlarmActions", "EnableAlarmActions", "PutCompositeAlarm", "PutMetricAlarm", "SetAlarmState"),
		perSecond(9, "DescribeAlarms", "DescribeAlarmsForMetric"),
		perSecond(10, "ListTagsForResource"),
		perSecond(20, "DescribeAlarmHistory", "TagResource", "UntagResource"),
		perSecond(25, "ListMetrics"),
		perSecond(400, "GetMetricStatistics"),
		perSecond(500, "GetMetricData", "PutMetricData"),
	}
}

// https://docs.aws.amazon.com/general/latest/gr/ssm.html, at Parameter Store's
// default throughput: reads share one bucket.
func parameterLimits() []Limit {
	return []Limit{
		{Service: "ssm", Operations: []string{"GetParameter", "GetParameters", "GetParametersByPath"}, Burst: 40, Refill: 40},
		{Service: "ssm", Operations: []string{"PutParameter", "DeleteParameter"}, Each: true, Burst: 3, Refill: 3},
	}
}

// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html: each
// operation by itself. The smaller buckets of reads without filter or page are
// not among these, nor those of the operations that it lists one by one.
func instanceLimits() []Limit {
	return []Limit{{Service: "ec2", Operations: []string{"Describe*", "Get*", "List*", "Search*"}, Each: true, Burst: 100, Refill: 20}}
}

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: the
// control plane, all operations but two together. Invocations are limited by
// concurrency.
func functionLimits() []Limit {
	const service = "lambda"
	return []Limit{
		{Service: service, Operations: []string{"GetFunction"}, Burst: 100, Refill: 100},
		{Service: service, Operations: []string{"GetPolicy"}, Burst: 15, Refill: 15},
		{Service: service, Operations: []string{"Add*", "Create*", "Delete*", "Get*", "List*", "Put*", "Remove*", "Tag*", "Untag*", "Update*"}, Burst: 15, Refill: 15},
	}
}
