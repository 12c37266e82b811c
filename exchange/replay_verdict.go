package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/liaison-exchange/liaison/policy"
)

// verdictText is a recorded verdict of which only that is read that a replay
// looks at each time: to decode all of it costs as much as to decide again.
type verdictText struct {
	text               []byte
	verdict, engine    string
	obligations, pends []byte            // JSON
	revisions          map[string]string // shared: not to be changed
}

var errVerdict = errors.New("no recorded verdict")

// readVerdict finds the members of a verdict that encodeVerdict wrote.
func readVerdict(text []byte, revisions func(text []byte) map[string]string) (*verdictText, error) {
	v := &verdictText{text: text}
	var verdict, engine, named []byte
	wanted := map[string]*[]byte{"Verdict": &verdict, "Engine": &engine, "Obligations": &v.obligations, "Pends": &v.pends, "Revisions": &named}
	s := scanner{text: text}
	once := true
	whole := s.members(func(name string, value []byte) {
		if to := wanted[name]; to != nil {
			once = once && *to == nil
			*to = value
		}
	})
	if !whole || !once {
		return nil, errVerdict
	}
	for _, found := range wanted {
		if *found == nil {
			return nil, errVerdict
		}
	}
	if v.revisions = revisions(named); v.revisions == nil || s.at != len(text) || verdict[0] != '"' || engine[0] != '"' {
		return nil, errVerdict
	}
	v.verdict, v.engine = string(verdict[1:len(verdict)-1]), string(engine[1:len(engine)-1])
	return v, nil
}

// decode reads all of it.
func (v *verdictText) decode() (*policy.Decision, error) {
	d := &policy.Decision{}
	err := json.Unmarshal(v.text, d)
	return d, err
}

// names reports whether it can be that the verdict waits for an originator, or
// tells one.
func (v *verdictText) names() bool {
	return bytes.Contains(v.pends, []byte(`"originator"`)) || bytes.Contains(v.obligations, []byte(codeNotify))
}

// changeKind is changeKind of the decision. It is decoded only where it cannot
// be told otherwise.
func (v *verdictText) changeKind(now *policy.Decision) (string, error) {
	if v.verdict != now.Verdict {
		return kindOfVerdict[now.Verdict], nil
	}
	if v.verdict == policy.Denied {
		return "", nil
	}
	same, sure := sameAsRecorded(v.obligations, now.Obligations)
	switch {
	case sure && !same:
		return ObligationsChange, nil
	case sure && len(now.Pends) == 0 && string(v.pends) == "null":
		return "", nil
	}
	was, err := v.decode()
	if err != nil {
		return "", err
	}
	return changeKind(was, now), nil
}

// sameAsRecorded is sameAsDecided with recorded obligations. It is not sure of
// what json.Marshal did not write.
func sameAsRecorded(text []byte, now []policy.Obligation) (same, sure bool) {
	if string(text) == "null" {
		return len(now) == 0, true
	}
	s, n, same := scanner{text: text}, 0, true
	for sep := byte('['); !s.char(']'); sep = ',' {
		var code, params []byte
		if !s.char(sep) || !s.members(func(name string, value []byte) {
			switch name {
			case "Code":
				code = value
			case "Params":
				params = value
			}
		}) || len(code) < 2 || params == nil || bytes.IndexByte(code, '\\') >= 0 {
			return false, false
		}
		same = same && n < len(now) && string(code[1:len(code)-1]) == now[n].Code && sameJSON(params, now[n].Params)
		n++
	}
	return same && n == len(now), s.at == len(text)
}

// scanner walks a text that json.Marshal wrote, which has no space.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) char(c byte) bool {
	if s.at >= len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// members moves behind an object, and calls f for each of its members.
func (s *scanner) members(f func(name string, value []byte)) bool {
	for sep := byte('{'); !s.char('}'); sep = ',' {
		if !s.char(sep) {
			return false
		}
		name, ok := s.value()
		if !ok || len(name) < 2 || name[0] != '"' || !s.char(':') {
			return false
		}
		value, ok := s.value()
		if !ok {
			return false
		}
		f(string(name[1:len(name)-1]), value)
	}
	return true
}

// value moves behind the value that begins here, and returns its text. What is
// in it is not looked at but for where it ends.
func (s *scanner) value() ([]byte, bool) {
	start, depth := s.at, 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			if !s.str() {
				return nil, false
			}
			s.at--
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return s.text[start:s.at], s.at > start
			}
		case ',', ':':
			if depth == 0 {
				return s.text[start:s.at], s.at > start
			}
		}
		s.at++
	}
	return nil, false
}

// str moves behind a string.
func (s *scanner) str() bool {
	for at := s.at + 1; ; {
		n := bytes.IndexByte(s.text[at:], '"')
		if n < 0 {
			return false
		}
		end, slashes := at+n, 0
		for s.text[end-1-slashes] == '\\' {
			slashes++
		}
		at = end + 1
		if slashes%2 == 0 {
			s.at = at
			return true
		}
	}
}

// revisionsOf decodes the revisions of verdicts: those of many are the same.
func (r *replay) revisionsOf(text []byte) map[string]string {
	if known := r.revisions[string(text)]; known != nil {
		return known
	}
	found := map[string]string{}
	if json.Unmarshal(text, &found) != nil || found == nil {
		return nil
	}
	if len(r.revisions) >= maxRevisions {
		clear(r.revisions)
	}
	r.revisions[string(text)] = found
	return found
}

// maxRevisions bounds the revisions that are kept decoded.
const maxRevisions = 1024

// concerns reports whether a decision can be for the reader at all: its
// jurisdiction is one of those that were asked, or that the decision names.
func (r *replay) concerns(v *verdictText) bool {
	j := r.who.jurisdiction
	if v.revisions["declared/"+j] != "" || v.revisions["rules/"+j] != "" {
		return true
	}
	if !v.names() {
		return false
	}
	d, err := v.decode()
	return err == nil && (pendsOn(*d, "originator", j) || slices.ContainsFunc(notifiedBy(*d), r.who.is))
}
