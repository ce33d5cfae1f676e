package goldenami

import (
	"errors"
	"testing"

	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"cutover/pkg/awsclient"
	fake "cutover/pkg/fleet/fleettest"
	"cutover/pkg/job"
)

// written is a world whose document writes the image's id into a parameter.
func written() (*fake.World, Params) {
	w := fake.New()
	w.NoImage = true
	w.AddImage("ami-0written", nil)
	w.Store("/built", "ami-0written", "text")
	p := params()
	p.ImageParameter = "/built"
	return w, p
}

func TestImage_IsTakenFromAParameter(t *testing.T) {
	t.Parallel()
	w, p := written()
	out, _ := run(t, w, p, "attempt-1")
	equal(t, "image", out["ImageId"], "ami-0written")
	equal(t, "launched", w.Launched(fake.Group), "ami-0written")
}

func TestImage_ThatIsNotOneIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(w *fake.World, p *Params)
		want  string
	}{
		"of another account":       {func(w *fake.World, _ *Params) { w.Images["ami-0written"].OwnerId = ptr("999999999999") }, "image ami-0written belongs to account 999999999999, which is neither this one nor one of owners"},
		"of another architecture":  {func(w *fake.World, _ *Params) { w.Images["ami-0written"].Architecture = "arm64" }, "image ami-0written is for arm64, and instance type t3.micro runs x86_64"},
		"of another way to run it": {func(w *fake.World, _ *Params) { w.Images["ami-0written"].VirtualizationType = "paravirtual" }, "image ami-0written is virtualised as paravirtual, and instance type t3.micro takes hvm"},
		"not an image's id":        {func(w *fake.World, _ *Params) { w.Store("/built", "none yet", "text") }, "parameter /built is \"none yet\", which is not an image's id"},
		"no parameter":             {func(_ *fake.World, p *Params) { p.ImageParameter = "/other" }, "parameter /other holds no image"},
		"into a secret": {func(w *fake.World, _ *Params) {
			w.Store(publishTo, "x", "text")
			w.Parameters[publishTo].Type = "SecureString"
		}, "publishTo: parameter /webapp/image is a SecureString, want a String"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := written()
			c.spoil(w, &p)
			_, err := begin(t, w, p, "attempt-1").follow()
			if err == nil {
				t.Fatal("the job succeeded, want a failure")
			}
			contains(t, err.Error(), c.want, "group web launches ami-0old", "correct this and retry the stage")
			f, is := errors.AsType[*job.Failure](err)
			equal(t, "is a configuration error", is && f.Type == cptypes.FailureTypeConfigurationError, true)
			equal(t, "launched", w.Launched(fake.Group), fake.OldImage)
		})
	}
}

func TestImage_OfAListedAccountIsTaken(t *testing.T) {
	t.Parallel()
	w, p := written()
	w.Images["ami-0written"].OwnerId = ptr("999999999999")
	p.Owners = []string{"999999999999"}
	run(t, w, p, "attempt-1")
	equal(t, "launched", w.Launched(fake.Group), "ami-0written")
}

func TestImage_ThatNeverAppearsFails(t *testing.T) {
	t.Parallel()
	w, p := written()
	w.Store("/built", "ami-0gone", "text")
	fails(t, w, p, "attempt-1", "image ami-0gone does not exist", "group web launches ami-0old")
}

func TestImage_MixedArchitecturesAreRefusedBeforeABake(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Templates[fake.Template][0].LaunchTemplateData.InstanceType = ec2types.InstanceType("t4g.micro")
	fails(t, w, params(), "attempt-1", "source image ami-0source is for x86_64, and instance type t4g.micro runs arm64")
	equal(t, "bakes", len(w.Bakes), 0)
}

// What pkg/job makes of an error depends on its class, which must not be lost.
func TestStep_KeepsTheClassOfErrors(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"StartAutomationExecution", "CreateTags", "PutParameter", "CreateLaunchTemplateVersion", "UpdateAutoScalingGroup"} {
		for code, is := range map[string]func(error) bool{
			"AccessDeniedException": awsclient.IsDenied, "UnauthorizedOperation": awsclient.IsDenied, "ThrottlingException": awsclient.IsTransient,
		} {
			t.Run(operation+" "+code, func(t *testing.T) {
				t.Parallel()
				w := fake.New()
				w.Before = answering(operation, code)
				_, err := begin(t, w, params(), "attempt-1").follow()
				if !is(err) {
					t.Fatalf("got %v, which has lost its class", err)
				}
				contains(t, err.Error(), "group web launches", "2 instances in service", "retry the stage once the cause is gone")
			})
		}
	}
}

func answering(operation, code string) func(string) error {
	return func(called string) error {
		if called == operation {
			return &smithy.GenericAPIError{Code: code, Message: "no"}
		}
		return nil
	}
}

func TestStart_ParametersThatAWSRefusesAreTheUsersFault(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Before = answering("StartAutomationExecution", "InvalidAutomationExecutionParametersException")
	fails(t, w, params(), "attempt-1", "start Automation bake", "correct document and parameters, then start the pipeline again")
}

func TestStart_WaitsWhileTooManyRun(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Before = answering("StartAutomationExecution", "AutomationExecutionLimitExceededException")
	a := begin(t, w, params(), "attempt-1")
	r, err := a.tick()
	if err != nil {
		t.Fatal(err)
	}
	contains(t, r.Summary(), "could not be started yet")
	w.Before, a.state = nil, r.State()
	if _, err := a.follow(); err != nil {
		t.Fatal(err)
	}
	equal(t, "bakes", len(w.Bakes), 1)
}

func TestDocument_FaultsAreAllListed(t *testing.T) {
	t.Parallel()
	w := fake.New()
	delete(w.Parameters, "/aws/service/source")
	p := params()
	p.Parameters["Comit"] = Values{"x"}
	text := fails(t, w, p, "attempt-1", "parameters.Comit is not a parameter of document bake (it has Commit, SourceAmiId)", "parameter /aws/service/source, which SourceAmiId of the document is to be, does not exist")
	contains(t, text, "Nothing was changed: group web launches ami-0old")

	p = params()
	p.Document = "other"
	fails(t, w, p, "attempt-1", "there is no document other")
}
