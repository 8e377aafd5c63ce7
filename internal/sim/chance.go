package sim

import "time"

// chance derives independent random numbers from the seed and what they are
// for, so that no two questions share a stream.
type chance uint64

// roll is the random numbers for one question.
type roll struct{ state uint64 }

func mix(h, x uint64) uint64 {
	h ^= x + 0x9e3779b97f4a7c15 + (h << 6) + (h >> 2)
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9
	h = (h ^ (h >> 27)) * 0x94d049bb133111eb
	return h ^ (h >> 31)
}

func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// of returns the numbers for a question named by words and a number.
func (c chance) of(n uint64, words ...string) *roll {
	h := mix(uint64(c), n)
	for _, w := range words {
		h = mix(h, hashText(w))
	}
	return &roll{state: h}
}

func (r *roll) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state, r.state>>17)
}

// n returns a number from 0 to n-1.
func (r *roll) n(n int) int { return int(r.next() % uint64(n)) }

// hit is true with probability p.
func (r *roll) hit(p float64) bool { return float64(r.next()>>11)/(1<<53) < p }

// between returns a duration in [lo, hi), to the nanosecond.
func (r *roll) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(r.next()%uint64(hi-lo))
}
