package connector

import (
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

const (
	maxExpression = 10_000    // code points of an expression
	maxCost       = 1_000_000 // of one evaluation, in CEL's units: about a millisecond's work each 100,000
)

// environment is what expressions may use. It is made once: it takes
// milliseconds, and documents are parsed often.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	texts := cel.MapType(cel.StringType, cel.StringType)
	options := []cel.EnvOption{
		cel.Variable("labels", texts),
		cel.Variable("annotations", texts),
		cel.OptionalTypes(),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ASTValidators(cel.ValidateRegexLiterals()),
		ext.Strings(),
		textFunction("link", link),
		textFunction("default", func(text, fallback string) string { return otherwise(fallback, text) }),
		caseFunction("upper", strings.ToUpper),
		caseFunction("lower", strings.ToLower),
		cel.Function("truncate", cel.Overload("truncate_string_int", []*cel.Type{cel.StringType, cel.IntType}, cel.StringType,
			cel.BinaryBinding(func(text, n ref.Val) ref.Val {
				length := min(int64(n.(types.Int)), 1<<30)
				return types.String(truncate(int(length), string(text.(types.String))))
			}))),
	}
	for _, name := range textVariables {
		options = append(options, cel.Variable(name, cel.StringType))
	}
	return cel.NewEnv(options...)
})

func textFunction(name string, f func(a, b string) string) cel.EnvOption {
	return cel.Function(name, cel.Overload(name+"_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.StringType,
		cel.BinaryBinding(func(a, b ref.Val) ref.Val {
			return types.String(f(string(a.(types.String)), string(b.(types.String))))
		})))
}

func caseFunction(name string, f func(string) string) cel.EnvOption {
	return cel.Function(name, cel.Overload(name+"_string", []*cel.Type{cel.StringType}, cel.StringType,
		cel.UnaryBinding(func(a ref.Val) ref.Val { return types.String(f(string(a.(types.String)))) })))
}

// expression is a compiled CEL expression.
type expression struct{ program cel.Program }

// compileExpression compiles and type-checks a text that must give wanted. The
// error's text is for the person who wrote the expression.
func compileExpression(text string, wanted *cel.Type) (*expression, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, spellIssues(issues)
	}
	if got := checked.OutputType(); !got.IsExactType(wanted) {
		return nil, fmt.Errorf("the expression gives %s; %s is needed%s", cel.FormatCELType(got), cel.FormatCELType(wanted), castHint(wanted))
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("the expression cannot be run: %w", err)
	}
	return &expression{program}, nil
}

func castHint(wanted *cel.Type) string {
	if wanted.IsExactType(cel.StringType) {
		return "; string(...) converts"
	}
	return ""
}

// spellIssues gives each error in one line with its place.
func spellIssues(issues *cel.Issues) mistakes {
	var lines mistakes
	for _, e := range issues.Errors() {
		lines = append(lines, fmt.Sprintf("%d:%d: %s", e.Location.Line(), e.Location.Column()+1, e.Message))
	}
	return lines
}

func (e *expression) eval(d *data) (ref.Val, error) {
	value, _, err := e.program.Eval(d)
	return value, err
}

// truth evaluates an expression that gives bool.
func (e *expression) truth(d *data) (bool, error) {
	value, err := e.eval(d)
	if err != nil {
		return false, err
	}
	return value == types.True, nil
}

// text evaluates an expression that gives string.
func (e *expression) text(d *data) (string, error) {
	value, err := e.eval(d)
	if err != nil {
		return "", err
	}
	text, ok := value.(types.String)
	if !ok {
		return "", fmt.Errorf("the expression gave %s, not a text", value.Type().TypeName())
	}
	return string(text), nil
}
