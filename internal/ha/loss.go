package ha

import "time"

// Loss is what the rows of another history of the database lack (rule L8): of
// the heartbeats that it had confirmed to this server. Commits are lost from the
// end, so that whatever was confirmed before the last heartbeat kept is there.
type Loss struct {
	Beats int64         // how many confirmed heartbeats are missing; 0 = none
	Since time.Duration // how long ago the last one that is there was sent; negative = too long ago to be known
}

// beatsKept is how many confirmed heartbeats a server remembers.
const beatsKept = 256

// confirmed is a heartbeat that was answered.
type confirmed struct {
	number int64
	sent   time.Duration
}

// confirm remembers an answered heartbeat.
func (k *Knowledge) confirm(b Beat) {
	if len(k.beats) == beatsKept {
		k.beats = append(k.beats[:0], k.beats[1:]...)
	}
	k.beats = append(k.beats, confirmed{number: b.Number, sent: k.asked.Boot})
}

// compareHistory looks, in the first reading of another history, for the
// heartbeats confirmed in the one before; row is the last that is there.
func (k *Knowledge) compareHistory(now Instant, row int64) {
	loss := Loss{Since: -1}
	for _, b := range k.beats {
		if b.number <= row {
			loss.Since = now.Boot - b.sent
			continue
		}
		loss.Beats++
	}
	k.beats = nil
	k.loss = &loss
}

// Lost returns, once for each change of the database's history, what it lacks;
// false when there was none since.
func (k *Knowledge) Lost() (Loss, bool) {
	if k.loss == nil {
		return Loss{}, false
	}
	loss := *k.loss
	k.loss = nil
	return loss, true
}
