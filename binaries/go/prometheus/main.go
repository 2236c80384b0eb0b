// Reads Prometheus' rules as Prometheus does. Each line that comes in is a JSON string, a file of
// rules; for each a line goes out, what Prometheus says against it, "" where it takes it.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	files, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	reader, quiet := parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler)
	for {
		var file string
		if err := files.Decode(&file); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		said := ""
		_, errs := rulefmt.Parse([]byte(file), false, model.UTF8Validation, reader, quiet)
		if len(errs) > 0 {
			said = errs[0].Error()
		}
		if err := answers.Encode(said); err != nil {
			log.Fatal(err)
		}
	}
}
