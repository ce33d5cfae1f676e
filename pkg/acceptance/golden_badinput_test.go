package acceptance

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
)

// A badBake is one thing that is wrong with BuildGoldenAMI's parameters or its
// world.
type badBake struct {
	name    string // a sentence
	action  edit
	world   func(*world) (undo func())
	failure string // ConfigurationError by default
	bakes   bool   // it shows only once the image is baked
}

func (c badBake) golden() string {
	return filepath.Join("testdata", "badinput", buildGoldenAMI, slug(c.name)+".txt")
}

// What the pipeline's parameters have.
const (
	theDocument = `"document":"webapp-golden-ami"`
	theFleet    = `"application":"webapp","deploymentGroup":"webapp"`
	publishes   = `"publishTo":"/webapp/golden-ami"`
	reuses      = `"reuse":{"maxAgeDays":7,"except":["Commit","Execution"]}`
)

// given adds a parameter of the document.
func given(name, value string) edit {
	return changed(`"parameters":{`, fmt.Sprintf(`"parameters":{%q:%s,`, name, value))
}

var badBakes = []badBake{
	{name: "the parameters are missing", action: parameters("")},
	{name: "the parameters are an empty object", action: parameters("{}")},
	{name: "the parameters are not JSON", action: changed(theDocument, `"document":webapp`)},
	{name: "the parameters are a list", action: parameters(`["webapp"]`)},
	{name: "the parameters are cut off", action: parameters(`{"execution":"#{codepipeline.PipelineExecutionId}","document":"webapp-golden-ami"`)},
	{name: "keys are misspelt", action: all(renamed("document", "documnet"), renamed("publishTo", "publish_to"), renamed("keep", "Keep"))},
	{name: "a key is unknown", action: key("colour", `"golden"`)},
	{name: "a key of another action", action: key("loadBalancer", `"webapp"`)},
	{name: "a key is there twice", action: key("keep", "3")},
	{name: "values are of the wrong type", action: all(changed(`"keep":5`, `"keep":"5"`), changed(theDocument, `"document":7`), changed(`"stopOrphans":true`, `"stopOrphans":"yes"`))},
	{name: "numbers are out of range", action: all(changed(`"keep":5`, `"keep":-1`), changed(`"maxAgeDays":7`, `"maxAgeDays":-7`), key("progressMinutes", "-60"))},
	{name: "the execution is not filled in", action: changed(`"execution":"#{codepipeline.PipelineExecutionId}"`, `"execution":"{codepipeline.PipelineExecutionId}"`)},
	{name: "the group is given twice", action: key("group", `"webapp"`)},
	{name: "the group is not given", action: changed(theFleet+",", "")},
	{name: "the deployment group is not given", action: changed(`"deploymentGroup":"webapp",`, "")},
	{name: "the rollout is unknown and the refresh is none", action: all(key("rollout", `"rolling"`), key("refresh", `{"maxHealthyPercent":90,"checkpoints":[80,20],"standby":"Stop"}`))},
	{name: "a value of the document's parameters is a number", action: given("InstanceType", "7")},
	{name: "the document has no such parameter", action: given("InstanceTyp", `"t3.small"`)},
	{name: "the document has no such version", action: key("documentVersion", `"7"`)},
	{name: "there is no such document within the role's policy", action: changed(theDocument, `"document":"webapp-golden-amy"`), failure: "PermissionError"},
	{name: "there is no such deployment group within the role's policy", action: changed(`"deploymentGroup":"webapp"`, `"deploymentGroup":"webap"`), failure: "PermissionError"},
	{name: "there is no such group", action: changed(theFleet, `"group":"webap"`)},
	{name: "the source image does not exist", action: given("SourceImageId", `"ami-00000000000000000"`)},
	{name: "the source image is of another architecture", action: given("SourceImageId", `"{{ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64}}"`)},
	{name: "the source image's parameter does not exist", action: given("SourceImageId", `"{{ssm:/aws/service/ami-amazon-linux-latest/al2023}}"`)},
	{name: "the image is published to what is no text", world: secretParameter, action: changed(publishes, `"publishTo":"/webapp/secret"`), bakes: true},
	{name: "the document has no such output", action: key("imageOutput", `"createImage.Image"`), bakes: true},
	{name: "many things at once", action: all(
		changed(`"execution":"#{codepipeline.PipelineExecutionId}"`, `"execution":""`), changed(theDocument, `"document":""`),
		changed(theFleet, `"application":"webapp"`), changed(reuses, `"reuse":{"maxAge":7}`), changed(`"keep":5`, `"keep":0,"pruneDryRun":true`), key("owners", `["me"]`),
	)},
}

// secretParameter is one that no image can be published to.
func secretParameter(w *world) func() {
	client, name := ssm.NewFromConfig(w.config()), aws.String("/webapp/secret")
	_, err := client.PutParameter(context.Background(), &ssm.PutParameterInput{Name: name, Value: aws.String("secret"), Type: ssmtypes.ParameterTypeSecureString})
	must(err)
	return func() {
		_, err := client.DeleteParameter(context.Background(), &ssm.DeleteParameterInput{Name: name})
		must(err)
	}
}

// TestBadInput_BuildGoldenAMI spoils one thing each and runs the pipeline. The
// action says everything that is wrong, how the fleet stands and what to do next,
// as the golden file has it, and changes nothing. The cases follow each other in
// one world.
func TestBadInput_BuildGoldenAMI(t *testing.T) {
	if binaries != "" {
		t.Skip("what the function says does not depend on where it runs")
	}
	t.Parallel()
	w := newGolden(t, options{})
	w.cut()
	for _, c := range badBakes {
		t.Run(c.name, func(t *testing.T) { c.run(t, w) })
	}
}

func (c badBake) run(t *testing.T, w *world) {
	var good string
	if err := w.editAction(buildGoldenAMI, func(w *world, a *cptypes.ActionDeclaration) {
		good = a.Configuration[userParameters]
		c.action(w, a)
	}); err != nil {
		t.Fatal(err)
	}
	defer func() { must(w.editAction(buildGoldenAMI, parameters(good))) }()
	if c.world != nil {
		defer c.world(w)()
	}
	before, jobs := w.fleet(), len(w.cloud.CodePipeline.Jobs())
	id, status := w.release("1")
	if status != "Failed" {
		t.Fatalf("release: got %s, want Failed", status)
	}
	failure := c.failure
	if failure == "" {
		failure = "ConfigurationError"
	}
	got := w.why()
	if want := buildGoldenAMI + ": " + failure + ": "; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	compare(t, c.golden(), w.anonymous(got, id)+"\n")
	after := w.fleet()
	if c.bakes {
		before.Bakes, before.Images = after.Bakes, after.Images
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("fleet (-before +after):\n%s", diff)
	}
	checkReportsOf(t, w.cloud.CodePipeline.Jobs()[jobs:], false)
}
