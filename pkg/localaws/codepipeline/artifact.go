package codepipeline

import (
	"fmt"
	"strings"
)

// Objects is what pipelines ask of S3.
type Objects interface {
	Get(bucket, key string) ([]byte, error)
	Put(bucket, key string, body []byte) error
}

// An artifact is a zip in the artifact store.
type artifact struct {
	Name        string
	Bucket, Key string
	Revision    *string // of a source
}

// inputs finds the artifacts that an action takes.
func (e *execution) inputs(a Action) (found []artifact, fault string) {
	for _, input := range a.InputArtifacts {
		held, ok := e.artifacts[input.Name]
		if !ok {
			return nil, fmt.Sprintf("The input artifact %s has not been made in this execution", input.Name)
		}
		found = append(found, held)
	}
	return found, ""
}

// outputs gives the artifacts that an action makes their places:
// PIPELINE/ARTIFACT/RANDOM, the first two cut short as AWS does.
func (e *execution) outputs(a Action) []artifact {
	var made []artifact
	for _, output := range a.OutputArtifacts {
		made = append(made, artifact{
			Name:   output.Name,
			Bucket: e.structure.ArtifactStore.Location,
			Key:    cut(e.structure.Name, 20) + "/" + cut(output.Name, 10) + "/" + strings.ReplaceAll(newID(), "-", "")[:7],
		})
	}
	return made
}

func cut(text string, limit int) string { return text[:min(len(text), limit)] }

func (a artifact) arn() string { return "arn:aws:s3:::" + a.Bucket + "/" + a.Key }
