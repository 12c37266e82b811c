package console

import (
	"fmt"
	"io"
	"strings"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// Measures of a page, in millimetres.
const (
	left, top  = 16, 18
	width      = 210 - 2*left
	row        = 5.2
	countWidth = 24
)

// PDF writes the report for paper, on A4. Its letters are the Go fonts, which
// have Latin, Greek and Cyrillic.
func (r *Report) PDF(w io.Writer) error {
	p := fpdf.New("P", "mm", "A4", "")
	p.AddUTF8FontFromBytes("go", "", goregular.TTF)
	p.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	p.SetCatalogSort(true) // the same report is the same bytes
	p.SetCreationDate(r.Made)
	p.SetModificationDate(r.Made)
	p.SetTitle(r.Title+": "+r.Owner+", "+r.Period(), true)
	p.SetLang("en")
	p.SetMargins(left, top, left)
	p.SetAutoPageBreak(true, top)
	p.AliasNbPages("")
	p.SetFooterFunc(func() {
		p.SetY(-14)
		p.SetFont("go", "", 8)
		p.SetTextColor(90, 99, 114)
		p.CellFormat(width-30, 5, r.Owner+", "+r.Period()+", this exchange only", "", 0, "L", false, 0, "")
		p.CellFormat(30, 5, fmt.Sprintf("%d / {nb}", p.PageNo()), "", 0, "R", false, 0, "")
		p.SetTextColor(26, 31, 41)
	})
	p.AddPage()
	d := &paper{p}
	d.head(r)
	for i := range r.Sections {
		d.section(&r.Sections[i])
	}
	d.title("How to read this")
	for _, n := range r.Notes {
		d.text("– "+n, "", 9)
	}
	d.signature()
	if err := p.Output(w); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// paper is a document that is written from top to bottom.
type paper struct{ *fpdf.Fpdf }

func (d *paper) text(s, style string, size float64) {
	d.SetFont("go", style, size)
	d.MultiCell(width, size*0.5, s, "", "L", false)
}

// title begins a section, with room for some of it on the same page.
func (d *paper) title(s string) {
	if d.GetY() > 297-top-28 {
		d.AddPage()
	} else {
		d.Ln(4)
	}
	d.text(s, "B", 12)
}

// fact is a name with its value beside it.
func (d *paper) fact(name, value string, bad bool) {
	d.SetFont("go", "", 9)
	d.SetTextColor(90, 99, 114)
	d.CellFormat(30, row, name, "", 0, "L", false, 0, "")
	d.SetTextColor(26, 31, 41)
	if bad {
		d.SetFont("go", "B", 9)
		d.SetTextColor(163, 18, 29)
	}
	d.MultiCell(width-30, row, value, "", "L", false)
	d.SetTextColor(26, 31, 41)
}

func (d *paper) head(r *Report) {
	d.text(r.Title, "B", 18)
	d.text(r.Owner+", "+r.Period()+". Figures of this exchange only.", "", 10)
	d.Ln(2)
	d.fact("Exchange", r.Exchange, false)
	d.fact("Made", r.MadeAt()+" by "+r.By, false)
	d.fact("Why", r.Why, false)
	if all := r.attention(); len(all) > 0 {
		d.Ln(2)
		d.SetFillColor(241, 244, 248)
		d.SetFont("go", "B", 10)
		d.MultiCell(width, 6, "To be looked at: "+strings.Join(all, ", ")+".", "L", "L", true)
	}
	d.title("Integrity")
	for _, f := range r.Integrity {
		d.fact(f.Name, f.Value, f.Bad)
	}
}

// widths are those of a table's columns: counts are narrow, the others share.
func (s *Section) widths() []float64 {
	if len(s.Columns) == 6 {
		return []float64{22, 16, 20, 72, width - 22 - 16 - 20 - 72 - countWidth, countWidth}
	}
	all := make([]float64, len(s.Columns))
	for i := range all {
		all[i] = countWidth
		if !s.Number(i) {
			all[i] = (width - float64(s.Numbers)*countWidth) / float64(len(s.Columns)-s.Numbers)
		}
	}
	if len(all) == 3 {
		all[0], all[1] = 36, width-36-countWidth
	}
	return all
}

func (d *paper) section(s *Section) {
	d.title(s.Title)
	d.SetTextColor(90, 99, 114)
	d.text(s.Lead, "", 8.5)
	d.SetTextColor(26, 31, 41)
	if len(s.Rows) == 0 {
		d.text(s.Empty, "", 9.5)
		return
	}
	d.heading(s)
	for _, cells := range s.Rows {
		d.row(s, cells, "")
	}
	if total := s.Total(); total != "" {
		cells := make([]string, len(s.Columns))
		cells[0], cells[len(cells)-1] = "Together", total
		d.row(s, cells, "B")
	}
	if s.More > 0 {
		d.text(fmt.Sprintf("and %d more, which the register lists.", s.More), "", 9)
	}
}

func (d *paper) heading(s *Section) {
	d.SetFillColor(241, 244, 248)
	d.SetFont("go", "B", 9)
	for i, w := range s.widths() {
		d.CellFormat(w, row+0.8, s.Columns[i], "B", 0, align(s, i), true, 0, "")
	}
	d.Ln(-1)
}

func align(s *Section, i int) string {
	if s.Number(i) {
		return "R"
	}
	return "L"
}

// row writes cells beside each other, as high as the highest; a page has the
// heading again.
func (d *paper) row(s *Section, cells []string, style string) {
	d.SetFont("go", style, 9)
	widths, lines := s.widths(), 1
	for i, c := range cells {
		lines = max(lines, len(d.SplitText(c, widths[i]-2)))
	}
	if d.GetY()+float64(lines)*row > 297-top {
		d.AddPage()
		d.heading(s)
		d.SetFont("go", style, 9)
	}
	x, y := d.GetX(), d.GetY()
	for i, c := range cells {
		d.SetXY(x, y)
		d.MultiCell(widths[i], row, c, "", align(s, i), false)
		x += widths[i]
	}
	y += float64(lines) * row
	d.SetDrawColor(201, 208, 218)
	d.Line(left, y, left+width, y)
	d.SetXY(left, y)
}

func (d *paper) signature() {
	if d.GetY() > 297-top-32 {
		d.AddPage()
	}
	d.Ln(22)
	y := d.GetY()
	d.SetDrawColor(26, 31, 41)
	d.Line(left, y, left+width/2-8, y)
	d.Line(left+width/2+8, y, left+width, y)
	d.SetFont("go", "", 8.5)
	d.SetTextColor(90, 99, 114)
	d.CellFormat(width/2+8, 5, "Place, date", "", 0, "L", false, 0, "")
	d.CellFormat(width/2-8, 5, "Data-protection officer", "", 0, "L", false, 0, "")
}
