// The registry of the Distribution project, with one store, files, and one way to log in: a file of
// users and their hashed passwords. `registry htpasswd USER` prints a line of that file; it reads
// the password from standard input.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	registry.RootCmd.AddCommand(&cobra.Command{
		Use:  "htpasswd USER",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			password, err := io.ReadAll(os.Stdin)
			if err != nil {
				return err
			}
			hash, err := bcrypt.GenerateFromPassword(password, bcrypt.DefaultCost)
			if err != nil {
				return err
			}
			_, err = fmt.Printf("%s:%s\n", arguments[0], hash)
			return err
		},
	})
	// By default it sends traces to a collector on this machine, and logs that it cannot.
	if err := os.Setenv("OTEL_TRACES_EXPORTER", "none"); err != nil {
		log.Fatal(err)
	}
	if err := registry.RootCmd.Execute(); err != nil {
		os.Exit(1)
	}
}
