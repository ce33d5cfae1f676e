package machine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"

	"cutover/pkg/localaws/machine/disk"
	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/machine/tool"
)

// machine is one instance's inside.
type machine struct {
	fleet    *Fleet
	id       string
	userData string
	disk     *disk.Disk
	shell    *shell.Shell

	logs sync.Mutex // one writer of the journal at a time

	mu       sync.Mutex
	on       bool
	runs     int             // scripts so far
	ctx      context.Context // ends when it is shut down
	cancel   context.CancelFunc
	strands  map[*strand]struct{}
	services map[string]*service
	programs map[int]*program // by the port of the instance
	running  sync.WaitGroup   // programs, also those in the background
}

func newMachine(f *Fleet, id, userData string) *machine {
	return &machine{
		fleet: f, id: id, userData: userData, strands: map[*strand]struct{}{},
		services: map[string]*service{}, programs: map[int]*program{},
	}
}

// open takes the volume in.
func (m *machine) open(dir string) error {
	volume, err := disk.Open(dir)
	if err != nil {
		return err
	}
	tools := tool.Table(m.fleet.clock.Now)
	maps.Copy(tools, m.tools())
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	m.disk = volume
	m.shell = &shell.Shell{Disk: volume, Tools: tools, Program: m.program, Background: divide}
	return nil
}

// erase removes the volume; once is enough.
func (m *machine) erase() error {
	if m.disk == nil {
		return nil
	}
	return errors.Join(m.disk.Close(), os.RemoveAll(m.disk.Dir()))
}

// tools are those that know the machine.
func (m *machine) tools() map[string]shell.Tool {
	all := map[string]shell.Tool{
		"sleep": m.sleepTool, "timeout": m.timeoutTool, "hostname": m.hostnameTool, "hostnamectl": m.hostnameTool,
		"systemctl": m.systemctl, "service": m.serviceTool, "journalctl": m.journalctl,
		"dnf": m.dnf, "yum": m.dnf, "rpm": m.rpm,
		"curl": m.curl, "wget": m.wget, "ec2-metadata": m.ec2Metadata,
		"amazon-cloudwatch-agent-ctl": m.cloudWatchControl,
	}
	for _, agent := range []string{"amazon-ssm-agent", "codedeploy-agent", "amazon-cloudwatch-agent", "awsagent"} {
		all[agent] = m.agent
	}
	return all
}

// agent is what an agent's program does: it is there until it is stopped. What
// it would do is done by the service that it belongs to.
func (m *machine) agent(ctx context.Context, c *shell.Call) int {
	if len(c.Args) > 1 && c.Args[1] != "start" {
		return c.Fail("%s: this stand-in only starts; use systemctl", c.Args[1])
	}
	fmt.Fprintf(c.Stdout, "%s started\n", c.Args[0])
	park(ctx, func(func()) func() { return func() {} })
	return 0
}

// powerOn has the machine take work, and says whether it was off.
func (m *machine) powerOn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.on {
		return false
	}
	m.ctx, m.cancel = context.WithCancel(m.fleet.ctx)
	m.on = true
	return true
}

func (m *machine) isOn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.on
}

// begin starts work on the machine that ends with it; nil if it is off.
func (m *machine) begin(work func(ctx context.Context)) *strand {
	s := m.strand()
	if s != nil {
		m.start(s, work)
	}
	return s
}

// strand makes a strand that powerOff waits for: it must be started.
func (m *machine) strand() *strand {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on {
		return nil
	}
	s := newStrand(m.ctx)
	m.strands[s] = struct{}{}
	return s
}

func (m *machine) start(s *strand, work func(ctx context.Context)) {
	s.start(func(ctx context.Context) {
		defer m.drop(s)
		work(ctx)
	})
}

func (m *machine) drop(s *strand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.strands, s)
}

// powerOff ends all that runs and waits for it.
func (m *machine) powerOff() {
	m.mu.Lock()
	if !m.on {
		m.mu.Unlock()
		return
	}
	m.on = false
	for _, s := range m.services {
		s.forgetLocked()
	}
	m.cancel()
	m.mu.Unlock()
	for {
		m.mu.Lock()
		var one *strand
		for s := range m.strands {
			one = s
			break
		}
		m.mu.Unlock()
		if one == nil {
			break
		}
		<-one.done
	}
	m.running.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.services = map[string]*service{}
}

// number counts scripts.
func (m *machine) number() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs++
	return m.runs
}

// variables are the environment of what the machine itself starts.
func (m *machine) variables() map[string]string {
	env := map[string]string{
		"PATH": shell.Path, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash", "LANG": "C.UTF-8",
	}
	maps.Copy(env, m.fleet.environment(m.id))
	return env
}

// hostname is the resource-based name that an instance has.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html
func (m *machine) hostname() string { return m.id + ".ec2.internal" }

// identify gives the system what makes it this one.
func (m *machine) identify() error {
	if err := m.disk.WriteFile("/etc/hostname", []byte(m.hostname()+"\n"), 0o644); err != nil {
		return err
	}
	content, err := m.disk.ReadFile("/etc/machine-id")
	if err == nil && strings.TrimSpace(string(content)) != "" {
		return nil
	}
	digest := sha256.Sum256([]byte(m.id))
	return m.disk.WriteFile("/etc/machine-id", fmt.Appendf(nil, "%x\n", digest[:16]), 0o444)
}
