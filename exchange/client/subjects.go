package client

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/liaison-exchange/liaison/certs"
)

// DirSubjects is the directory of a profile with the agency's subject keys, one
// file for each year: <year>.key. Units make references with them, the agency's
// data-protection officer finds by them what was exchanged about a person. The
// exchange never has one.
const DirSubjects = "subjects"

// Subject is a person as references are made of: a name and, where it is known,
// the date of birth.
type Subject struct {
	Name  string
	Birth string // 2006-01-02, or empty
}

// Errors about subjects and their keys.
var (
	ErrSubject      = errors.New("not NAME|BIRTHDATE, with the date as 1980-02-29 or left out")
	ErrSubjectKey   = errors.New("not a subject key: one line of 43 characters of base64url")
	ErrNoSubjectKey = errors.New("no subject key of that year")
)

// ParseSubject reads "NAME|BIRTHDATE"; the date may be left out.
func ParseSubject(s string) (Subject, error) {
	name, birth, _ := strings.Cut(s, "|")
	birth = strings.TrimSpace(birth)
	if t, err := time.Parse(time.DateOnly, birth); birth != "" && (err != nil || t.Format(time.DateOnly) != birth) {
		return Subject{}, ErrSubject
	}
	if normalName(name) == "" {
		return Subject{}, ErrSubject
	}
	return Subject{Name: name, Birth: birth}, nil
}

// normalName is a name as all its spellings are written: NFKC, case folded, its
// words (runs of letters, marks and digits) sorted and joined by one space. So
// "TAMM, Jaan-Erik" and "jaan erik tamm" are one person; what differs in a
// letter or an accent is another.
func normalName(name string) string {
	folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
	words := strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) })
	slices.Sort(words)
	return strings.Join(words, " ")
}

// SubjectKey is the secret of one agency and year.
type SubjectKey [32]byte

// NewSubjectKey makes one.
func NewSubjectKey() (k SubjectKey) {
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// Ref is the reference to a person: HMAC-SHA-256 under the key of
// "liaison-subject/1", the normal name and the date of birth, each ended by a
// line feed; base64url. Without the key nobody can tell whose it is, nor
// whether two agencies speak of the same person.
func (k SubjectKey) Ref(s Subject) string {
	mac := hmac.New(sha256.New, k[:])
	_, _ = fmt.Fprintf(mac, "liaison-subject/1\n%s\n%s\n", normalName(s.Name), s.Birth)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// SubjectKeys are an agency's keys by year.
type SubjectKeys map[int]SubjectKey

// Years are those that there is a key of, newest first.
func (k SubjectKeys) Years() []int {
	years := slices.Sorted(maps.Keys(k))
	slices.Reverse(years)
	return years
}

// Refs are the references to a person of all years, newest first.
func (k SubjectKeys) Refs(s Subject) (refs []string) {
	for _, year := range k.Years() {
		refs = append(refs, k[year].Ref(s))
	}
	return refs
}

// SubjectKeys reads the subject keys of the profile.
func (p *Profile) SubjectKeys() (SubjectKeys, error) {
	files, err := os.ReadDir(p.path(DirSubjects))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	keys := SubjectKeys{}
	for _, f := range files {
		var year int
		if n, err := fmt.Sscanf(f.Name(), "%4d.key", &year); err != nil || n != 1 || f.Name() != fmt.Sprintf("%04d.key", year) {
			continue
		}
		name := filepath.Join(DirSubjects, f.Name())
		if err := certs.CheckPrivate(p.path(name)); err != nil {
			return nil, p.fault(name, err, "chmod 600 it: who has it can test whether a reference is a person's")
		}
		raw, err := readProfileFile(p.path(name))
		if err != nil {
			return nil, err
		}
		key, err := decodeMember(strings.TrimSuffix(string(raw), "\n"))
		if err != nil || len(key) != len(SubjectKey{}) {
			return nil, p.fault(name, ErrSubjectKey, "copy the file as it was made")
		}
		keys[year] = SubjectKey(key)
	}
	return keys, nil
}

// WriteSubjectKey puts a new key of a year into the profile. There must be none
// yet: references under it could not be found any more.
func (p *Profile) WriteSubjectKey(year int, k SubjectKey) (path string, err error) {
	if err := os.MkdirAll(p.path(DirSubjects), 0o700); err != nil {
		return "", err
	}
	path = p.path(filepath.Join(DirSubjects, fmt.Sprintf("%04d.key", year)))
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	return path, certs.WriteSecret(path, []byte(base64.RawURLEncoding.EncodeToString(k[:])+"\n"))
}
