// Reads YAML as programs in Go do. Each line that comes in is a JSON string, a document; for each a
// line goes out, what each library makes of it.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

var libraries = map[string]func([]byte) (json.RawMessage, error){
	"sigs.k8s.io/yaml": func(document []byte) (json.RawMessage, error) {
		return yaml.YAMLToJSON(document)
	},
	"go.yaml.in/yaml/v3": func(document []byte) (json.RawMessage, error) {
		var value any
		if err := yamlv3.Unmarshal(document, &value); err != nil {
			return nil, err
		}
		return json.Marshal(value)
	},
}

func main() {
	documents, answers := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		line, err := documents.ReadBytes('\n')
		if err != nil {
			return
		}
		answer := map[string]any{}
		var document string
		if err := json.Unmarshal(line, &document); err != nil {
			panic(err)
		}
		for name, read := range libraries {
			if value, err := read([]byte(document)); err != nil {
				answer[name] = "error: " + err.Error()
			} else {
				answer[name] = value
			}
		}
		if err := answers.Encode(answer); err != nil {
			panic(err)
		}
	}
}
