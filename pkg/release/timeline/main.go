// Command timeline draws how production moves with each strategy of cutover.yaml:
// the pictures of docs/releases.md, made from the moves of package release, so that
// they cannot tell another story than a release does. Run it in the source
// directory; it overwrites docs/strategies/*.svg and nothing else:
//
//	go run ./pkg/release/timeline
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("docs/strategies"); err != nil {
		fmt.Fprintln(os.Stderr, "timeline:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	for _, s := range scenes {
		text, err := s.draw()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, s.name+".svg"), text, 0o644); err != nil {
			return fmt.Errorf("write picture: %w", err)
		}
	}
	return nil
}
