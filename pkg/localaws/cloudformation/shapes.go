package cloudformation

import "time"

// A Parameter is a parameter's value.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Parameter.html
type Parameter struct {
	ParameterKey     string
	ParameterValue   *string
	UsePreviousValue *bool
}

// A ShownParameter is a parameter as a stack shows it.
type ShownParameter struct {
	ParameterKey   string
	ParameterValue *string // **** where the template says NoEcho
	ResolvedValue  string  // from Parameter Store
}

// A Tag of a stack.
type Tag struct {
	Key   string `aws:",required"`
	Value string `aws:",required"`
}

// An Output of a stack.
type Output struct {
	OutputKey   string
	OutputValue string
	Description string
	ExportName  string
}

// A DriftInformation says that drift is never looked for.
type DriftInformation struct{ StackDriftStatus string }

// A ResourceDriftInformation says the same of a resource.
type ResourceDriftInformation struct{ StackResourceDriftStatus string }

// A StackDescription is a stack as DescribeStacks shows it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html
type StackDescription struct {
	StackId           string
	StackName         string
	ChangeSetId       string
	Description       string
	Parameters        []ShownParameter
	CreationTime      time.Time
	LastUpdatedTime   time.Time
	DeletionTime      time.Time
	StackStatus       string
	StackStatusReason string
	DisableRollback   bool
	Capabilities      []string
	Outputs           []Output
	Tags              []Tag
	DriftInformation  DriftInformation
}

// A StackSummary is a stack as ListStacks shows it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSummary.html
type StackSummary struct {
	StackId             string
	StackName           string
	TemplateDescription string
	CreationTime        time.Time
	LastUpdatedTime     time.Time
	DeletionTime        time.Time
	StackStatus         string
	StackStatusReason   string
	DriftInformation    DriftInformation
}

// A StackEvent is something that happened to a stack or one of its resources.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html
type StackEvent struct {
	StackId              string
	EventId              string
	StackName            string
	LogicalResourceId    string
	PhysicalResourceId   string
	ResourceType         string
	Timestamp            time.Time
	ResourceStatus       string
	ResourceStatusReason string
}

// A StackResource is a resource as DescribeStackResources shows it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResource.html
type StackResource struct {
	StackName            string
	StackId              string
	LogicalResourceId    string
	PhysicalResourceId   string
	ResourceType         string
	Timestamp            time.Time
	ResourceStatus       string
	ResourceStatusReason string
	DriftInformation     ResourceDriftInformation
}

// A StackResourceDetail is a resource as DescribeStackResource shows it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceDetail.html
type StackResourceDetail struct {
	StackName            string
	StackId              string
	LogicalResourceId    string
	PhysicalResourceId   string
	ResourceType         string
	LastUpdatedTimestamp time.Time
	ResourceStatus       string
	ResourceStatusReason string
	Metadata             string // as JSON
	DriftInformation     ResourceDriftInformation
}

// A StackResourceSummary is a resource as ListStackResources shows it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceSummary.html
type StackResourceSummary struct {
	LogicalResourceId    string
	PhysicalResourceId   string
	ResourceType         string
	LastUpdatedTimestamp time.Time
	ResourceStatus       string
	ResourceStatusReason string
	DriftInformation     ResourceDriftInformation
}
