// Package machine is the inside of the embedded AWS's EC2 instances: a volume, a
// shell, an operating system's tools, and the programs that services run.
//
// An instance is a directory of the machine that the cloud runs on. A launch
// makes it, as a bare Amazon Linux 2023 or as a copy of a snapshot, and boots it:
// the user data runs, once for each instance, and then the enabled services
// start. A stop ends everything and keeps the directory; a termination removes
// it; a snapshot copies it. So what a script writes, installs and enables is in
// an image that is made of the volume, and nowhere else. Repeating a call that
// has been made is an error that says so, or changes nothing where its text says
// so; a volume is made whole or not at all.
//
// Scripts are interpreted within the directory and find no other programs than
// the instance's own (package shell): stand-ins for coreutils (package tool), the
// package manager, the service manager, the agents' installers, and curl, which
// reaches the instance itself, its metadata and those installers. No command
// comes from the machine that runs the cloud, and no path leads out of the
// directory (package disk).
//
// Known differences from an instance:
//  1. Boot takes no time here, and services start after the user data has ended,
//     where on Amazon Linux the two run side by side. Enabled services start in the
//     order of their names; After= and the like are read and not gone by.
//  2. User data is a script that begins with "#!". Other forms that cloud-init has
//     are refused.
//  3. A file that is no script is run as a program of the machine (package
//     workload), in the volume, with its environment only; such a program itself is
//     not kept from the machine's files. It serves the port of the instance that
//     PORT names in its environment: it finds there a port of the machine to listen
//     on instead, which Address tells.
//  4. Everyone is root, and owners are not kept. There are no processes to list or
//     to signal.
//  5. Packages are records: the catalogue's, with a version that a bare image has
//     and one that an update brings, and stand-ins for those programs that scripts
//     call. A package that only has a record has no programs. Agents run, and what
//     they are there for is done by the service they belong to.
//  6. Units know simple, exec and oneshot services, and restarts; a setting that is
//     not known keeps the service from starting, where systemd would warn. Their
//     journal keeps the last megabyte of each.
//  7. The output of a script is kept up to 64 KiB of each stream.
package machine
