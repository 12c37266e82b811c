package envelope

import (
	"encoding/json"
	"io"
)

// Message is the plaintext of a content. Only Salt is required.
type Message struct {
	Salt        string              `json:"salt"` // base64url of 32 random bytes
	Subject     string              `json:"subject,omitempty"`
	Text        string              `json:"text,omitempty"`
	Structured  *Structured         `json:"structured,omitempty"`
	Counts      map[string]int64    `json:"counts,omitempty"`
	Attachments []MessageAttachment `json:"attachments,omitempty"`
}

// Structured is a machine-readable body and the name of its format.
type Structured struct {
	Format string          `json:"format"`
	Body   json.RawMessage `json:"body"`
}

// MessageAttachment opens the attachment at the same place in the manifest's list.
type MessageAttachment struct {
	Name      string `json:"name"`       // a file name, never a path
	MediaType string `json:"media_type"` // without parameters
	Key       string `json:"key"`        // base64url of 32 bytes
	Size      int64  `json:"size"`       // bytes of the plaintext
	SHA256    string `json:"sha256"`     // base64url, over the plaintext
}

var structuredShape = object(
	must("format", "", codeShape, func(s *Structured) *string { return &s.Format }),
	must("body", "", anyValue, func(s *Structured) *json.RawMessage { return &s.Body }),
)

var fileNameGrammar = grammar{want: "a file name of at most 255 bytes, without path", match: isFileName}

var messageAttachmentShape = object(
	must("name", "", matching(fileNameGrammar), func(a *MessageAttachment) *string { return &a.Name }),
	must("media_type", "", matching(mediaTypeGrammar), func(a *MessageAttachment) *string { return &a.MediaType }),
	must("key", "", octets, func(a *MessageAttachment) *string { return &a.Key }),
	must("size", "", integer(0, maxInteger), func(a *MessageAttachment) *int64 { return &a.Size }),
	must("sha256", "", matching(digestGrammar), func(a *MessageAttachment) *string { return &a.SHA256 }),
)

var messageShape = object(
	must("salt", "", octets, func(m *Message) *string { return &m.Salt }),
	may("subject", "", text(0, 1000), func(m *Message) *string { return &m.Subject }),
	may("text", "", text(0, MaxContent), func(m *Message) *string { return &m.Text }),
	maybe("structured", "", structuredShape, func(m *Message) **Structured { return &m.Structured }),
	may("counts", "", dict(codeGrammar, integer(0, maxInteger), 256), func(m *Message) *map[string]int64 { return &m.Counts }),
	may("attachments", "", list(messageAttachmentShape, 0, MaxAttachments), func(m *Message) *[]MessageAttachment { return &m.Attachments }),
)

// ParseMessage reads a message, the plaintext of a content, strictly. Its error
// is an ErrMalformed.
func ParseMessage(plaintext []byte) (*Message, error) {
	if len(plaintext) > MaxContent {
		return nil, malformed(ReasonTooLarge, "message")
	}
	var m Message
	if err := readAll(plaintext, messageDialect, messageShape, &m); err != nil {
		return nil, within(err, "message")
	}
	return &m, nil
}

// OpenAttachment decrypts attachment index of a package from r to w and checks
// digest and size of ciphertext (by the manifest) and plaintext (by the
// message). What was written to w must be thrown away unless it returns nil. Its
// error is an ErrRejected, or that of r or w.
func (m *Message) OpenAttachment(w io.Writer, r io.Reader, manifest *SignedManifest, index int) error {
	if index < 0 || index >= len(m.Attachments) || len(m.Attachments) != len(manifest.Attachments) {
		return rejected(ReasonAttachment)
	}
	a, ref := m.Attachments[index], manifest.Attachments[index]
	key, ok := decode64([]byte(a.Key))
	if !ok {
		return rejected(ReasonAttachment)
	}
	plain, sealed, err := DecryptAttachment(w, r, key, manifest.JTI, index)
	if err != nil {
		return err
	}
	if sealed != ref || plain != (AttachmentRef{SHA256: a.SHA256, Size: a.Size}) {
		return rejected(ReasonAttachment)
	}
	return nil
}
