package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestMessageShowsOnlyWhatIsSafe(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:5432: password=hunter2")
	err := fmt.Errorf("accept: %w", Wrap(Unavailable, cause, "the database does not answer").WithNext("try again in 2 s"))
	if got := Message(err); strings.Contains(got, "hunter2") || !strings.Contains(got, "does not answer") || !strings.Contains(got, "try again") {
		t.Errorf("message %q", got)
	}
	if !strings.Contains(err.Error(), "hunter2") || !errors.Is(err, cause) {
		t.Error("the log lost the cause")
	}
	if got := Message(cause); strings.Contains(got, "hunter2") {
		t.Errorf("an unclassified error is shown: %q", got)
	}
}

func TestInvalidInputNamesEveryProblem(t *testing.T) {
	if err := InvalidInput("document", nil); err != nil {
		t.Errorf("no problem is an error: %v", err)
	}
	err := InvalidInput("document refused", []Problem{{"a.b", "is missing"}, {"c[2]", "is negative"}})
	for _, want := range []string{"a.b: is missing", "c[2]: is negative"} {
		if !strings.Contains(Message(err), want) {
			t.Errorf("%q lacks %q", Message(err), want)
		}
	}
	if KindOf(err) != Invalid || len(ProblemsOf(err)) != 2 {
		t.Errorf("kind %v, problems %v", KindOf(err), ProblemsOf(err))
	}
}

func TestEveryKindHasAStatusAndAnExitCode(t *testing.T) {
	for k := Internal; k <= BadMethod; k++ {
		if k.Status() < 400 || k.ExitCode() < 1 {
			t.Errorf("kind %d: status %d, exit code %d", k, k.Status(), k.ExitCode())
		}
	}
	if Internal.Status() != 500 || Unavailable.Status() != 503 || Invalid.Status() != 400 {
		t.Error("a status is wrong")
	}
}
