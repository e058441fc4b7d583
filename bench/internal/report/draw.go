package report

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// painter is a plotter that is just a function.
type painter func(c draw.Canvas, p *plot.Plot)

// Plot implements plot.Plotter.
func (f painter) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }

const (
	barHeight = 15
	dotRadius = 4
	labelGap  = 7
)

// drawBars shows one bar per row with its value, and behind it what usercast takes of that.
func (p *picture) drawBars(c *plot.Plot) {
	p.nominal(c)
	c.HideX()
	longest := 0.0
	for _, r := range p.rows {
		longest = max(longest, r.values[0])
	}
	c.X.Min, c.X.Max = 0, longest*1.5 // room for the labels
	c.Add(painter(func(canvas draw.Canvas, plt *plot.Plot) {
		x, y := plt.Transforms(&canvas)
		for i, r := range p.rows {
			middle, end := y(p.height(i)), x(r.values[0])
			canvas.FillPolygon(colorOf(r.name), rectangle(x(0), middle-barHeight/2, end, middle+barHeight/2))
			label := significant(r.values[0]) + " " + p.unit
			canvas.FillText(style(11, ink), vg.Point{X: end + labelGap, Y: middle}, label)
			if r.remark != "" {
				after := end + labelGap + style(11, ink).Width(label) + labelGap
				canvas.FillText(style(11, faint), vg.Point{X: after, Y: middle}, r.remark)
			}
		}
	}))
}

// drawSpans shows a row's values as dots that fade towards the rarer ones, on a logarithmic scale. The last has a label.
func (p *picture) drawSpans(c *plot.Plot) {
	p.nominal(c)
	low, high := math.Inf(1), 0.0
	for _, r := range p.rows {
		low, high = min(low, slices.Min(r.values)), max(high, slices.Max(r.values))
	}
	c.X.Scale = plot.LogScale{}
	c.X.Min, c.X.Max = low/1.3, high*1.6
	c.X.Tick.Marker = decades(p.unit)
	c.Add(gridX(), painter(func(canvas draw.Canvas, plt *plot.Plot) {
		x, y := plt.Transforms(&canvas)
		for i, r := range p.rows {
			middle := y(p.height(i))
			stroke := draw.LineStyle{Color: colorOf(r.name), Width: 2}
			canvas.StrokeLine2(stroke, x(slices.Min(r.values)), middle, x(slices.Max(r.values)), middle)
			for j, v := range r.values {
				dot(&canvas, r.name, x(v), middle, j == 0)
			}
			label := significant(r.values[len(r.values)-1]) + " " + p.unit
			canvas.FillText(style(11, ink), vg.Point{X: x(slices.Max(r.values)) + dotRadius + labelGap, Y: middle}, label)
		}
	}))
}

// dot is filled, or a ring for the first value of a row.
func dot(canvas *draw.Canvas, name string, x, y vg.Length, ring bool) {
	glyph := draw.GlyphStyle{Color: colorOf(name), Radius: dotRadius, Shape: draw.CircleGlyph{}}
	canvas.DrawGlyphNoClip(glyph, vg.Point{X: x, Y: y})
	if ring {
		glyph.Color, glyph.Radius = paper, dotRadius-1.6
		canvas.DrawGlyphNoClip(glyph, vg.Point{X: x, Y: y})
	}
}

// drawLines shows a line per row over the cases, with its name at the right end.
func (p *picture) drawLines(c *plot.Plot) {
	c.X.Scale, c.X.Tick.Marker = plot.LogScale{}, casesOnly(p.cases)
	c.X.Min, c.X.Max = p.cases[0], p.cases[len(p.cases)-1]*math.Pow(p.cases[len(p.cases)-1]/p.cases[0], 0.22)
	highest := 0.0
	for _, r := range p.rows {
		highest = max(highest, slices.Max(r.values))
	}
	c.Y.Min, c.Y.Max = 0, highest*1.05
	c.Y.Width = 0
	c.Y.Tick.Marker = fromZero(p.unit)
	c.Add(gridY(), painter(func(canvas draw.Canvas, plt *plot.Plot) {
		x, y := plt.Transforms(&canvas)
		ends := p.labelHeights(func(v float64) vg.Length { return y(v) })
		for i, r := range p.rows {
			points := make([]vg.Point, len(r.values))
			for j, v := range r.values {
				points[j] = vg.Point{X: x(p.cases[j]), Y: y(v)}
				dot(&canvas, r.name, points[j].X, points[j].Y, false)
			}
			canvas.StrokeLines(draw.LineStyle{Color: colorOf(r.name), Width: 2}, points)
			end := points[len(points)-1]
			canvas.FillText(style(11, ink), vg.Point{X: end.X + dotRadius + labelGap, Y: ends[i]}, r.name)
		}
	}))
}

// labelHeights keeps the names at the ends of lines apart: from below, each at least a line above the one before.
func (p *picture) labelHeights(y func(float64) vg.Length) []vg.Length {
	const lineHeight = 13
	order := make([]int, len(p.rows))
	for i := range order {
		order[i] = i
	}
	end := func(i int) float64 { return p.rows[i].values[len(p.rows[i].values)-1] }
	slices.SortFunc(order, func(a, b int) int {
		if end(a) < end(b) {
			return -1
		}
		return 1
	})
	heights := make([]vg.Length, len(p.rows))
	lowest := vg.Length(math.Inf(-1))
	for _, i := range order {
		heights[i] = max(y(end(i)), lowest)
		lowest = heights[i] + lineHeight
	}
	return heights
}

func rectangle(x0, y0, x1, y1 vg.Length) []vg.Point {
	return []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
}

// decades marks 1, 2 and 5 of every decade.
func decades(unit string) plot.TickerFunc {
	return func(low, high float64) (ticks []plot.Tick) {
		for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
			for _, digit := range []float64{1, 2, 5} {
				if v := digit * decade; v >= low && v <= high {
					ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g %s", v, unit)})
				}
			}
		}
		return ticks
	}
}

func casesOnly(cases []float64) plot.TickerFunc {
	return func(float64, float64) (ticks []plot.Tick) {
		for _, v := range cases {
			ticks = append(ticks, plot.Tick{Value: v, Label: grouped(v)})
		}
		return ticks
	}
}

// fromZero marks four to ten round values above zero.
func fromZero(unit string) plot.TickerFunc {
	return func(_, high float64) (ticks []plot.Tick) {
		step := math.Pow(10, math.Floor(math.Log10(high)))
		for _, finer := range []float64{0.5, 0.4, 0.5} { // 5, 2, 1 of the decade below
			if high/step < 4 {
				step *= finer
			}
		}
		for i := range int(high/step) + 1 {
			ticks = append(ticks, plot.Tick{Value: float64(i) * step, Label: fmt.Sprintf("%.3g %s", float64(i)*step, unit)})
		}
		return ticks
	}
}

func gridX() painter {
	return func(canvas draw.Canvas, plt *plot.Plot) {
		x, _ := plt.Transforms(&canvas)
		for _, t := range plt.X.Tick.Marker.Ticks(plt.X.Min, plt.X.Max) {
			canvas.StrokeLine2(draw.LineStyle{Color: grid, Width: 0.7}, x(t.Value), canvas.Min.Y, x(t.Value), canvas.Max.Y)
		}
	}
}

func gridY() painter {
	return func(canvas draw.Canvas, plt *plot.Plot) {
		_, y := plt.Transforms(&canvas)
		for _, t := range plt.Y.Tick.Marker.Ticks(plt.Y.Min, plt.Y.Max) {
			canvas.StrokeLine2(draw.LineStyle{Color: grid, Width: 0.7}, canvas.Min.X, y(t.Value), canvas.Max.X, y(t.Value))
		}
	}
}
