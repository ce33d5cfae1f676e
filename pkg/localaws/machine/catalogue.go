package machine

import "strings"

// release is what the names of Amazon Linux 2023's packages end in.
const release = "amzn2023"

// offer is a package of the repository that the stand-in package manager has.
type offer struct {
	name string
	// base is the version in a bare image; empty if it is not in one.
	base string
	// newest is the version that an update installs.
	newest string
	// advisory is the security advisory that newest answers; empty for none.
	advisory string
	severity string
	// tools are the paths that become stand-in programs.
	tools []string
	// service is the unit that comes with the package; empty for none. Its program
	// is the first of tools.
	service string
	about   string
	// preset says whether installing it enables and starts the service.
	preset bool
}

// catalogue is the repository, by name. Versions, and which of them answer
// advisories, are made up in the manner of the real ones.
// https://docs.aws.amazon.com/linux/al2023/release-notes/all-packages.html
func catalogue() []offer {
	return []offer{
		{name: "amazon-cloudwatch-agent", newest: "1.300059.0-1", service: "amazon-cloudwatch-agent", about: "Amazon CloudWatch Agent",
			tools: []string{"/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent", "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"}},
		{name: "amazon-linux-repo-s3", base: "2023.7.20250623-1", newest: "2023.8.20250818-0", about: "Amazon Linux repository configuration"},
		{name: "amazon-ssm-agent", base: "3.3.2299.0-1", newest: "3.3.2746.0-1", service: "amazon-ssm-agent", about: "Amazon SSM Agent",
			tools: []string{"/usr/bin/amazon-ssm-agent"}, preset: true},
		{name: "awsagent", newest: "1.1.1758.0-1", service: "awsagent", about: "Amazon Inspector Agent",
			tools: []string{"/opt/aws/awsagent/bin/awsagent"}, preset: true},
		{name: "bash", base: "5.2.15-1", newest: "5.2.15-1", about: "The GNU Bourne Again shell", tools: []string{"/usr/bin/bash", "/usr/bin/sh"}},
		{name: "ca-certificates", base: "2023.2.68-1", newest: "2025.2.76-1", about: "Mozilla CA root certificate bundle"},
		{name: "cloud-init", base: "22.2.2-1", newest: "22.2.2-1", about: "Cloud instance init scripts"},
		{name: "codedeploy-agent", newest: "1.7.1-116", service: "codedeploy-agent", about: "AWS CodeDeploy Host Agent",
			tools: []string{"/opt/codedeploy-agent/bin/codedeploy-agent"}, preset: true},
		{name: "coreutils", base: "8.32-30", newest: "8.32-30", about: "A set of basic GNU tools commonly used in shell scripts", tools: coreutils()},
		{name: "curl-minimal", base: "8.5.0-1", newest: "8.11.1-4", advisory: "ALAS2023-2025-1094", severity: "Medium",
			about: "Command line tool for transferring data with URLs", tools: []string{"/usr/bin/curl"}},
		{name: "diffutils", base: "3.8-1", newest: "3.8-1", about: "GNU collection of diff utilities", tools: []string{"/usr/bin/cmp", "/usr/bin/diff"}},
		{name: "dnf", base: "4.14.0-1", newest: "4.14.0-1", about: "Package manager", tools: []string{"/usr/bin/dnf", "/usr/bin/yum"}},
		{name: "ec2-utils", base: "2.2.0-1", newest: "2.2.0-1", about: "Set of tools for running in EC2", tools: []string{"/usr/bin/ec2-metadata"}},
		{name: "findutils", base: "4.8.0-2", newest: "4.8.0-2", about: "The GNU versions of find utilities", tools: []string{"/usr/bin/find", "/usr/bin/xargs"}},
		{name: "git", newest: "2.50.1-1", about: "Fast Version Control System"},
		{name: "glibc", base: "2.34-52", newest: "2.34-196", advisory: "ALAS2023-2025-1029", severity: "Important", about: "The GNU libc libraries"},
		{name: "grep", base: "3.8-1", newest: "3.8-1", about: "Pattern matching utilities", tools: []string{"/usr/bin/grep", "/usr/bin/egrep", "/usr/bin/fgrep"}},
		{name: "gzip", base: "1.12-1", newest: "1.12-1", about: "The GNU data compression program", tools: []string{"/usr/bin/gzip", "/usr/bin/gunzip"}},
		{name: "hostname", base: "3.23-4", newest: "3.23-4", about: "Utility to set/show the host name", tools: []string{"/usr/bin/hostname"}},
		{name: "httpd", newest: "2.4.64-1", about: "Apache HTTP Server"},
		{name: "java-17-amazon-corretto-headless", newest: "17.0.16+8-1", about: "Amazon Corretto headless runtime environment"},
		{name: "jq", newest: "1.7.1-49", about: "Command-line JSON processor"},
		{name: "kernel", base: "6.1.134-152.225", newest: "6.1.141-155.222", advisory: "ALAS2023-2025-1052", severity: "Important", about: "The Linux kernel"},
		{name: "libxml2", base: "2.10.4-1", newest: "2.10.4-1.amzn2023.0.11", advisory: "ALAS2023-2025-1101", severity: "Important", about: "Library providing XML and HTML support"},
		{name: "openssh-server", base: "8.7p1-8", newest: "8.7p1-46", advisory: "ALAS2023-2025-0866", severity: "Medium", about: "An open source SSH server daemon"},
		{name: "openssl", base: "3.0.8-1", newest: "3.2.2-1", advisory: "ALAS2023-2025-0845", severity: "Important", about: "Utilities from the general purpose cryptography library with TLS"},
		{name: "python3", base: "3.9.21-1", newest: "3.9.23-1", advisory: "ALAS2023-2025-1046", severity: "Important", about: "Python runtime libraries of the system"},
		{name: "rpm", base: "4.16.1.3-29", newest: "4.16.1.3-29", about: "The RPM package management system", tools: []string{"/usr/bin/rpm"}},
		{name: "ruby3.2", newest: "3.2.8-181", about: "An interpreter of object-oriented scripting language"},
		{name: "sed", base: "4.8-7", newest: "4.8-7", about: "A GNU stream text editor", tools: []string{"/usr/bin/sed"}},
		{name: "shadow-utils", base: "4.9-12", newest: "4.9-12", about: "Utilities for managing accounts",
			tools: []string{"/usr/sbin/useradd", "/usr/sbin/groupadd", "/usr/sbin/usermod"}},
		{name: "sudo", base: "1.9.15-1.p5", newest: "1.9.17-1.p1", advisory: "ALAS2023-2025-1070", severity: "Critical",
			about: "Allows restricted root access for specified users", tools: []string{"/usr/bin/sudo"}},
		{name: "systemd", base: "252.16-1", newest: "252.23-3", about: "System and Service Manager",
			tools: []string{"/usr/bin/systemctl", "/usr/bin/journalctl", "/usr/bin/hostnamectl", "/usr/sbin/service"}},
		{name: "tar", base: "1.34-1", newest: "1.34-1", about: "GNU file archiving program", tools: []string{"/usr/bin/tar"}},
		{name: "unzip", base: "6.0-57", newest: "6.0-57", about: "A utility for unpacking zip files", tools: []string{"/usr/bin/unzip"}},
		{name: "util-linux", base: "2.37.4-1", newest: "2.37.4-1", about: "Collection of basic system utilities",
			tools: []string{"/usr/bin/kill", "/usr/bin/setsid"}},
		{name: "wget", base: "1.21.3-1", newest: "1.21.3-1", about: "A utility for retrieving files using the HTTP or FTP protocols", tools: []string{"/usr/bin/wget"}},
		{name: "which", base: "2.21-26", newest: "2.21-26", about: "Displays where a particular program in your path is located", tools: []string{"/usr/bin/which"}},
		{name: "zlib", base: "1.2.11-33", newest: "1.2.11-33", about: "Compression and decompression library"},
	}
}

func coreutils() []string {
	var paths []string
	for _, name := range []string{
		"[", "basename", "cat", "chgrp", "chmod", "chown", "cp", "cut", "date", "dirname", "echo", "env", "false", "getent", "head",
		"id", "install", "ln", "ls", "mkdir", "mktemp", "mv", "nice", "nohup", "nproc", "printenv", "printf", "pwd", "readlink",
		"realpath", "rm", "rmdir", "seq", "sha256sum", "sleep", "sort", "stat", "sync", "tail", "tee", "test", "timeout", "touch",
		"tr", "true", "umask", "uname", "uniq", "wc", "whoami",
	} {
		paths = append(paths, "/usr/bin/"+name)
	}
	return paths
}

// offered looks a package up.
func offered(name string) (offer, bool) {
	for _, o := range catalogue() {
		if o.name == name || o.name+"."+architecture() == name {
			return o, true
		}
	}
	return offer{}, false
}

// complete is a version with the distribution in it.
func complete(version string) string {
	if version == "" || strings.Contains(version, release) {
		return version
	}
	return version + "." + release
}

// unitText is the unit of an agent's service.
func (o offer) unitText() string {
	return "[Unit]\nDescription=" + o.about + "\nAfter=network-online.target\n\n" +
		"[Service]\nType=simple\nExecStart=" + o.tools[0] + "\nRestart=always\nRestartSec=15min\n\n" +
		"[Install]\nWantedBy=" + target + "\n"
}
