package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// The document that is served is the one that the code makes.
func TestOpenAPIGolden(t *testing.T) {
	made, err := json.MarshalIndent(document(newSchemas(t)), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", made, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(openAPI), string(made)); diff != "" {
		t.Errorf("openapi.json is not what the code makes (go test -run OpenAPIGolden -update writes it anew):\n%s", diff)
	}
}

// Every operation is described, and nothing else is.
func TestOpenAPIComplete(t *testing.T) {
	var ids []string
	for _, op := range operations {
		ids = append(ids, op.id)
	}
	slices.Sort(ids)
	if diff := cmp.Diff(ids, sortedKeys(prosed)); diff != "" {
		t.Errorf("operations and their prose differ:\n%s", diff)
	}
	if diff := cmp.Diff(ids, slices.Sorted(maps.Keys(bodies))); diff != "" {
		t.Errorf("operations and their examples differ:\n%s", diff)
	}
}

// A second reader finds the document valid OpenAPI 3.1.
func TestOpenAPIValid(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater()); err != nil {
		t.Error(err)
	}
}

// Every example is what its schema says.
func TestOpenAPIExamples(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	checked := 0
	check := func(where string, example any) {
		compiled, err := compiler.Compile("openapi.json#" + where + "/schema")
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(example); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		checked++
	}
	shared := doc.(schema)["components"].(schema)["examples"].(schema)
	walk(doc, "", func(where string, media schema) {
		if example, ok := media["example"]; ok {
			check(where, example)
		}
		examples, _ := media["examples"].(schema)
		for slug := range examples {
			check(where, shared[slug].(schema)["value"])
		}
	})
	if checked < 2*len(operations) {
		t.Errorf("only %d examples", checked)
	}
}

// walk calls f for every object that has a schema beside examples.
func walk(v any, where string, f func(string, schema)) {
	object, _ := v.(schema)
	if _, ok := object["schema"]; ok {
		f(where, object)
	}
	for name, member := range object {
		walk(member, where+"/"+pointer(name), f)
	}
}

// pointer escapes a member's name for a JSON pointer in a URL's fragment.
func pointer(name string) string { return pointerEscapes.Replace(name) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B")
