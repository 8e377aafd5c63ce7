package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tieline/internal/ledger"
)

// Result is what the audit found.
type Result struct {
	ledger.Report
	Parked    int64
	Failovers []Failover
	Took      time.Duration
	Kept      string // directory with the database and the servers' logs; "" = it was removed
}

// Failover is one change of Active, as the desk saw it.
type Failover struct {
	ledger.Change
	Killed time.Time // when the old Active was killed
	// Out is from the kill to the successor's first request.
	Out time.Duration
}

// OK reports whether nothing was lost, doubled, out of order or parked.
func (r *Result) OK() bool { return r.Clean() && r.Parked == 0 }

func (d *demo) audit() *Result {
	r := &Result{Report: d.ledger.Audit(), Took: time.Since(d.begun), Kept: d.kept()}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if all, err := d.db.Backlog(ctx); err == nil {
		r.Parked = all[connectorName].Parked
	}
	changes := d.ledger.Changes()
	for _, k := range d.kills {
		// The victim's last request may be on the desk a moment after its death.
		i := slices.IndexFunc(changes, func(c ledger.Change) bool { return c.From == k.server && c.First.After(k.at) })
		if i >= 0 {
			r.Failovers = append(r.Failovers, Failover{Change: changes[i], Killed: k.at, Out: changes[i].First.Sub(k.at)})
		}
	}
	return r
}

// Print writes the audit for people.
func (r *Result) Print(w io.Writer) {
	fmt.Fprintf(w, "\nAudit after %s\n\n", r.Took.Round(100*time.Millisecond))
	fmt.Fprintf(w, "  accepted      %6d  observations, answered 2xx; alerts they were of: %d\n", r.Promised, r.Alerts)
	fmt.Fprintf(w, "  delivered     %6d  alerts whose ticket shows the newest of it, by %d requests\n", r.Delivered, r.Requests)
	fmt.Fprintf(w, "  lost          %6d%s\n", len(r.Lost), examples(r.Lost))
	fmt.Fprintf(w, "  doubled       %6d%s\n", len(r.Doubled), examples(r.Doubled))
	fmt.Fprintf(w, "  out of order  %6d%s\n", len(r.OutOfOrder), examples(r.OutOfOrder))
	fmt.Fprintf(w, "  parked        %6d\n\n", r.Parked)
	r.printFailovers(w)
	if r.OK() {
		fmt.Fprintf(w, "Nothing lost, nothing doubled, every alert in order.\n")
	} else {
		fmt.Fprintf(w, "THE AUDIT FAILED.\n")
	}
	if r.Kept != "" {
		fmt.Fprintf(w, "The database and the servers' logs are in %s.\n", r.Kept)
	}
}

func (r *Result) printFailovers(w io.Writer) {
	if len(r.Failovers) == 0 {
		fmt.Fprintf(w, "  failovers          0  the Active was not killed in this time\n\n")
		return
	}
	fmt.Fprintf(w, "  failovers     %6d  gap: from the last request of the old Active to the first of the new, at the desk\n", len(r.Failovers))
	gaps := make([]time.Duration, 0, len(r.Failovers))
	for _, f := range r.Failovers {
		gaps = append(gaps, f.Gap)
		fmt.Fprintf(w, "    %s  %-8s -> %-8s gap %4d ms   (%d ms after kill -9)\n",
			f.Killed.Format("15:04:05"), f.From, f.To, f.Gap.Milliseconds(), f.Out.Milliseconds())
	}
	slices.Sort(gaps)
	fmt.Fprintf(w, "    median %d ms, longest %d ms\n\n", median(gaps).Milliseconds(), gaps[len(gaps)-1].Milliseconds())
}

// median is the middle one of sorted gaps, of an even number the mean of the middle two.
func median(gaps []time.Duration) time.Duration {
	n := len(gaps)
	return (gaps[(n-1)/2] + gaps[n/2]) / 2
}

func examples(list []string) string {
	if len(list) == 0 {
		return ""
	}
	more := ""
	if len(list) > 5 {
		more = ", ..."
	}
	return "  " + strings.Join(list[:min(len(list), 5)], ", ") + more
}
