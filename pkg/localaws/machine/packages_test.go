package machine

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDnf_BringsAnImageUpToDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	before := versions(w.Packages(id))
	if before["openssl"] != "3.0.8-1.amzn2023" || before["amazon-ssm-agent"] == "" || before["codedeploy-agent"] != "" {
		t.Errorf("bare image: got %v, want an old openssl and the SSM agent, and no CodeDeploy agent", before)
	}
	check := w.run("dnf check-update")
	if check.ExitCode != 100 || !strings.Contains(check.Stdout, "3.2.2-1.amzn2023") {
		t.Errorf("check-update: got %+v, want 100 and openssl", check)
	}
	if got := w.must("dnf updateinfo list | grep openssl"); !strings.HasPrefix(got, "ALAS2023-2025-0845 Important/Sec. openssl-3.2.2-1.amzn2023") {
		t.Errorf("advisories: got %q, want openssl's", got)
	}
	if got := w.run("dnf upgrade"); got.ExitCode != 1 || !strings.Contains(got.Stderr, "Operation aborted.") {
		t.Errorf("without -y: got %+v, want that it is aborted", got)
	}
	w.must("sudo dnf -y upgrade --security")
	some := versions(w.Packages(id))
	if some["openssl"] == before["openssl"] || some["systemd"] != before["systemd"] {
		t.Errorf("upgrade --security: got %v, want what an advisory is for alone", some)
	}
	w.must("yum update -y --releasever=latest; dnf check-update")
	after := versions(w.Packages(id))
	for _, o := range catalogue() {
		if o.base != "" && after[o.name] != complete(o.newest) {
			t.Errorf("%s: got %s, want the newest %s", o.name, after[o.name], complete(o.newest))
		}
	}
	if got := w.must("dnf upgrade -y"); !strings.Contains(got, "Nothing to do.") {
		t.Errorf("again: got %q, want nothing to do", got)
	}
	if !w.Active(id, "amazon-ssm-agent") {
		t.Error("SSM agent after its update: got it stopped, want it running")
	}
}

func versions(all []Package) map[string]string {
	versions := map[string]string{}
	for _, p := range all {
		versions[p.Name] = p.Version
	}
	return versions
}

func TestDnf_InstallsAndRemoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	got := w.must("rpm -q jq || echo not; dnf install -y -q jq amazon-cloudwatch-agent; rpm -q jq amazon-cloudwatch-agent --qf '%{NAME} %{VERSION}\\n'; " +
		"dnf list installed | grep -c ^jq; dnf -y install jq | head -1 | cut -d' ' -f 3-5")
	want := "package jq is not installed\nnot\njq 1.7.1\namazon-cloudwatch-agent 1.300059.0\n1\nis already installed.\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = w.must(`ctl=/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
$ctl -a status | grep status; echo '{"metrics":{}}' > /c.json; $ctl -a fetch-config -m ec2 -s -c file:/c.json 2>/dev/null; $ctl -a status | grep '"status'`)
	if want := "  \"status\": \"stopped\",\n  \"configstatus\": \"not configured\",\n  \"status\": \"running\",\n"; got != want {
		t.Errorf("CloudWatch agent: got %q, want %q", got, want)
	}
	w.must("dnf remove -y amazon-cloudwatch-agent; test ! -e /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent")
	if w.Active(id, "amazon-cloudwatch-agent") || versions(w.Packages(id))["amazon-cloudwatch-agent"] != "" {
		t.Error("after remove: got the agent, want it gone")
	}
	for script, want := range map[string]string{
		"dnf -y install nosuch":        "Unable to find a match: nosuch",
		"dnf -y install a b --fancy":   "unrecognized option '--fancy'",
		"dnf history":                  "No such command: history",
		"dnf -y remove systemd":        "protected packages: systemd",
		"rpm -e nosuch":                "package nosuch is not installed",
		"rpm -U /etc/hosts":            "hosts: not an rpm package",
		"rpm -U https://example.com/x": "Could not resolve host",
		"rpm -qa --qf '%{SIZE}'":       "unknown tag",
	} {
		if got := w.run(script); got.ExitCode != 1 || !strings.Contains(got.Stderr, want) {
			t.Errorf("%s: got %+v, want 1 and %q", script, got, want)
		}
	}
}

// What AWS's documents say to do to install the agents.
func TestAgents_AreInstalledAsDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	w.must(`#!/bin/bash
set -euo pipefail
cd /home/ec2-user
sudo yum install -y -q ruby3.2 wget
wget -q https://aws-codedeploy-us-east-1.s3.us-east-1.amazonaws.com/latest/install
chmod +x ./install
sudo ./install auto
sudo ./install auto
systemctl status codedeploy-agent | grep 'active (running)'
cd /tmp
curl -sSfO https://amazoncloudwatch-agent.s3.amazonaws.com/amazon_linux/amd64/latest/amazon-cloudwatch-agent.rpm
rpm -U ./amazon-cloudwatch-agent.rpm
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -c default -s
curl -sO https://inspector-agent.amazonaws.com/linux/latest/install
sudo bash install
sudo yum install -y https://s3.us-east-1.amazonaws.com/amazon-ssm-us-east-1/latest/linux_amd64/amazon-ssm-agent.rpm
`)
	agents := []string{"codedeploy-agent", "amazon-cloudwatch-agent", "awsagent", "amazon-ssm-agent"}
	if err := w.Snapshot(id, "snap"); err != nil {
		t.Fatal(err)
	}
	w.launch(Launch{ID: "i-2", Snapshot: "snap"})
	for _, agent := range agents {
		for _, instance := range []string{id, "i-2"} {
			if !w.Active(instance, agent) {
				t.Errorf("%s on %s: got it stopped, want it running", agent, instance)
			}
		}
		if versions(w.SnapshotPackages("snap"))[agent] == "" {
			t.Errorf("%s: got no record of it in the image, want one", agent)
		}
	}
	w.must("systemctl stop amazon-ssm-agent")
	w.clock.Advance(time.Hour)
	if w.Active(id, "amazon-ssm-agent") {
		t.Error("an agent that was stopped: got it running, want it stopped")
	}
}

func TestCatalogue_IsInOrder(t *testing.T) {
	t.Parallel()
	all := catalogue()
	if !slices.IsSortedFunc(all, func(a, b offer) int { return strings.Compare(a.name, b.name) }) {
		t.Error("got packages out of order, want them by name")
	}
	owners := map[string]string{}
	for _, o := range all {
		if o.newest == "" || o.about == "" || o.service != "" && len(o.tools) == 0 || (o.advisory == "") != (o.severity == "") {
			t.Errorf("%s: got a record that lacks something", o.name)
		}
		for _, tool := range o.tools {
			if owners[tool] != "" {
				t.Errorf("%s: got it from %s and %s, want one owner", tool, owners[tool], o.name)
			}
			owners[tool] = o.name
		}
	}
}

// Every program of the catalogue that is a stand-in has a tool behind it, and
// every tool has a program.
func TestSystem_HasAToolForEveryProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	m, err := w.machine(id)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, o := range catalogue() {
		for _, tool := range o.tools {
			name := tool[strings.LastIndexByte(tool, '/')+1:]
			names[name] = true
			if m.shell.Tools[name] == nil {
				t.Errorf("%s: got no tool for it", tool)
			}
		}
	}
	for name := range m.shell.Tools {
		if !names[name] {
			t.Errorf("tool %s: got no package that has it", name)
		}
	}
}
