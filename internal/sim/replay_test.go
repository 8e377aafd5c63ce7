package sim

import "testing"

// TestReplay: a seed fixes what happens to every call, whoever runs first.
// (Which of several goroutines that wake in the same instant goes on first is
// up to Go; see doc.go.)
func TestReplay(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		a, b := runSeed(t, seed, true), runSeed(t, seed, true)
		same := 0
		for call, fate := range a.Fates {
			other, ok := b.Fates[call]
			switch {
			case ok && other != fate:
				t.Errorf("seed %d: %s had the fate %s, and then %s", seed, call, fate, other)
			case ok:
				same++
			}
		}
		if same < len(a.Fates)/2 {
			t.Errorf("seed %d: %d of %d calls were made in both runs", seed, same, len(a.Fates))
		}
	}
}

// regressions are seeds that found bugs, and what they found. A change of the
// plans makes other schedules of them; they are run all the same.
var regressions = map[uint64]string{
	808:  "a step of the wall clock ended the wait for older claims early (C4)",
	1733: "the same, with a suspend",
	1880: "the same, beside a frozen owner",
	3834: "recording a create put back a state older than the news (way back)",
	8033: "a source link made anew after lost commits was claimed beside its lost claim (L8)",
	640:  "a claim that the network delivered late stayed claimed for minutes (C4)",
}

func TestRegressions(t *testing.T) {
	for seed := range regressions {
		for range 3 {
			report(t, runSeed(t, seed, false))
		}
	}
}
