package codedeploy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// tell publishes that the deployment's state has changed.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-cloudwatch-events.html
func (r *run) tell(state string) {
	r.mu.Lock()
	info := r.d.description()
	r.mu.Unlock()
	r.publish("CodeDeploy Deployment State-change Notification", info, map[string]any{"state": state})
	r.trigger(triggerOf("Deployment", state))
}

// tellInstance publishes that an instance's state has changed.
func (r *run) tellInstance(t *target, state string) {
	r.mu.Lock()
	info, shown := r.d.info, t.copied()
	r.mu.Unlock()
	r.publish("CodeDeploy Instance State-change Notification", info, map[string]any{"state": state, "instanceId": t.TargetId})
	r.notify(triggerOf("Instance", state), strings.ToUpper(shown.Status), func(trigger string) any { return r.instanceMessage(trigger, shown) })
}

// triggerOf makes InstanceStart of START.
func triggerOf(kind, state string) string { return kind + state[:1] + strings.ToLower(state[1:]) }

func (r *run) publish(detailType string, info DeploymentInfo, detail map[string]any) {
	if r.Events == nil {
		return
	}
	detail["region"], detail["deploymentId"], detail["instanceGroupId"] = r.Region, info.DeploymentId, r.d.groupID
	detail["deploymentGroup"], detail["application"] = info.DeploymentGroupName, info.ApplicationName
	r.Events.Publish("aws.codedeploy", detailType,
		[]string{r.applicationARN(info.ApplicationName), r.groupARN(info.ApplicationName, info.DeploymentGroupName)}, detail)
}

// trigger publishes the deployment to the topics of triggers for an event.
func (r *run) trigger(event string) {
	r.mu.Lock()
	info := r.d.description()
	r.mu.Unlock()
	r.notify(event, strings.ToUpper(info.Status), func(trigger string) any { return r.deploymentMessage(trigger, info) })
}

func (r *run) notify(event, status string, message func(trigger string) any) {
	for _, t := range r.d.settings.TriggerConfigurations {
		if r.Topics == nil || !slices.Contains(t.TriggerEvents, event) {
			continue
		}
		if !r.allows(wire.Access{Action: "sns:Publish", Resource: t.TriggerTargetArn}) {
			r.Logger.Warn("service role may not publish a trigger", "deployment", r.d.id, "role", r.d.role, "topic", t.TriggerTargetArn)
			continue
		}
		text, err := json.Marshal(message(t.TriggerName))
		if err == nil {
			subject := fmt.Sprintf("%s: AWS CodeDeploy %s in %s to %s", status, r.d.id, r.Region, r.d.info.DeploymentGroupName)
			err = r.Topics.Publish(t.TriggerTargetArn, subject[:min(len(subject), 100)], string(text))
		}
		if err != nil {
			r.Logger.Warn("publish a trigger", "deployment", r.d.id, "topic", t.TriggerTargetArn, "error", err)
		}
	}
}

// deploymentMessage and instanceMessage make what triggers tell.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-sns-event-notifications-json-format.html
func (r *run) deploymentMessage(trigger string, info DeploymentInfo) any {
	count := strconv.Itoa
	o := info.DeploymentOverview
	message := map[string]any{
		"region": r.Region, "accountId": r.Account, "eventTriggerName": trigger, "applicationName": info.ApplicationName,
		"deploymentId": info.DeploymentId, "deploymentGroupName": info.DeploymentGroupName, "createTime": stamp(info.CreateTime),
		"completeTime": stamp(info.CompleteTime), "status": strings.ToUpper(info.Status),
		"deploymentOverview": map[string]string{
			"Failed": count(o.Failed), "InProgress": count(o.InProgress), "Pending": count(o.Pending),
			"Skipped": count(o.Skipped), "Succeeded": count(o.Succeeded),
		},
	}
	if e := info.ErrorInformation; e != nil {
		message["errorInformation"] = map[string]string{"ErrorCode": e.Code, "ErrorMessage": e.Message}
	}
	if b := info.RollbackInfo; b != nil {
		message["rollbackInformation"] = map[string]string{
			"RollbackDeploymentId": b.RollbackDeploymentId, "RollbackTriggeringDeploymentId": b.RollbackTriggeringDeploymentId, "RollbackMessage": b.RollbackMessage,
		}
	}
	return message
}

func (r *run) instanceMessage(trigger string, t InstanceTarget) any {
	events := []map[string]string{}
	for _, e := range t.LifecycleEvents {
		events = append(events, map[string]string{
			"LifecycleEvent": e.LifecycleEventName, "LifecycleEventStatus": e.Status, "StartTime": stamp(e.StartTime), "EndTime": stamp(e.EndTime),
		})
	}
	return map[string]any{
		"region": r.Region, "accountId": r.Account, "eventTriggerName": trigger, "deploymentId": t.DeploymentId,
		"instanceId": t.TargetArn, "lastUpdatedAt": stamp(t.LastUpdatedAt), "instanceStatus": t.Status, "lifecycleEvents": events,
	}
}

// stamp writes a time as triggers do: seconds of Unix time with milliseconds.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}
