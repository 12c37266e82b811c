package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"os"

	"github.com/spf13/cobra"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"

	"github.com/liaison-exchange/liaison/policy"
)

// publishing is what the flags of policy handbook say.
type publishing struct {
	drafting
	output, format string
}

func newPolicyHandbook(env *environment) *cobra.Command {
	p := &publishing{drafting: drafting{env: env}}
	c := &cobra.Command{
		Use:   "handbook [DIR...] [-o FILE] [--format html|md]",
		Short: "Write the rules as a document for people: what is refused, why, and what to do",
		Long: `handbook writes common and the policies of the named directories as one document, from
the METADATA of the rules alone: each rule with its text, fix and source, what waits and
for whom, obligations and how those of several layers become one, dated facts, codes.
Without a directory it writes the samples of this program.

HTML is one file without scripts and without anything from elsewhere, fit to be printed.`,
		Example: `  liaison policy handbook fi -o handbook.html
  liaison policy handbook fi ee --format md > handbook.md`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, dirs []string) error { return p.run(dirs) },
	}
	p.add(c)
	c.Flags().StringVarP(&p.output, "output", "o", "", "file to write (default: standard output)")
	c.Flags().StringVar(&p.format, "format", "", "html or md (default: by the file's name, else html)")
	return c
}

func (p *publishing) run(dirs []string) error {
	md, err := p.markdown()
	if err != nil {
		return err
	}
	in, err := p.inputs()
	if err != nil {
		return err
	}
	in.AllowSamples = true
	var jurisdictions []string
	for _, dir := range dirs {
		b, err := readPolicy(dir)
		if err != nil {
			return err
		}
		in = policy.NewDesk(b, in, "").Inputs()
		if b.Jurisdiction != policy.CommonBundle {
			jurisdictions = append(jurisdictions, b.Jurisdiction)
		}
	}
	text, err := policy.Handbook(in, jurisdictions)
	if err != nil {
		dir := "."
		if len(dirs) > 0 {
			dir = dirs[0]
		}
		return p.refusedPolicy(err, dir)
	}
	if !md {
		if text, err = handbookHTML(text); err != nil {
			return err
		}
	}
	if p.output == "" || p.output == "-" {
		_, err := p.env.Stdout.Write(text)
		return err
	}
	return os.WriteFile(p.output, text, 0o644)
}

// markdown tells which format is wanted.
func (p *publishing) markdown() (bool, error) {
	switch p.format {
	case "md", "markdown":
		return true, nil
	case "html":
		return false, nil
	case "":
		return len(p.output) > 3 && p.output[len(p.output)-3:] == ".md", nil
	}
	return false, usageError(fmt.Errorf("--format %s", p.format), "give html or md")
}

const handbookStyle = `
:root{color-scheme:light}
body{font:16px/1.5 system-ui,"Segoe UI","Liberation Sans",Arial,sans-serif;color:#1b1f24;background:#fff;max-width:62rem;margin:2rem auto;padding:0 1.25rem}
h1{font-size:2rem;margin:0 0 .5rem}
h2{font-size:1.45rem;margin:2.5rem 0 .75rem;padding-bottom:.25rem;border-bottom:2px solid #1f4e79}
h3{font-size:1.15rem;margin:1.75rem 0 .5rem;color:#1f4e79}
h4{font:600 .95rem/1.4 ui-monospace,"Liberation Mono",monospace;margin:1.25rem 0 .25rem;padding:.25rem .5rem;background:#eef2f6;border-left:4px solid #1f4e79;overflow-wrap:anywhere}
p{margin:.4rem 0}
ul{margin:.4rem 0;padding-left:1.25rem}
h4~ul li{margin:.1rem 0}
code{font:.9em ui-monospace,"Liberation Mono",monospace}
blockquote{margin:1rem 0;padding:.5rem 1rem;background:#fff4d6;border-left:4px solid #b7791f}
table{border-collapse:collapse;width:100%;font-size:.875rem;margin:.75rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .5rem;border:1px solid #d0d7de;overflow-wrap:break-word}
th{background:#eef2f6}
a{color:#1f4e79}
:target{outline:3px solid #b7791f}
@media print{body{max-width:none;margin:0;font-size:10.5pt}h4,blockquote,tr{break-inside:avoid}h2,h3,h4{break-after:avoid}a{color:inherit;text-decoration:none}}
`

// handbookHTML puts a handbook into one page that loads nothing and runs nothing.
func handbookHTML(text []byte) ([]byte, error) {
	var body bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := md.Convert(text, &body, parser.WithContext(parser.NewContext(parser.WithIDs(&anchors{seen: map[string]int{}})))); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(handbookStyle))
	var page bytes.Buffer
	fmt.Fprintf(&page, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
<main>
`, base64.StdEncoding.EncodeToString(sum[:]), html.EscapeString("Policy handbook"), handbookStyle)
	page.Write(body.Bytes())
	page.WriteString("</main>\n</body>\n</html>\n")
	return page.Bytes(), nil
}

// anchors gives headings the ids that the table of contents has.
type anchors struct{ seen map[string]int }

func (a *anchors) Generate(value []byte, _ ast.NodeKind) []byte {
	slug := policy.Slug(string(value))
	n := a.seen[slug]
	a.seen[slug] = n + 1
	if n > 0 {
		slug = fmt.Sprintf("%s-%d", slug, n)
	}
	return []byte(slug)
}

func (a *anchors) Put([]byte) {}
