package acceptance

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var (
	onlyDeployGreen  = []string{deployGreen}
	onlySwapListener = []string{swapListener}
)

// ARNs of what does not exist.
const (
	balancerElsewhere = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/other/0123456789abcdef"
	ruleElsewhere     = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener-rule/app/other/0123456789abcdef/0123456789abcdef/0123456789abcdef"
	listenerElsewhere = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/hello/0123456789abcdef/0123456789abcdef"
)

var badParameters = []badInput{
	{name: "the parameters are missing", action: parameters("")},
	{name: "the parameters are an empty object", action: parameters("{}")},
	{name: "the parameters are not JSON", action: changed(`"cluster":"`, `"cluster":`)},
	{name: "the parameters are cut off", action: parameters(`{"execution":"#{codepipeline.PipelineExecutionId}","loadBalancer":"hello"`)},
	{name: "the parameters are a list", action: parameters(`["hello"]`)},
	{name: "keys are misspelt", action: all(renamed("cluster", "clutser"), renamed("services", "Services"), renamed("loadBalancer", "load_balancer"))},
	{name: "a key is unknown", action: key("colour", `"green"`)},
	{name: "a key of the other action", action: key("minimumHealthy", "2"), actions: onlyDeployGreen},
	{name: "a key of the other action", action: key("minimumCount", "2"), actions: onlySwapListener},
	{name: "values are of the wrong type", action: all(changed(`"cluster":"hello"`, `"cluster":7`), changed(`["hello-blue","hello-green"]`, `"hello-blue,hello-green"`), changed(`"loadBalancer":"hello"`, `"loadBalancer":null`))},
	{name: "a count is a string", action: changed(`"minimumCount":2`, `"minimumCount":"2"`), actions: onlyDeployGreen},
	{name: "a count is a fraction", action: key("minimumHealthy", "1.5"), actions: onlySwapListener},
	{name: "a count is negative", action: changed(`"minimumCount":2`, `"minimumCount":-1`), actions: onlyDeployGreen},
	{name: "a count is negative", action: key("minimumHealthy", "-1"), actions: onlySwapListener},
	{name: "a key is there twice", action: key("cluster", `"other"`)},
	{name: "the execution is not filled in", action: changed("#{codepipeline.PipelineExecutionId}", "{codepipeline.PipelineExecutionId}")},
	{name: "the services are one", action: changed(`["hello-blue","hello-green"]`, `["hello-blue"]`)},
	{name: "the services are one service twice", action: changed(`["hello-blue","hello-green"]`, `["hello-blue","hello-blue"]`)},
	{name: "many things at once", action: all(
		changed("#{codepipeline.PipelineExecutionId}", ""), changed(`["hello-blue","hello-green"]`, `["hello-blue","",7]`),
		changed(`"cluster":"hello"`, `"cluster":""`), key("testRuleArn", `"`+ruleElsewhere+`"`), key("testListenerArn", `"hello:8080"`), key("colour", "7"),
	)},
	{name: "the image is given twice and is none", action: all(key("image", `"https://registry/app:2"`), key("imageFile", `"image.json"`), key("imageKey", `"app"`)), actions: onlyDeployGreen},
	{
		// CodePipeline counts before it fills in variables.
		name: "the parameters are over-long once their variables are filled in", actions: onlyDeployGreen,
		action: key("imageKey", `"#{Source.CommitMessage}"`), version: strings.Repeat("2", 900),
	},
}

var badImages = []badInput{
	{name: "the action has no input artifact", actions: onlyDeployGreen, action: func(_ *world, a *types.ActionDeclaration) { a.InputArtifacts = nil }},
	{name: "the image file is missing", actions: onlyDeployGreen, artifact: map[string]string{"README.md": "an app"}},
	{name: "the image file that was named is missing", actions: onlyDeployGreen, action: key("imageFile", `"out/image.json"`)},
	{name: "the image file's path leaves the artifact", actions: onlyDeployGreen, action: key("imageFile", `"../image.json"`)},
	{name: "the image file is empty", actions: onlyDeployGreen, artifact: map[string]string{"imageDetail.json": ""}},
	{name: "the image file is not JSON", actions: onlyDeployGreen, artifact: map[string]string{"imageDetail.json": "{\n  \"ImageURI\": registry.example/hello:2\n}\n"}},
	{name: "the image file names no image", actions: onlyDeployGreen, artifact: map[string]string{"imageDetail.json": `{"ImageTags":["2"]}`}},
	{name: "the image's variable was not filled in", actions: onlyDeployGreen, artifact: map[string]string{"imageDetail.json": `{"ImageURI":"$REPOSITORY_URI:2"}`}},
	{name: "the image file names other containers", actions: onlyDeployGreen, artifact: map[string]string{"imagedefinitions.json": `[{"name":"web","imageUri":"web:2"},{"name":"proxy","imageUri":"proxy:2"}]`}},
	{name: "the image file has no such key", actions: onlyDeployGreen, action: key("imageKey", `"hello"`), artifact: map[string]string{"images.json": `{"app":"app:2"}`}},
	{
		name: "the task definition has several containers and none is named", actions: onlyDeployGreen, action: changed(`"container":"app",`, ""),
		template: func(file, template string) string {
			if file != "infra/ecs.yaml" {
				return template
			}
			return replaceOnce(template, "      ContainerDefinitions:\n", "      ContainerDefinitions:\n        - {Name: proxy, Image: 'registry.example/hello-proxy', Essential: false}\n")
		},
	},
	{name: "the image file is too large", actions: onlyDeployGreen, artifact: map[string]string{"imageDetail.json": strings.Repeat(" ", 200<<10)}},
}

var badWorlds = []badInput{
	{name: "there is no such load balancer", action: changed(`"loadBalancer":"hello"`, `"loadBalancer":"helo"`)},
	{name: "there is no such load balancer by its ARN", action: changed(`"loadBalancer":"hello"`, `"loadBalancer":"`+balancerElsewhere+`"`)},
	{name: "there are no such listeners", action: all(key("productionListenerArn", `"`+listenerElsewhere+`"`), key("testListenerArn", `"`+listenerElsewhere+`"`))},
	{name: "there are no such rules", action: all(unknownRule("productionRuleArn", 80), unknownRule("testRuleArn", 8080))},
	{name: "the routes are one listener's", action: func(w *world, a *types.ActionDeclaration) {
		for _, l := range w.listeners() {
			if *l.Port == 80 {
				key("testListenerArn", `"`+*l.ListenerArn+`"`)(w, a)
			}
		}
	}},
	{name: "nothing that is named exists, nor may the role see it", failure: "PermissionError", action: all(changed(`"loadBalancer":"hello"`, `"loadBalancer":"helo"`), changed(`"cluster":"hello"`, `"cluster":"helo"`))},
	{name: "there is no listener on a production port", world: func(w *world) { w.deleteListener(80) }},
	{name: "there is no listener at all", world: func(w *world) { w.deleteListener(80); w.deleteListener(8080) }},
	{name: "there is no such container", action: changed(`"container":"app"`, `"container":"web"`), actions: onlyDeployGreen},
	{name: "there is no such service", action: changed(`"hello-green"`, `"hello-gren"`)},
	{
		name: "there is no such cluster", action: changed(`"cluster":"hello"`, `"cluster":"helo"`),
		template: func(file, template string) string {
			if file != "template.yaml" {
				return template
			}
			return strings.ReplaceAll(template, "service/${ClusterName}/", "service/*/")
		},
	},
	{
		// AWS does not tell a role about clusters that it may not see.
		name: "there is no such cluster within the role's policy", action: changed(`"cluster":"hello"`, `"cluster":"helo"`), failure: "PermissionError",
	},
	{name: "nothing that is named exists, and the image neither", actions: onlyDeployGreen, artifact: map[string]string{"README.md": ""},
		action: all(changed(`"loadBalancer":"hello"`, `"loadBalancer":"helo"`), changed(`"hello-green"`, `"hello-gren"`), changed(`"container":"app"`, `"container":"web"`))},
	{name: "several things are wrong with the world", world: func(w *world) {
		w.weigh(80, map[string]int32{live: 50, idle: 50})
		w.updateService(ecs.UpdateServiceInput{Service: aws.String(idle), DeploymentConfiguration: &ecstypes.DeploymentConfiguration{Strategy: ecstypes.DeploymentStrategyBlueGreen}})
	}},
	{name: "both sides are live", world: func(w *world) { w.weigh(80, map[string]int32{live: 50, idle: 50}) }},
	{name: "production forwards to a third group too", world: func(w *world) {
		w.otherGroup()
		w.weigh(80, map[string]int32{live: 90, idle: 0, other: 10})
	}},
	{name: "neither side is live", world: func(w *world) {
		w.otherGroup()
		w.weigh(80, map[string]int32{live: 0, idle: 0, other: 100})
	}},
	{name: "production forwards to a third group only", world: func(w *world) {
		w.otherGroup()
		w.weigh(80, map[string]int32{other: 100})
	}},
	{name: "both services are on one target group", world: onGroup(idle, live)},
	{name: "a service is on a group of no route", world: onGroup(idle, other)},
	{name: "a service is deployed by CodeDeploy", world: controlled(ecstypes.DeploymentControllerTypeCodeDeploy)},
	{name: "a service is deployed by a third party", world: controlled(ecstypes.DeploymentControllerTypeExternal)},
	{name: "a service deploys blue and green itself", world: func(w *world) {
		w.updateService(ecs.UpdateServiceInput{Service: aws.String(idle), DeploymentConfiguration: &ecstypes.DeploymentConfiguration{Strategy: ecstypes.DeploymentStrategyBlueGreen}})
	}},
	{name: "green is scaled to nothing", actions: onlySwapListener, world: func(w *world) {
		w.updateService(ecs.UpdateServiceInput{Service: aws.String(idle), DesiredCount: aws.Int32(0)})
	}},
	{name: "green is scaled below blue", actions: onlySwapListener, world: func(w *world) {
		w.updateService(ecs.UpdateServiceInput{Service: aws.String(idle), DesiredCount: aws.Int32(1)})
	}},
	{name: "green's tasks were just stopped", actions: onlySwapListener, world: func(w *world) { w.stopTasks(idle) }},
	{name: "green's targets are unhealthy", actions: onlySwapListener, world: func(w *world) { w.failChecks(idle) }},
	{
		// That it does not work shows only in its deployment.
		name: "green's tasks end at once", actions: onlyDeployGreen, failure: "JobFailed", deploys: true,
		world: func(w *world) { w.tasks.breakVersion("2", "crashes") },
	},
	{
		name: "green's tasks are never healthy", actions: onlyDeployGreen, failure: "JobFailed", deploys: true,
		world: func(w *world) { w.tasks.breakVersion("2", "unhealthy") },
	},
	{
		// Nothing is to be corrected: a later execution is next to be released.
		name: "green was taken over by another execution", actions: onlySwapListener, failure: "JobFailed",
		world: func(w *world) { w.claim(idle, "another-execution") },
	},
}

var badMoments = []badInput{
	{name: "the route is edited before it is written", actions: onlySwapListener, moment: &moment{"DescribeTargetHealth", 4, func(w *world) {
		w.weigh(80, map[string]int32{live: 50, idle: 50})
	}}},
	{name: "the route is given to a third group before it is written", actions: onlySwapListener, moment: &moment{"DescribeTargetHealth", 4, func(w *world) {
		w.otherGroup()
		w.weigh(80, map[string]int32{other: 100})
	}}},
	{
		// Too late to refuse: production may have been on green for a moment.
		name: "the route is edited right after it was written", actions: onlySwapListener, failure: "JobFailed",
		moment: &moment{"ModifyRule", 1, func(w *world) {
			w.otherGroup()
			w.weigh(80, map[string]int32{idle: 50, other: 50})
		}},
	},
	{
		name: "the rule is deleted before it is written", actions: onlySwapListener,
		moment: &moment{"DescribeTargetHealth", 4, func(w *world) { w.deleteRule(80) }},
	},
	{
		// Nothing is to be corrected: a later execution is next to be released.
		name: "green is taken over before the route is written", actions: onlySwapListener, failure: "JobFailed",
		moment: &moment{"DescribeTargetHealth", 4, func(w *world) { w.claim(idle, "another-execution") }},
	},
	{
		name: "green is taken over while it is deployed", actions: onlyDeployGreen, failure: "JobFailed",
		moment: &moment{"RegisterTaskDefinition", 1, func(w *world) { w.claim(idle, "another-execution") }},
	},
	{
		name: "the test route is edited before it is written", actions: onlyDeployGreen,
		world:  func(w *world) { w.weigh(8080, map[string]int32{live: 100}) },
		moment: &moment{"DescribeTargetHealth", 4, func(w *world) { w.otherGroup(); w.weigh(8080, map[string]int32{other: 100}) }},
	},
	{
		// What was to be released has failed, not what was set.
		name: "production is moved to green while it is deployed", actions: onlyDeployGreen, failure: "JobFailed",
		moment: &moment{"UpdateService", 1, func(w *world) { w.weigh(80, map[string]int32{live: 0, idle: 100}) }},
	},
}
