package result

import (
	"math"
	"slices"
)

// Point is a metric's value in one round.
type Point struct {
	Round int
	Value float64
}

// Median of the values; NaN when there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Percentile returns the smallest of the values that at least the given share of them does not exceed (nearest rank);
// NaN when there are none. It expects them sorted.
func Percentile(sorted []int64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	return float64(sorted[min(max(rank, 1), len(sorted))-1])
}

// PairedRatio is the median of a ÷ b over the rounds that both have; NaN when there is none.
func PairedRatio(a, b []Point) float64 {
	var ratios []float64
	for _, x := range a {
		for _, y := range b {
			if x.Round == y.Round && y.Value != 0 {
				ratios = append(ratios, x.Value/y.Value)
			}
		}
	}
	return Median(ratios)
}

func values(points []Point) []float64 {
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = p.Value
	}
	return out
}
