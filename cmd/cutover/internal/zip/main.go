// Command zip packs a directory as the functions' code is packed for upload: the
// same files make the same bytes.
//
//	zip DIRECTORY FILE
package main

import (
	"fmt"
	"os"

	"cutover/cmd/cutover/internal/deploy"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: zip DIRECTORY FILE")
		os.Exit(2)
	}
	archive, err := deploy.Zip(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[2], archive, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "zip:", err)
		os.Exit(1)
	}
}
