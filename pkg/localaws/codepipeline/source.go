package codepipeline

import (
	"fmt"
	"time"

	"cutover/pkg/localaws/wire"
)

// Repositories is what pipelines ask of CodeCommit.
type Repositories interface {
	// Archive returns a commit, named by its id or a branch, and its tree as a
	// zip.
	Archive(repository, revision string) (Commit, []byte, error)
}

// A Commit is what a source action found.
type Commit struct {
	ID, Message               string
	AuthorDate, CommitterDate string
}

// codeCommit takes the tip of a branch, or the commit that the execution was
// started for.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html
func codeCommit() provider {
	return provider{
		outputs:  [2]int{1, 1},
		required: []string{"RepositoryName", "BranchName"},
		optional: []string{"PollForSourceChanges", "OutputArtifactFormat"},
		check: func(a Action) []string {
			var faults []string
			if a.Configuration["PollForSourceChanges"] != "false" {
				faults = append(faults, "configuration PollForSourceChanges is not false, and the embedded AWS does not poll; let an EventBridge rule start the pipeline")
			}
			if format, given := a.Configuration["OutputArtifactFormat"]; given && format != "CODE_ZIP" {
				faults = append(faults, fmt.Sprintf("configuration OutputArtifactFormat %s is not served by the embedded AWS, only CODE_ZIP is", format))
			}
			return faults
		},
		run: (*Service).fetch,
	}
}

func (s *Service) fetch(r *actionRun) {
	repository, branch := r.configuration["RepositoryName"], r.configuration["BranchName"]
	arn := "arn:aws:codecommit:" + s.Region + ":" + s.Account + ":" + repository
	denied := s.permit(r,
		wire.Access{Action: "codecommit:GetBranch", Resource: arn},
		wire.Access{Action: "codecommit:GetCommit", Resource: arn},
		wire.Access{Action: "codecommit:UploadArchive", Resource: arn},
		wire.Access{Action: "codecommit:GetUploadArchiveStatus", Resource: arn},
		wire.Access{Action: "s3:PutObject", Resource: r.outputs[0].arn()})
	if denied != "" {
		s.fail(r, "PermissionError", denied)
		return
	}
	wanted := branch
	if override := r.execution.overrides[r.action.Name]; override != "" {
		wanted = override
	}
	commit, archive, err := s.Repositories.Archive(repository, wanted)
	if err != nil {
		s.fail(r, "ConfigurationError", fmt.Sprintf("Could not fetch the contents of the repository %s at %s: %v", repository, wanted, err))
		return
	}
	if err := s.Objects.Put(r.outputs[0].Bucket, r.outputs[0].Key, archive); err != nil {
		s.fail(r, "ConfigurationError", fmt.Sprintf("Could not upload the artifact %s: %v", r.outputs[0].Name, err))
		return
	}
	s.succeed(r, ending{
		summary: commit.Message, externalID: commit.ID,
		variables: map[string]string{
			"RepositoryName": repository, "BranchName": branch, "CommitId": commit.ID, "CommitMessage": commit.Message,
			"AuthorDate": commit.AuthorDate, "CommitterDate": commit.CommitterDate,
		},
		revision: &revision{
			action: r.action.Name, artifact: r.outputs[0].Name, id: commit.ID, summary: commit.Message,
			created: s.committed(commit),
			url: fmt.Sprintf("https://%s.console.aws.amazon.com/codesuite/codecommit/repositories/%s/commit/%s?region=%[1]s",
				s.Region, repository, commit.ID),
		},
	})
}

// committed is when a commit was made, or now if it does not say in RFC 3339.
func (s *Service) committed(c Commit) time.Time {
	if at, err := time.Parse(time.RFC3339, c.CommitterDate); err == nil {
		return at.UTC()
	}
	return s.Clock.Now()
}
