package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"cutover/pkg/localaws/machine/disk"
)

// Snapshot copies an instance's volume, as it is, under the id of a snapshot.
// What belongs to the instance and not to an image is not in it: the machine's
// identity, the journal, and what cloud-init has done, so that it does it again
// on an instance that is launched from it.
func (f *Fleet) Snapshot(id, snapshot string) error {
	m, err := f.machine(id)
	if err == nil {
		err = f.copyTo(m.disk.Dir(), snapshot)
	}
	if err == nil {
		err = generalize(f.snapshotDir(snapshot))
	}
	if err != nil {
		return fmt.Errorf("snapshot volume of machine %s: %w", id, err)
	}
	return nil
}

func (f *Fleet) copyTo(from, snapshot string) error {
	if err := checkName(snapshot); err != nil {
		return err
	}
	if _, err := os.Lstat(f.snapshotDir(snapshot)); err == nil {
		return fmt.Errorf("snapshot %s exists", snapshot)
	}
	return disk.Copy(from, f.snapshotDir(snapshot))
}

// generalize removes from a volume what makes it one instance's.
func generalize(dir string) error {
	d, err := disk.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() // nothing is written by it
	var faults []error
	for _, name := range []string{"/var/lib/cloud", cloudInitLog, journalDir, "/var/lib/amazon/ssm"} {
		faults = append(faults, d.RemoveAll(name))
	}
	for _, name := range []string{"/etc/machine-id", "/etc/hostname"} {
		// Replaced, not written: a script may have made it a link.
		faults = append(faults, d.RemoveAll(name), d.MkdirAll("/etc", 0o755), d.WriteFile(name, nil, 0o644))
	}
	return errors.Join(faults...)
}

// CopySnapshot copies a snapshot under another id.
func (f *Fleet) CopySnapshot(from, to string) error {
	err := checkName(from)
	if err == nil {
		err = f.copyTo(f.snapshotDir(from), to)
	}
	if err != nil {
		return fmt.Errorf("copy snapshot %s: %w", from, err)
	}
	return nil
}

// DeleteSnapshot removes a snapshot; volumes that were made from it stay. One
// that is not there is an error.
func (f *Fleet) DeleteSnapshot(snapshot string) error {
	err := checkName(snapshot)
	if err == nil {
		_, err = os.Lstat(f.snapshotDir(snapshot))
	}
	if err == nil {
		err = os.RemoveAll(f.snapshotDir(snapshot))
	}
	if err != nil {
		return fmt.Errorf("delete snapshot %s: %w", snapshot, err)
	}
	return nil
}

// SnapshotPackages are those installed on a snapshot's volume, by name; none if
// there is no such snapshot.
func (f *Fleet) SnapshotPackages(snapshot string) []Package {
	if checkName(snapshot) != nil {
		return nil
	}
	d, err := disk.Open(f.snapshotDir(snapshot))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.logger.Warn("open snapshot", "snapshot", snapshot, "error", err)
		}
		return nil
	}
	defer d.Close() // it was only read
	all, err := database{d}.read()
	if err != nil {
		f.logger.Warn("read package database", "snapshot", snapshot, "error", err)
	}
	return all
}
