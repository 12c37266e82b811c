package envelope

import (
	"bytes"
	"encoding/base64"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// sextet maps a character of RFC 4648 section 5 to its six bits, all others to 0xff.
var sextet = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// canonical64 says whether s is exactly what encoding some bytes yields: the
// base64url alphabet only, no padding, a length that occurs, unused bits zero.
func canonical64(s []byte) bool {
	var bad byte
	for _, c := range s {
		bad |= sextet[c]
	}
	if bad&0xc0 != 0 {
		return false
	}
	switch len(s) % 4 {
	case 1:
		return false
	case 2:
		return sextet[s[len(s)-1]]&0x0f == 0
	case 3:
		return sextet[s[len(s)-1]]&0x03 == 0
	}
	return true
}

// decode64 decodes canonical base64url, nothing else. The standard decoder is
// strict about trailing bits but skips CR and LF wherever they stand.
func decode64(s []byte) ([]byte, bool) {
	if len(s)%4 == 1 || bytes.IndexByte(s, '\n') >= 0 || bytes.IndexByte(s, '\r') >= 0 {
		return nil, false
	}
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(s)))
	if _, err := base64.RawURLEncoding.Strict().Decode(out, s); err != nil {
		return nil, false
	}
	return out, true
}

// length64 is the number of base64url characters of n bytes.
func length64(n int) int { return base64.RawURLEncoding.EncodedLen(n) }

// isDigest says whether s is the base64url of 32 bytes.
func isDigest(s []byte) bool { return len(s) == 43 && canonical64(s) }
