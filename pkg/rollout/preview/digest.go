package preview

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"cutover/pkg/release"
)

// digest is a short SHA-256 over the file's meaning (not its comments or its
// layout) and over what a release starts from: which sides are live, the weights
// of the routes, and the task definitions. Health and alarms change by
// themselves, and are judged again when the release starts.
func digest(file *release.File, services []Service) string {
	type side struct{ Service, TargetGroup, TaskDefinition, Image string }
	type pair struct {
		Name        string
		Live, Gains side
		Weights     map[string]int32
		Route, Test string
	}
	of := func(s Side) side { return side{s.Service, s.TargetGroup, s.TaskDefinition, s.Image} }
	what := struct {
		Version int
		File    *release.File
		Pairs   []pair
	}{Version: 1, File: file}
	for _, s := range services {
		what.Pairs = append(what.Pairs, pair{s.Name, of(s.Live), of(s.Gains), s.Weights, s.Route, s.Test})
	}
	text, err := json.Marshal(what) // maps in the order of their keys
	if err != nil {                 // plain structs of strings and numbers
		panic(fmt.Sprintf("encode plan: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
