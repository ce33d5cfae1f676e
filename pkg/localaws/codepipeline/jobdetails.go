package codepipeline

import (
	"context"
	"fmt"

	"cutover/pkg/localaws/wire"
)

// GetJobDetailsInput is the input of GetJobDetails.
type GetJobDetailsInput struct {
	JobId string `aws:",required"`
}

// GetJobDetailsOutput is its output.
type GetJobDetailsOutput struct{ JobDetails JobDetails }

// JobDetails is a job with its place in the pipeline.
type JobDetails struct {
	Id        string
	AccountId string
	Data      JobData
}

// JobData is what an event carries, and where the job belongs.
type JobData struct {
	ActionTypeId        ActionType
	ActionConfiguration struct{ Configuration map[string]string }
	PipelineContext     PipelineContext
	InputArtifacts      []JobArtifact
	OutputArtifacts     []JobArtifact
	ArtifactCredentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	ContinuationToken   string
	EncryptionKey       *EncryptionKey
}

// PipelineContext is where a job belongs.
type PipelineContext struct {
	PipelineName        string
	Stage               struct{ Name string }
	Action              struct{ Name, ActionExecutionId string }
	PipelineArn         string
	PipelineExecutionId string
}

// A JobArtifact is an artifact as a job sees it.
type JobArtifact struct {
	Name     string
	Revision *string
	Location struct {
		Type       string
		S3Location struct{ BucketName, ObjectKey string } `aws:"s3Location"`
	}
}

// GetJobDetails returns a job with fresh credentials.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GetJobDetails.html
func (s *Service) GetJobDetails(_ context.Context, in *GetJobDetailsInput) (*GetJobDetailsOutput, error) {
	var v lengths
	v.job(in.JobId)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	j, ok := s.jobs[in.JobId]
	s.mu.Unlock()
	if !ok {
		return nil, wire.Errorf("JobNotFoundException", "Could not find the job %s", in.JobId)
	}
	// A job and its run's beginnings never change: no lock is needed any more.
	r := j.run
	credentials, err := s.credentials(r)
	if err != nil {
		return nil, fmt.Errorf("assume role %s: %w", r.role(), err)
	}
	details := JobDetails{Id: j.id, AccountId: s.Account}
	d := &details.Data
	d.ActionTypeId = r.action.ActionTypeId
	d.ActionConfiguration.Configuration = r.configuration
	d.PipelineContext.PipelineName = r.execution.structure.Name
	d.PipelineContext.PipelineArn = s.arn(r.execution.structure.Name)
	d.PipelineContext.PipelineExecutionId = r.execution.id
	d.PipelineContext.Stage.Name = r.stage
	d.PipelineContext.Action.Name = r.action.Name
	d.PipelineContext.Action.ActionExecutionId = r.id
	d.InputArtifacts = jobArtifacts(r.inputs)
	d.OutputArtifacts = jobArtifacts(r.outputs)
	d.ArtifactCredentials.AccessKeyId = credentials.AccessKeyID
	d.ArtifactCredentials.SecretAccessKey = credentials.SecretAccessKey
	d.ArtifactCredentials.SessionToken = credentials.SessionToken
	d.ContinuationToken = j.token
	d.EncryptionKey = r.execution.structure.ArtifactStore.EncryptionKey
	return &GetJobDetailsOutput{JobDetails: details}, nil
}

func jobArtifacts(artifacts []artifact) []JobArtifact {
	all := make([]JobArtifact, len(artifacts))
	for i, a := range artifacts {
		all[i].Name, all[i].Revision = a.Name, a.Revision
		all[i].Location.Type = "S3"
		all[i].Location.S3Location.BucketName = a.Bucket
		all[i].Location.S3Location.ObjectKey = a.Key
	}
	return all
}
