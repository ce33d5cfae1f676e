package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/localaws/workload"
)

const webapp = "webapp"

// goldenProduct bakes golden images and releases to a fleet of instances.
var goldenProduct = product{
	name: webapp, stage: "Image",
	stacks: []stack{
		{"hello-network", "infra/network.yaml", map[string]string{"Name": app}},
		{"hello-functions", "template.yaml", nil},
		{"webapp-image", "infra/golden-ami-document.yaml", nil},
		{"webapp-fleet", "infra/web-fleet.yaml", nil},
		{"webapp-pipeline", "infra/golden-ami-pipeline.yaml", nil},
	},
	artifact: webappArtifact,
}

// webappArtifact is what examples/webapp's buildspec.yml leaves, with a program
// that this process stands for.
func webappArtifact(version string) (map[string]string, error) {
	directory := os.DirFS(filepath.Join(root, "examples", "webapp"))
	files := map[string]string{"VERSION": version + "\n", webapp: "\x7fELF, as it were"}
	scripts, err := fs.Glob(directory, "scripts/*")
	if err != nil {
		return nil, err
	}
	for _, name := range append(scripts, "appspec.yml", "webapp.service") {
		text, err := fs.ReadFile(directory, name)
		if err != nil {
			return nil, err
		}
		files[name] = string(text)
	}
	return files, nil
}

// webapp is the program that instances run, of the version that is installed
// beside it.
func (a *tasks) webapp(t *workload.Task) http.Handler {
	text, err := os.ReadFile(filepath.Join(t.Root, "opt", webapp, "VERSION"))
	if err != nil {
		t.Log(err.Error())
		t.Exit(1)
		return nil
	}
	version := strings.TrimSpace(string(text))
	image, err := imageOf(t.Env["AWS_EC2_METADATA_SERVICE_ENDPOINT"])
	if err != nil {
		t.Log(err.Error())
		t.Exit(1)
		return nil
	}
	broken := a.how(version) + a.howOn(image)
	if broken == "crashes" {
		t.Exit(1)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Version", version)
		w.Header().Set("X-Image", image)
		if broken != "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintf(w, `{"version":%q,"image":%q}`, version, image)
	})
}

// imageOf asks an instance's metadata service.
func imageOf(service string) (string, error) {
	token, err := metadata(http.MethodPut, service+"/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	if err != nil {
		return "", err
	}
	return metadata(http.MethodGet, service+"/latest/meta-data/ami-id", "X-aws-ec2-metadata-token", token)
}

func metadata(method, url, header, value string) (string, error) {
	request, err := http.NewRequest(method, strings.Replace(url, "//latest", "/latest", 1), nil)
	if err != nil {
		return "", err
	}
	request.Header.Set(header, value)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("ask %s: status %s", url, answer.Status)
	}
	return string(body), err
}

// newGolden is a world with the golden AMI pipeline, and a fleet without an
// application.
func newGolden(t testing.TB, o options) *world {
	t.Helper()
	if o.product == nil {
		o.product = &goldenProduct
	}
	return newWorld(t, o)
}

// goldenReleased is one in which version 1 is live on an image of its own.
func goldenReleased(t testing.TB, o options) *world {
	t.Helper()
	w := newGolden(t, o)
	if _, status := w.release("1"); status != "Succeeded" {
		t.Fatalf("first release: got %s, want Succeeded: %s\n%s", status, w.why(), w.log)
	}
	w.watcher.arm()
	return w
}

// cut does so in a pipeline that is there.
func (w *world) cut() {
	w.t.Helper()
	ctx := context.Background()
	got, err := w.pipelines.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: &w.product.name})
	must(err)
	got.Pipeline.Stages = slices.DeleteFunc(got.Pipeline.Stages, func(s cptypes.StageDeclaration) bool {
		return *s.Name != "Source" && *s.Name != "Image"
	})
	_, err = w.pipelines.UpdatePipeline(ctx, &codepipeline.UpdatePipelineInput{Pipeline: got.Pipeline})
	must(err)
}

// A fleetState is how a fleet and its images stand.
type fleetState struct {
	Group     string // all of it but the version that it launches, and its instances
	Launches  string // all of the template version but the image
	Image     string // of that version
	Published string
	Running   []string // images of the instances in service
	Images    []string // of this account
	Snapshots []string // that belong to no image
	Builders  []string // instances of no group
	Bakes     map[string]int
	Versions  int // of the launch template
}

// fleet reads it as the administrator.
func (w *world) fleet() fleetState {
	ctx := context.Background()
	config := w.config()
	scaling, machines, systems := autoscaling.NewFromConfig(config), ec2.NewFromConfig(config), ssm.NewFromConfig(config)
	s := fleetState{Bakes: map[string]int{}}
	groups, err := scaling.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{w.groupName()}})
	must(err)
	group := groups.AutoScalingGroups[0]
	versions, err := machines.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: group.LaunchTemplate.LaunchTemplateId})
	must(err)
	s.Versions = len(versions.LaunchTemplateVersions)
	for _, v := range versions.LaunchTemplateVersions {
		if strconv.FormatInt(*v.VersionNumber, 10) == *group.LaunchTemplate.Version {
			s.Image, v.LaunchTemplateData.ImageId = *v.LaunchTemplateData.ImageId, nil
			s.Launches = asJSON(v.LaunchTemplateData)
		}
	}
	reservations, err := machines.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	must(err)
	for _, r := range reservations.Reservations {
		for _, i := range r.Instances {
			switch {
			case i.State.Name == ec2types.InstanceStateNameTerminated:
			case slices.ContainsFunc(i.Tags, func(t ec2types.Tag) bool {
				return *t.Key == "aws:autoscaling:groupName" && *t.Value == *group.AutoScalingGroupName
			}):
				s.Running = append(s.Running, *i.ImageId)
			case !slices.ContainsFunc(i.Tags, func(t ec2types.Tag) bool { return *t.Key == "aws:autoscaling:groupName" }):
				s.Builders = append(s.Builders, fmt.Sprintf("%s (%s)", *i.InstanceId, i.State.Name))
			}
		}
	}
	group.LaunchTemplate.Version, group.Instances = nil, nil
	s.Group = asJSON(group)
	s.Images, s.Snapshots = ownImages(ctx, machines)
	if found, err := systems.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(imageParameter)}); err == nil {
		s.Published = *found.Parameter.Value
	}
	bakes, err := systems.DescribeAutomationExecutions(ctx, &ssm.DescribeAutomationExecutionsInput{})
	must(err)
	for _, b := range bakes.AutomationExecutionMetadataList {
		s.Bakes[string(b.AutomationExecutionStatus)]++
	}
	return s
}

// groupName is the Auto Scaling group's that the deployment group has now.
func (w *world) groupName() string {
	described, err := codedeploy.NewFromConfig(w.config()).GetDeploymentGroup(context.Background(), &codedeploy.GetDeploymentGroupInput{
		ApplicationName: aws.String(webapp), DeploymentGroupName: aws.String(webapp),
	})
	must(err)
	return *described.DeploymentGroupInfo.AutoScalingGroups[0].Name
}

// imageParameter holds the image in use.
const imageParameter = "/webapp/golden-ami"

// ownImages are the account's images, and the snapshots of none of them.
func ownImages(ctx context.Context, machines *ec2.Client) (images, snapshots []string) {
	found, err := machines.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"self"}})
	must(err)
	used := map[string]bool{}
	for _, i := range found.Images {
		images = append(images, *i.ImageId)
		for _, m := range i.BlockDeviceMappings {
			if m.Ebs != nil {
				used[aws.ToString(m.Ebs.SnapshotId)] = true
			}
		}
	}
	all, err := machines.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
	must(err)
	for _, s := range all.Snapshots {
		if !used[*s.SnapshotId] {
			snapshots = append(snapshots, *s.SnapshotId)
		}
	}
	slices.Sort(images)
	return images, snapshots
}

func asJSON(v any) string {
	text, err := json.MarshalIndent(v, "", " ")
	must(err)
	return string(text)
}

// action is what the pipeline shows of BuildGoldenAMI's last run.
func (w *world) action(name string) cptypes.ActionExecution {
	state, err := w.pipelines.GetPipelineState(context.Background(), &codepipeline.GetPipelineStateInput{Name: &w.product.name})
	must(err)
	for _, stage := range state.StageStates {
		for _, a := range stage.ActionStates {
			if *a.ActionName == name && a.LatestExecution != nil {
				return *a.LatestExecution
			}
		}
	}
	return cptypes.ActionExecution{}
}

// outputs are the variables of an execution's action.
func (w *world) outputs(id, action string) map[string]string {
	listed, err := w.pipelines.ListActionExecutions(context.Background(), &codepipeline.ListActionExecutionsInput{
		PipelineName: &w.product.name, Filter: &cptypes.ActionExecutionFilter{PipelineExecutionId: &id},
	})
	must(err)
	for _, a := range listed.ActionExecutionDetails { // the last run comes first
		if *a.ActionName == action && a.Output != nil {
			return a.Output.OutputVariables
		}
	}
	return nil
}

// tag sets an image's tag.
func (w *world) tag(image, key, value string) {
	_, err := ec2.NewFromConfig(w.config()).CreateTags(context.Background(), &ec2.CreateTagsInput{
		Resources: []string{image}, Tags: []ec2types.Tag{{Key: &key, Value: &value}},
	})
	must(err)
}

// last is the pipeline's newest execution.
func (w *world) last() string {
	listed, err := w.pipelines.ListPipelineExecutions(context.Background(), &codepipeline.ListPipelineExecutionsInput{PipelineName: &w.product.name})
	must(err)
	return *listed.PipelineExecutionSummaries[0].PipelineExecutionId
}

// with is a product with more parameters of a stack.
func (p product) with(name string, parameters map[string]string) *product {
	p.stacks = slices.Clone(p.stacks)
	for i := range p.stacks {
		if p.stacks[i].name == name {
			p.stacks[i].parameters = parameters
		}
	}
	return &p
}
