package documents_test

import (
	"strings"
	"sync"
	"testing"

	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

func TestTheSecondOfTwoEditsGetsBoth(t *testing.T) {
	b := setup(t)
	first := b.mustSet("ann", b.open().Seen(), "severity.map.warning", "low")
	theirs := b.mustSet("ann", first.Seen(), "severity.default", "none")

	_, err := b.set("bob", first.Seen(), "limits.rate", "5")
	c := conflictOf(t, err)
	if c.Theirs.Who != "ann" || c.Theirs.Text != theirs.Text || !strings.Contains(c.Mine.Text, "rate:") || c.Mine.Who != "bob" ||
		c.Base.Text != first.Text || c.Now != theirs.Seen() || len(c.Overlaps) != 0 {
		t.Fatalf("the conflict: %+v", c)
	}
	if got := b.open(); got.Text != theirs.Text {
		t.Fatal("the refused edit changed the draft")
	}
	merged := must(b.s.Resolve(t.Context(), "bob", "shop", c.Now, c.MergedMine))(t)
	if !strings.Contains(merged.Text, "default: none") || !strings.Contains(merged.Text, "rate:") || merged.Draft.Author != "bob" {
		t.Errorf("merged:\n%s", merged.Text)
	}
	_, err = b.s.Resolve(t.Context(), "cy", "shop", c.Now, c.Theirs.Text)
	again := conflictOf(t, err)
	if again.Theirs.Text != merged.Text || again.Mine.Text != c.Theirs.Text {
		t.Errorf("resolved twice: %+v", again)
	}
}

func TestEditsOfOneValueOverlap(t *testing.T) {
	b := setup(t)
	first := b.mustSet("ann", b.open().Seen(), "description", "one")
	b.mustSet("ann", first.Seen(), "severity.map.critical", "urgent")
	_, err := b.set("bob", first.Seen(), "severity.map.critical", "top")
	c := conflictOf(t, err)
	if len(c.Overlaps) != 1 || c.Overlaps[0].Path != "severity.map.critical" || c.Overlaps[0].Mine != "top" || c.Overlaps[0].Theirs != "urgent" {
		t.Errorf("overlaps %+v", c.Overlaps)
	}
	if !strings.Contains(c.MergedMine, "critical: top") || !strings.Contains(c.MergedThis, "critical: urgent") {
		t.Errorf("merged:\n%s\n%s", c.MergedMine, c.MergedThis)
	}
}

func TestTwoWhoBeginADraftAtOnce(t *testing.T) {
	b := setup(t)
	seen := b.open().Seen()
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, who := range []string{"ann", "bob"} {
		wg.Go(func() { _, errs[i] = b.set(who, seen, "description", "by "+who) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("ann: %v, bob: %v", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			conflictOf(t, err)
		}
	}
}

func TestADraftThatWasAppliedOrDiscardedMeanwhile(t *testing.T) {
	b := setup(t)
	mine := b.mustSet("bob", b.open().Seen(), "description", "bob's")
	if _, err := b.s.Apply(t.Context(), admin, "shop", mine.Draft.Revision, ""); err != nil {
		t.Fatal(err)
	}
	_, err := b.set("bob", mine.Seen(), "limits.rate", "5")
	c := conflictOf(t, err)
	if c.Now != (documents.Seen{Version: 2}) || c.Theirs.What != "version 2" || len(c.Overlaps) != 0 {
		t.Fatalf("after it was applied: %+v", c)
	}
	state := must(b.s.Resolve(t.Context(), "bob", "shop", c.Now, c.MergedMine))(t)
	if state.Draft.Base != 2 || !strings.Contains(state.Text, "rate:") || state.Stale() {
		t.Errorf("resolved: %+v", state.Draft)
	}
	if err := b.s.Discard(t.Context(), "ann", "shop", state.Draft.Revision); err != nil {
		t.Fatal(err)
	}
	_, err = b.set("bob", state.Seen(), "limits.rate", "6")
	if c := conflictOf(t, err); c.Now != (documents.Seen{Version: 2}) {
		t.Errorf("after it was discarded: %+v", c.Now)
	}
}

func TestAnotherVersionBeforeTheDraftIsApplied(t *testing.T) {
	b := setup(t)
	mine := b.mustSet("bob", b.open().Seen(), "severity.map.warning", "low")
	b.apply("shop", strings.Replace(shop, "http://desk-2", "http://desk-3", 1))
	stale := b.open()
	if !stale.Stale() {
		t.Fatal("the draft does not know of the new version")
	}
	_, err := b.s.Apply(t.Context(), admin, "shop", mine.Draft.Revision, "")
	c := conflictOf(t, err)
	if c.Base.What != "version 1" || c.Theirs.What != "version 2" || c.Theirs.Who != "cli" || len(c.Overlaps) != 0 {
		t.Fatalf("the conflict: %+v", c)
	}
	shown := must(b.s.Conflict(t.Context(), stale))(t)
	if shown == nil || shown.MergedMine != c.MergedMine {
		t.Errorf("before applying: %+v", shown)
	}
	merged := must(b.s.Resolve(t.Context(), "bob", "shop", c.Now, c.MergedMine))(t)
	if merged.Stale() || !strings.Contains(merged.Text, "desk-3") || !strings.Contains(merged.Text, "warning: low") {
		t.Errorf("merged %+v\n%s", merged.Draft, merged.Text)
	}
	saved := must(b.s.Apply(t.Context(), admin, "shop", merged.Draft.Revision, ""))(t)
	if saved.Version != 3 || saved.Text != merged.Text {
		t.Errorf("applied %+v", saved)
	}
	if none := must(b.s.Conflict(t.Context(), b.open()))(t); none != nil {
		t.Errorf("a conflict without a draft: %+v", none)
	}
}

func TestAnEditFromAVersionThatIsNotCurrent(t *testing.T) {
	b := setup(t)
	seen := b.open().Seen()
	b.apply("shop", strings.Replace(shop, "critical: high", "critical: urgent", 1))
	_, err := b.set("bob", seen, "severity.map.critical", "top")
	if c := conflictOf(t, err); len(c.Overlaps) != 1 || c.Theirs.What != "version 2" {
		t.Errorf("the conflict: %+v", c)
	}
}

func TestATextThatIsNoYAMLIsKeptAsADraftAndMergedAsAWhole(t *testing.T) {
	b := setup(t)
	broken := must(b.s.Save(t.Context(), "ann", "shop", b.open().Seen(), "a: [\n"))(t)
	if broken.Doc != nil || len(broken.Problems) != 1 {
		t.Fatalf("problems %v", broken.Problems)
	}
	if _, err := b.set("bob", broken.Seen(), "description", "x"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a value of it was changed: %v", err)
	}
	must(b.s.Save(t.Context(), "ann", "shop", broken.Seen(), shop+"description: x\n"))(t)
	_, err := b.s.Save(t.Context(), "bob", "shop", broken.Seen(), shop+"description: y\n")
	c := conflictOf(t, err)
	if len(c.Overlaps) != 1 || c.MergedMine != c.Mine.Text || c.MergedThis != c.Theirs.Text {
		t.Errorf("the conflict: %+v", c)
	}
	if _, err := b.s.Save(t.Context(), "bob", "shop", c.Now, strings.Repeat("x", 300<<10)); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a huge text: %v", err)
	}
}
