package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/machine/tool"
)

const cloudWatchAgent = "amazon-cloudwatch-agent"

// cloudWatchControl is amazon-cloudwatch-agent-ctl: -a fetch-config from default
// or file:PATH, with -s to start, and -a start, stop and status.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/start-CloudWatch-Agent-on-premise-SSM-onprem.html
func (m *machine) cloudWatchControl(ctx context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "a: m: c: s")
	if !ok {
		return 1
	}
	var err error
	switch action := o.Value("a"); action {
	case "fetch-config":
		if err = m.fetchConfiguration(c, o.Value("c")); err == nil && o.Has("s") {
			err = m.startCloudWatch(ctx, c)
		}
	case "start":
		err = m.startCloudWatch(ctx, c)
	case "stop":
		err = m.stopService(ctx, cloudWatchAgent)
	case "status":
		status, configured := "stopped", "not configured"
		if m.active(cloudWatchAgent) {
			status = "running"
		}
		if _, err := m.disk.Stat(cloudWatchConfiguration); err == nil {
			configured = "configured"
		}
		p, _ := m.database().find(cloudWatchAgent)
		version, _, _ := strings.Cut(p.Version, "-")
		fmt.Fprintf(c.Stdout, "{\n  \"status\": %q,\n  \"configstatus\": %q,\n  \"version\": %q\n}\n", status, configured, version)
	default:
		err = fmt.Errorf("action %q is not supported", action)
	}
	if err != nil {
		return c.Fail("%v", err)
	}
	return 0
}

const cloudWatchConfiguration = "/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json"

func (m *machine) fetchConfiguration(c *shell.Call, source string) error {
	content := []byte("{}\n")
	if file, isFile := strings.CutPrefix(source, "file:"); isFile {
		var err error
		if content, err = m.disk.ReadFile(c.Path(file)); err != nil {
			return fmt.Errorf("read configuration: %s: %s", file, shell.Why(err))
		}
	} else if source != "default" {
		return fmt.Errorf("configuration from %q is not supported: only default and file:PATH", source)
	}
	if !json.Valid(content) {
		return fmt.Errorf("configuration %s is not JSON", source)
	}
	if err := m.disk.MkdirAll("/opt/aws/amazon-cloudwatch-agent/etc", 0o755); err != nil {
		return err
	}
	return m.disk.WriteFile(cloudWatchConfiguration, content, 0o644)
}

func (m *machine) startCloudWatch(ctx context.Context, c *shell.Call) error {
	if err := m.enable(c, cloudWatchAgent); err != nil {
		return err
	}
	return m.control(ctx, c, "restart", cloudWatchAgent, false)
}
