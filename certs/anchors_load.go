package certs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	anchorExt = ".pem"
	limitExt  = ".agencies"
)

// LoadAnchors reads a directory: <jurisdiction>.pem has the anchors of a jurisdiction, one or more certificates.
//
// Beside it <jurisdiction>.agencies, if there is one, limits anchors to agencies, a line for each anchor: its fingerprint (see
// Fingerprint) or * for all anchors of the file, then the short ids of the agencies, separated by spaces. Empty lines and lines
// that begin with # count for nothing. Anchors without a line may vouch for all agencies of the jurisdiction.
//
//	# the border guard has an authority of its own
//	Wq3…  pbgb
//
// Files with other endings are passed over. A damaged file is an error for all: half a set of anchors is no set.
func LoadAnchors(dir string) (*Anchors, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fileError(dir, err)
	}
	found := map[string][]Anchor{}
	for _, file := range files {
		jurisdiction, ok := strings.CutSuffix(file.Name(), anchorExt)
		if !ok {
			continue
		}
		if found[jurisdiction], err = loadAnchorFile(dir, jurisdiction); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		jurisdiction, ok := strings.CutSuffix(file.Name(), limitExt)
		if !ok {
			continue
		}
		if err := limitAnchors(filepath.Join(dir, file.Name()), found[jurisdiction]); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, setupError(dir, errors.New("no anchors"), "put <jurisdiction>.pem there for each jurisdiction")
	}
	return NewAnchors(found)
}

func loadAnchorFile(dir, jurisdiction string) ([]Anchor, error) {
	chain, err := LoadChain(filepath.Join(dir, jurisdiction+anchorExt))
	if err != nil {
		return nil, err
	}
	anchors := make([]Anchor, 0, len(chain))
	for _, cert := range chain {
		anchors = append(anchors, Anchor{Certificate: cert})
	}
	return anchors, nil
}

// limitAnchors writes the limits of the file into the anchors.
func limitAnchors(path string, anchors []Anchor) error {
	data, err := readFile(path, maxFile)
	if err != nil {
		return err
	}
	for n, line := range strings.Split(string(data), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := limitLine(fields, anchors); err != nil {
			return setupError(path, fmt.Errorf("line %d: %w", n+1, err),
				"write the fingerprint of an anchor of the .pem file beside it, or *, then the short ids of its agencies")
		}
	}
	return nil
}

func limitLine(fields []string, anchors []Anchor) error {
	if len(fields) < 2 {
		return errors.New("no agencies: an anchor for no agency is not to be had")
	}
	matched := false
	for i := range anchors {
		if fields[0] != "*" && fields[0] != Fingerprint(anchors[i].Certificate) {
			continue
		}
		if len(anchors[i].Agencies) > 0 {
			return errors.New("a second line for the same anchor")
		}
		anchors[i].Agencies, matched = fields[1:], true
	}
	if !matched {
		return fmt.Errorf("no anchor %.60q", fields[0])
	}
	return nil
}
