// Package workload runs the programs of the embedded AWS: what an ECS task or an
// instance would run, as processes of this machine or, in tests, as handlers of
// this process.
//
// Pulling an image writes it below one directory, once per digest, and is safe to
// repeat and to interrupt: an image appears there whole or not at all. Starting a
// program gives it a directory and a port of its own; stopping it sends the
// image's stop signal, then SIGKILL when the timeout has passed by the clock.
// Close ends everything that was started and waits for it.
//
// Known differences from a container:
//   - a program is a process of the host, without chroot, namespaces, user or
//     limits: its entry point, its working directory and what it inherits lie in
//     the image, but an absolute path that it opens is the host's. Images of
//     static programs run as they would in a container; a script runs under the
//     host's interpreter of the path it names, and a dynamic program under the
//     host's libraries.
//   - a program finds the port to listen on in PORT, chosen anew for each start;
//     when it has several, in PORT_<container port>.
//   - a program has its own copy of the image's files, except that executable
//     files are shared between the programs of one image.
//   - device files and fifos of an image are left out; owners, setuid bits and
//     times are not kept.
package workload
