package iam

// awsManaged gives AWS's own managed policies that the embedded AWS knows, by
// their path below arn:aws:iam::aws:policy/. Any other is refused by name.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
func awsManaged(path string) (text string, ok bool) {
	switch path {
	case "service-role/AWSLambdaBasicExecutionRole":
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`, true
	case "AWSXRayDaemonWriteAccess", "AWSXrayWriteOnlyAccess":
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["xray:PutTraceSegments","xray:PutTelemetryRecords","xray:GetSamplingRules","xray:GetSamplingTargets","xray:GetSamplingStatisticSummaries"],"Resource":["*"]}]}`, true
	case "service-role/AmazonECSTaskExecutionRolePolicy":
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`, true
	}
	return "", false
}

// awsManagedPaths lists what awsManaged knows.
func awsManagedPaths() []string {
	return []string{
		"AWSXRayDaemonWriteAccess",
		"AWSXrayWriteOnlyAccess",
		"service-role/AWSLambdaBasicExecutionRole",
		"service-role/AmazonECSTaskExecutionRolePolicy",
	}
}
