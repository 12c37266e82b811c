package console

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed report.html.tmpl
var reportText string

var reportPage = template.Must(template.New("report").Parse(reportText))

// HTML writes the report as one page to print: no scripts, nothing from
// elsewhere.
func (r *Report) HTML(w io.Writer) error {
	if err := reportPage.Execute(w, r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// MadeAt is when it was made, in words.
func (r *Report) MadeAt() string { return r.Made.UTC().Format("2 January 2006 15:04 UTC") }

// Attention is what is to be looked at.
func (r *Report) Attention() []string { return r.attention() }

// Span is how many columns stand before the count.
func (s *Section) Span() int { return len(s.Columns) - 1 }
