package report

import (
	"bytes"
	"image/color"
	"os"
	"slices"

	"github.com/usercast-go/usercast/bench/internal/contender"
	"github.com/usercast-go/usercast/bench/internal/result"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// kind is how a picture shows its rows.
type kind int

const (
	bars  kind = iota // one value per row, with its label
	spans             // several values per row as dots on a logarithmic scale
	lines             // one value per case, the cases on a logarithmic scale
)

// picture is a plot before it is drawn.
type picture struct {
	file  string
	title string
	unit  string
	kind  kind
	cases []float64 // of lines
	rows  []row
}

// row is one contender in a picture.
type row struct {
	name   string
	values []float64
	remark string
}

// add appends a contender, if all of its values are known.
func (p *picture) add(name string, values []float64) {
	if len(values) == 0 || slices.ContainsFunc(values, func(v float64) bool { return !result.Known(v) }) {
		return
	}
	p.rows = append(p.rows, row{name: name, values: values})
}

// empty tells whether there is nothing to compare.
func (p *picture) empty() bool { return len(p.rows) < 2 || (p.kind == lines && len(p.cases) < 2) }

// The colours are those of a page with a light background, which the picture brings along: it must be readable on a
// dark page too.
var (
	paper  = color.NRGBA{0xFC, 0xFC, 0xFB, 0xFF}
	ink    = color.NRGBA{0x22, 0x26, 0x2B, 0xFF}
	faint  = color.NRGBA{0x75, 0x7C, 0x86, 0xFF}
	grid   = color.NRGBA{0xE6, 0xE8, 0xEB, 0xFF}
	accent = color.NRGBA{0xC2, 0x41, 0x0C, 0xFF} // usercast
	peer   = color.NRGBA{0x9A, 0xA7, 0xB8, 0xFF} // everybody else
)

func colorOf(name string) color.Color {
	if name == contender.Baseline {
		return accent
	}
	return peer
}

// The measures of a picture.
const (
	pictureWidth = 640
	rowHeight    = 26
	linesHeight  = 360
	frameHeight  = 76 // title and axis
	titleHeight  = 26
	margin       = 14
	// middleOfLetters centres what stands on the base line, where draw.YCenter counts the space below it too.
	middleOfLetters = -0.38
)

// save draws the picture as SVG.
func (p *picture) save(path string) error {
	height := vg.Length(linesHeight)
	if p.kind != lines {
		height = vg.Length(len(p.rows)*rowHeight + frameHeight)
	}
	canvas := vgsvg.New(pictureWidth, height)
	page := draw.Crop(draw.New(canvas), margin, -margin, 8, -margin)
	title := style(13, ink)
	title.Font.Weight = xfont.WeightBold
	page.FillText(title, vg.Point{X: page.Min.X, Y: page.Max.Y - 6}, p.title)
	p.chart().Draw(draw.Crop(page, 0, 0, 0, -titleHeight))
	var buf bytes.Buffer
	if _, err := canvas.WriteTo(&buf); err != nil {
		return err
	}
	return os.WriteFile(path, fitForPages(buf.Bytes()), 0o644)
}

// fitForPages names fonts that readers have, and paints the paper: a plot's own background ends at its margins.
func fitForPages(svg []byte) []byte {
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans"), []byte("font-family:Helvetica,Arial,'Liberation Sans',sans-serif"))
	start := bytes.Index(svg, []byte("<g "))
	if start < 0 {
		return svg
	}
	paperRect := []byte(`<rect width="100%" height="100%" fill="#FCFCFB"/>` + "\n")
	return slices.Concat(svg[:start], paperRect, svg[start:])
}

// chart prepares what all kinds share: fonts and colours.
func (p *picture) chart() *plot.Plot {
	c := plot.New()
	c.BackgroundColor = paper
	for _, axis := range []*plot.Axis{&c.X, &c.Y} {
		axis.Color, axis.Tick.Color = grid, grid
		axis.Tick.Label.Font = style(11, ink).Font
		axis.Tick.Label.Color = ink
		axis.Label.TextStyle = style(11, faint)
		axis.Tick.Length = 0
	}
	switch p.kind {
	case bars:
		p.drawBars(c)
	case spans:
		p.drawSpans(c)
	case lines:
		p.drawLines(c)
	}
	return c
}

// nominal puts the rows' names on the Y axis, the first row on top.
func (p *picture) nominal(c *plot.Plot) {
	names := make([]string, len(p.rows))
	for i, r := range p.rows {
		names[len(names)-1-i] = r.name
	}
	c.NominalY(names...)
	c.Y.Min, c.Y.Max = -0.6, float64(len(names))-0.4
	c.Y.Width, c.Y.Padding = 0, 6
}

// height is where a row stands on the nominal Y axis.
func (p *picture) height(i int) float64 { return float64(len(p.rows) - 1 - i) }

func style(size vg.Length, c color.Color) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		YAlign:  middleOfLetters,
		Handler: plot.DefaultTextHandler,
	}
}
