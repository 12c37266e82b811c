package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// maxDepth is how deep objects and arrays of a JSON body may nest.
const maxDepth = 32

// checkMedia refuses a body of another type than the operation takes. JSON
// may say that it is UTF-8; a form says its boundary.
func (c *call) checkMedia() error {
	wrong := refuse(exchange.Unsupported, "content-type", "this call takes "+c.op.media, "send the header Content-Type: "+c.op.media)
	values := c.r.Header["Content-Type"]
	if len(values) != 1 {
		return wrong
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil || media != c.op.media {
		return wrong
	}
	for name, value := range params {
		utf := media == api.MediaJSON && name == "charset" && strings.EqualFold(value, "utf-8")
		boundary := media == api.MediaForm && name == "boundary"
		if !utf && !boundary {
			return wrong
		}
	}
	return nil
}

// read reads a whole body of at most limit bytes.
func (c *call) read(limit int64) ([]byte, error) {
	tooLarge := refuse(exchange.TooLarge, "body-size", fmt.Sprintf("the body is larger than %d bytes", limit), "")
	if c.r.ContentLength > limit {
		return nil, tooLarge
	}
	b, err := io.ReadAll(io.LimitReader(c.body, limit+1))
	if r := exchange.AsRefusal(err); r != nil {
		return nil, early{r}
	}
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, tooLarge
	}
	return b, nil
}

// readJSON reads a body into a struct of package api.
func readJSON[T any](c *call) (v T, err error) {
	b, err := c.read(maxJSON)
	if err != nil {
		return v, err
	}
	if err := decodeStrict(b, &v); err != nil {
		return v, malformed("json", "the body is not the JSON object that this call takes: "+err.Error())
	}
	return v, nil
}

// What can be wrong with a JSON body. The texts go to the caller: they repeat
// nothing of it.
var (
	errSyntax = errors.New("it is not one JSON value in UTF-8")
	errObject = errors.New("it is not an object")
	errTwice  = errors.New("a member stands twice in an object")
	errDepth  = fmt.Errorf("it nests deeper than %d", maxDepth)
	errMember = errors.New("it has a member that is unknown, or spelt in another case")
	errNull   = errors.New("a member is null")
	errValue  = errors.New("a member has a value of the wrong type")
)

// decodeStrict decodes a JSON object into the struct that v points to: every
// member known by its exact name, none twice, none null, and those without
// omitempty present. encoding/json alone would let all of that pass, and
// replace what is not UTF-8.
func decodeStrict(b []byte, v any) error {
	if !utf8.Valid(b) || !json.Valid(b) {
		return errSyntax
	}
	if err := checkNames(b); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(b, &members) != nil || members == nil {
		return errObject
	}
	if err := checkMembers(members, reflect.TypeOf(v).Elem()); err != nil {
		return err
	}
	if json.Unmarshal(b, v) != nil {
		return errValue
	}
	// A lone surrogate is an escape that no UTF-8 can have; encoding/json
	// puts U+FFFD in its place, which no text needs.
	if plain, err := json.Marshal(v); err != nil || bytes.ContainsRune(plain, utf8.RuneError) {
		return errSyntax
	}
	return nil
}

// checkNames refuses names that stand twice in an object, at any depth.
func checkNames(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var open []*object
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errSyntax
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if len(open) > 0 {
				open[len(open)-1].value()
			}
			if open = append(open, newObject(token)); len(open) > maxDepth {
				return errDepth
			}
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if len(open) > 0 && !open[len(open)-1].scalar(token) {
				return errTwice
			}
		}
	}
}

// object tells names from values among the tokens of an object, and knows the
// names; of an array it knows nothing.
type object struct {
	names  map[string]bool
	inName bool
}

func newObject(open json.Token) *object {
	if open == json.Delim('[') {
		return &object{}
	}
	return &object{names: map[string]bool{}, inName: true}
}

func (o *object) value() { o.inName = o.names != nil }

// scalar takes a token that opens nothing; false if it is a name for the
// second time.
func (o *object) scalar(token json.Token) bool {
	if !o.inName {
		o.value()
		return true
	}
	name, _ := token.(string)
	known := o.names[name]
	o.names[name], o.inName = true, false
	return !known
}

// checkMembers holds the members of an object against the fields of a struct.
func checkMembers(members map[string]json.RawMessage, t reflect.Type) error {
	var known []string
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known = append(known, name)
		if _, ok := members[name]; !ok && options == "" {
			return fmt.Errorf("it lacks %q", name)
		}
		if t.Field(i).Type == reflect.TypeFor[[]string]() && holdsNull(members[name]) {
			return errNull
		}
	}
	for name, value := range members {
		switch {
		case !slices.Contains(known, name):
			return errMember
		case bytes.Equal(value, null):
			return errNull
		}
	}
	return nil
}

var null = []byte("null")

// holdsNull reports whether an item of a list is null, which would be read as
// an empty text.
func holdsNull(list json.RawMessage) bool {
	var items []json.RawMessage
	return json.Unmarshal(list, &items) == nil && slices.ContainsFunc(items, func(item json.RawMessage) bool { return bytes.Equal(item, null) })
}
