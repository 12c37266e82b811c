package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFileName is the longest name of a file that is made of another party's
// name for it, in bytes: room for a suffix below the usual limit of 255.
const maxFileName = 200

// reservedNames cannot be files on Windows, whatever their extension.
var reservedNames = map[string]bool{"con": true, "prn": true, "aux": true, "nul": true}

// safeName makes a file name of the name that a sender gave to attachment i.
// It stays in its directory on any system, is not hidden, cannot steer a
// terminal, and is read as it is written.
func safeName(name string, i int) string {
	name = strings.ReplaceAll(name, `\`, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.In(r, unicode.C), strings.ContainsRune(`<>:"|?*`, r), unicode.IsSpace(r) && r != ' ':
			return '_'
		}
		return r
	}, name)
	name = strings.Trim(name, " ")
	name = strings.TrimLeft(name, ".-~ ")
	name = strings.TrimRight(shorten(name, maxFileName), ". ")
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	if numbered, ok := strings.CutSuffix(stem, string(lastByte(stem))); ok && (numbered == "com" || numbered == "lpt") {
		stem = "con"
	}
	if name == "" || reservedNames[stem] {
		return fmt.Sprintf("attachment-%d", i)
	}
	return name
}

func lastByte(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte{s[len(s)-1]}
}

// shorten cuts the middle of a name, so that its extension stays, at whole
// characters.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 20 {
		ext = name[i:]
	}
	cut := limit - len(ext)
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + ext
}
