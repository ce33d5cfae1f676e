package machine

import (
	"time"

	"os"

	"cutover/pkg/localaws/machine/disk"
	"cutover/pkg/localaws/machine/shell"
)

// installSystem makes the directory dir a volume with a bare Amazon Linux 2023.
func installSystem(dir string, now time.Time) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	d, err := disk.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() // nothing is written by it
	for _, place := range []string{
		"/boot", "/dev", "/etc/systemd/system/" + target + ".wants", "/home/ec2-user", "/opt", "/proc", "/root", "/run", "/srv", "/sys",
		"/tmp", "/usr/bin", "/usr/lib/systemd/system", "/usr/libexec", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/usr/share",
		"/var/lib/rpm", "/var/log", "/var/tmp", "/var/www",
	} {
		if err := d.MkdirAll(place, 0o755); err != nil {
			return err
		}
	}
	for _, link := range [][2]string{{"usr/bin", "/bin"}, {"usr/sbin", "/sbin"}, {"usr/lib", "/lib"}, {"../usr/lib/os-release", "/etc/os-release"}} {
		if err := d.Symlink(link[0], link[1]); err != nil {
			return err
		}
	}
	for name, content := range systemFiles() {
		if err := d.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := d.Chmod(shell.StandIn, 0o755); err != nil {
		return err
	}
	return installPackages(d, now)
}

// installPackages installs what a bare image has, with its services enabled.
func installPackages(d *disk.Disk, now time.Time) error {
	var base []offer
	for _, o := range catalogue() {
		if o.base != "" {
			base = append(base, o)
		}
	}
	if err := (database{d}).install(now, func(o offer) string { return o.base }, base...); err != nil {
		return err
	}
	for _, o := range base {
		if o.service == "" {
			continue
		}
		if err := d.Symlink(o.unitFile(), wantsLink(target, o.service)); err != nil {
			return err
		}
	}
	return nil
}

func systemFiles() map[string]string {
	return map[string]string{
		shell.StandIn:   "The names that lead here are stand-ins, run by the embedded AWS itself.\n",
		"/etc/hostname": "localhost\n", "/etc/machine-id": "",
		"/etc/hosts":          "127.0.0.1 localhost\n::1 localhost6\n",
		"/etc/passwd":         "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:Kernel Overflow User:/:/sbin/nologin\nec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash\n",
		"/etc/group":          "root:x:0:\nwheel:x:10:ec2-user\nnobody:x:65534:\nec2-user:x:1000:\n",
		"/etc/system-release": "Amazon Linux release 2023.7.20250623 (Amazon Linux)\n",
		"/usr/lib/os-release": "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\nPLATFORM_ID=\"platform:al2023\"\nPRETTY_NAME=\"Amazon Linux 2023.7.20250623\"\nVARIANT_ID=\"server\"\n",
	}
}
