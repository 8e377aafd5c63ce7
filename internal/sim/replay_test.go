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

	136301: "an outcome took the doubt from a link whose claim had been replaced in the lost history (L8)",
	255514: "the same, with a second ticket that was never looked for (L8)",
	202042: "the end of what a source was told in the lost history was never told (way back)",
	247654: "the same, with the write still under way",
	155523: "a late record of an earlier claim hid a newer one from the checker",
	28114:  "a write to the source later than settling allows was held against us (checker)",
}

func TestRegressions(t *testing.T) {
	for seed := range regressions {
		for range 3 {
			report(t, runSeed(t, seed, false))
		}
	}
}
