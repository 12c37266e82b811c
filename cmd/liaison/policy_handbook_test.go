package main

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/policy"
)

// TestHandbookPage: one file that loads nothing and runs nothing, whatever an author writes into a text; every link in
// it leads to a place in it.
func TestHandbookPage(t *testing.T) {
	md, err := policy.Handbook(policy.Samples(), nil)
	must(t, err)
	md = append(md, "\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![i](https://example.org/i.png)\n"...)
	page, err := handbookHTML(md)
	must(t, err)
	text := string(page)
	sum := sha256.Sum256([]byte(regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(text)[1]))
	if !strings.Contains(text, `content="default-src 'none'; style-src 'sha256-`+base64.StdEncoding.EncodeToString(sum[:])+`'; base-uri`) {
		t.Error("the content security policy does not have the digest of the style")
	}
	for _, bad := range []string{"<script", "javascript:", " style=", "<link", "<iframe"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		ids[m[1]]++
	}
	links := regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(text, -1)
	if len(links) < 100 {
		t.Errorf("%d links", len(links))
	}
	for _, m := range links {
		if ids[m[1]] != 1 {
			t.Errorf("#%s leads to %d places", m[1], ids[m[1]])
		}
	}
}
