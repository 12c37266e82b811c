package node

import (
	"bytes"
	"errors"
	"io"

	"github.com/goccy/go-yaml"
)

// readYAML reads the one document of a file: no unknown and no repeated
// members, and no second document, which nobody would read. An empty file is
// io.EOF.
func readYAML(raw []byte, v any) error {
	dec := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict(), yaml.DisallowUnknownField())
	if err := dec.Decode(v); err != nil {
		return err
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document")
	}
	return nil
}
