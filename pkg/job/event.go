package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// An event is what CodePipeline invokes a function with. Fields that are not
// known are passed over: AWS may add some. It holds credentials, so it is never
// logged, nor is anything of it that is not named here as safe.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html
type event struct {
	Job *eventJob `json:"CodePipeline.job"`
}

type eventJob struct {
	ID        string `json:"id"`
	AccountID string `json:"accountId"`
	Data      struct {
		ActionConfiguration struct {
			Configuration struct {
				UserParameters string `json:"UserParameters"`
			} `json:"configuration"`
		} `json:"actionConfiguration"`
		InputArtifacts      []eventArtifact  `json:"inputArtifacts"`
		OutputArtifacts     []eventArtifact  `json:"outputArtifacts"`
		ArtifactCredentials eventCredentials `json:"artifactCredentials"`
		ContinuationToken   string           `json:"continuationToken"`
		EncryptionKey       *eventEncryption `json:"encryptionKey"`
	} `json:"data"`
}

type eventArtifact struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
	Location struct {
		S3 struct {
			Bucket string `json:"bucketName"`
			Key    string `json:"objectKey"`
		} `json:"s3Location"`
	} `json:"location"`
}

type eventCredentials struct {
	AccessKeyID     string      `json:"accessKeyId"`
	SecretAccessKey string      `json:"secretAccessKey"`
	SessionToken    string      `json:"sessionToken"`
	Expires         epochMillis `json:"expirationTime"`
}

// eventEncryption is there if the artifact store has a customer's KMS key.
type eventEncryption struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// epochMillis is a time that only some of AWS's pages show. What is not a
// number is taken as no time: S3 itself says when credentials have expired.
type epochMillis struct{ time.Time }

// UnmarshalJSON never fails.
func (t *epochMillis) UnmarshalJSON(b []byte) error {
	if ms, err := strconv.ParseFloat(string(b), 64); err == nil && ms > 0 && ms < 1e15 {
		t.Time = time.UnixMilli(int64(ms)).UTC()
	}
	return nil
}

// jobID is the form that CodePipeline's report calls accept.
var jobID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// decodeEvent reads an event. With an error, id is the job's as long as it can
// be found in what was sent. The error quotes nothing of the event but names.
func decodeEvent(payload []byte) (_ *eventJob, id string, _ error) {
	var e event
	err := json.Unmarshal(payload, &e)
	switch mistyped, isType := errors.AsType[*json.UnmarshalTypeError](err); {
	case isType:
		return nil, findJobID(payload), fmt.Errorf("%s is of the wrong type", mistyped.Field)
	case err != nil:
		return nil, findJobID(payload), errors.New("it is not JSON")
	case e.Job == nil:
		return nil, "", errors.New(`it has no "CodePipeline.job": the function is not invoked by a pipeline's Lambda action`)
	case !jobID.MatchString(e.Job.ID):
		return nil, "", errors.New("the job has no id")
	}
	return e.Job, e.Job.ID, nil
}

// findJobID finds the job's id in an event that is broken elsewhere, as by
// having been cut off.
func findJobID(payload []byte) string {
	d := json.NewDecoder(bytes.NewReader(payload))
	if !enter(d, "CodePipeline.job") || !enter(d, "id") {
		return ""
	}
	if id, err := d.Token(); err == nil {
		if id, ok := id.(string); ok && jobID.MatchString(id) {
			return id
		}
	}
	return ""
}

// enter moves into the object that comes next, up to the key's value.
func enter(d *json.Decoder, key string) bool {
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return false
		}
		if k == key {
			return true
		}
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}

func (c eventCredentials) provider() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
			Source: "CodePipeline job", CanExpire: !c.Expires.IsZero(), Expires: c.Expires.Time,
		}, nil
	})
}

// scrub takes the job's credentials out of a text that people will read. Errors
// of AWS may quote an access key, and a step may quote anything.
func (c eventCredentials) scrub(text string) string {
	for _, secret := range []string{c.SessionToken, c.SecretAccessKey, c.AccessKeyID} {
		if len(secret) >= 8 {
			text = strings.ReplaceAll(text, secret, "[credential]")
		}
	}
	return text
}

// credentialFields find credentials in an event that cannot be decoded.
var credentialFields = regexp.MustCompile(`"(accessKeyId|secretAccessKey|sessionToken)"\s*:\s*"([^"]*)`)

// salvage finds what must not be told in a broken event.
func salvage(payload []byte) (c eventCredentials) {
	for _, m := range credentialFields.FindAllSubmatch(payload, -1) {
		value := strings.ReplaceAll(string(m[2]), `\/`, "/")
		switch string(m[1]) {
		case "accessKeyId":
			c.AccessKeyID = value
		case "secretAccessKey":
			c.SecretAccessKey = value
		case "sessionToken":
			c.SessionToken = value
		}
	}
	return c
}
