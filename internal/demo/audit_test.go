package demo

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		gaps []time.Duration
		want time.Duration
	}{
		{[]time.Duration{7}, 7}, {[]time.Duration{1771, 3710}, 2740}, {[]time.Duration{1, 2, 9}, 2}, {[]time.Duration{1, 2, 4, 9}, 3},
	} {
		if got := median(c.gaps); got != c.want {
			t.Errorf("the median of %v is %d, want %d", c.gaps, got, c.want)
		}
	}
}
