package machine

import (
	"context"
	"fmt"
	"os"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

const (
	cloudInitLog    = "/var/log/cloud-init-output.log"
	cloudInitRecord = "/var/lib/cloud/data/instance-id"
)

// checkUserData refuses what cloud-init would do more with than run it.
func checkUserData(text string) error {
	for _, beginning := range []string{"#cloud-config", "#include", "#cloud-boothook", "#part-handler", "#upstart-job", "Content-Type:", "MIME-Version:"} {
		if strings.HasPrefix(text, beginning) {
			return fmt.Errorf("user data that begins with %q is not supported, only scripts are", beginning)
		}
	}
	return nil
}

// boot is what happens on the way up, in order.
func (m *machine) boot(ctx context.Context) error {
	if err := m.identify(); err != nil {
		return err
	}
	if err := m.cloudInit(ctx); err != nil {
		return err
	}
	m.startEnabled(ctx)
	return nil
}

// cloudInit runs the user data once for each instance that a volume belongs to.
func (m *machine) cloudInit(ctx context.Context) error {
	seen, err := m.disk.ReadFile(cloudInitRecord)
	if err == nil && strings.TrimSpace(string(seen)) == m.id {
		return nil
	}
	here := "/var/lib/cloud/instances/" + m.id
	for _, dir := range []string{here + "/scripts", "/var/lib/cloud/data"} {
		if err := m.disk.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := m.disk.WriteFile(cloudInitRecord, []byte(m.id+"\n"), 0o644); err != nil {
		return err
	}
	log, err := m.disk.OpenFile(cloudInitLog, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	defer log.Close() // what a log lacks fails no boot
	fmt.Fprintf(log, "Cloud-init running 'modules:final' at %s\n", m.fleet.clock.Now().Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	if m.userData == "" {
		return nil
	}
	if err := m.disk.WriteFile(here+"/user-data.txt", []byte(m.userData), 0o600); err != nil {
		return err
	}
	if !strings.HasPrefix(m.userData, "#!") {
		fmt.Fprintf(log, "Unhandled non-multipart (text/x-not-multipart) userdata: it begins with %q\n", m.userData[:min(len(m.userData), 20)])
		return nil
	}
	script := here + "/scripts/part-001"
	if err := m.disk.WriteFile(script, []byte(m.userData), 0o700); err != nil {
		return err
	}
	code := m.shell.Exec(ctx, &shell.Call{Args: []string{script}, Dir: "/", Env: m.variables(), Stdout: log, Stderr: log})
	if code != 0 {
		fmt.Fprintf(log, "Failed to run module scripts-user: part-001 exited with %d\n", code)
		m.fleet.logger.Warn("user data failed", "instance", m.id, "exit", code)
	}
	return nil
}
