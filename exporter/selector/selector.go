package selector

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/wiretell/wiretell/capture"
)

// Error is a mistake in an expression.
type Error struct {
	Line, Column int // from 1; the column counts bytes
	Msg          string
	Hint         string // what to write instead; may be empty
}

// Error returns the position, the mistake and the hint.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s", e.Pos(), e.Msg)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Pos returns "line:column".
func (e *Error) Pos() string { return fmt.Sprintf("%d:%d", e.Line, e.Column) }

// Selector is a compiled expression. One goroutine at a time may use it.
type Selector struct {
	condition *ottl.Condition[*subject]
	subject   subject
	failures  uint64
}

// Compile checks expr and makes a Selector of it. Its errors are of type [*Error].
func Compile(expr string) (*Selector, error) {
	if e := check(expr); e != nil {
		return nil, e
	}
	p, err := ottl.NewParser(
		map[string]ottl.Factory[*subject]{isMatch: ottl.NewFactory(isMatch, &matchArguments{}, newMatch)},
		getter, component.TelemetrySettings{Logger: zap.NewNop()})
	if err != nil {
		return nil, &Error{Line: 1, Column: 1, Msg: err.Error()}
	}
	c, err := p.ParseCondition(expr)
	if err != nil {
		return nil, located(err)
	}
	s := &Selector{condition: c}
	s.subject.fill()
	return s, nil
}

// Exchange reports whether ex is selected.
func (s *Selector) Exchange(ex *capture.Exchange) bool { return s.Observation(ex) }

// Observation reports whether o is selected. What no expression can speak of,
// as that observations were lost, always is.
func (s *Selector) Observation(o capture.Observation) bool {
	if !s.subject.set(o) {
		return true
	}
	ok, err := s.condition.Eval(context.Background(), &s.subject)
	if err != nil { // rather too much than too little
		s.failures++
		return true
	}
	return ok
}

// getter makes the language's access to a field.
func getter(p ottl.Path[*subject]) (ottl.GetSetter[*subject], error) {
	name := p.Name()
	for next := p.Next(); next != nil; next = next.Next() {
		name += "." + next.Name()
	}
	f := lookup(name)
	if f == nil {
		return nil, fmt.Errorf("unknown field %q", name)
	}
	return ottl.StandardGetSetter[*subject]{
		Getter: func(_ context.Context, s *subject) (any, error) { return f.get(s), nil },
		Setter: func(context.Context, *subject, any) error { return fmt.Errorf("%s cannot be set", name) },
	}, nil
}

// isMatch is the one function, named and ordered as the Collector's.
const isMatch = "IsMatch"

type matchArguments struct {
	Target  ottl.StringGetter[*subject]
	Pattern string
}

func newMatch(_ ottl.FunctionContext, a ottl.Arguments) (ottl.ExprFunc[*subject], error) {
	args, ok := a.(*matchArguments)
	if !ok {
		return nil, fmt.Errorf("%s: arguments of type %T", isMatch, a)
	}
	pattern, err := regexp.Compile(args.Pattern)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, s *subject) (any, error) {
		text, err := args.Target.Get(ctx, s)
		if err != nil {
			return nil, err
		}
		return pattern.MatchString(text), nil
	}, nil
}

var position = regexp.MustCompile(`(?s)(\d+):(\d+): (.*)`)

// located makes an Error of one of the language's parser, which begins with the
// position.
func located(err error) *Error {
	e := &Error{Line: 1, Column: 1, Msg: err.Error()}
	if m := position.FindStringSubmatch(e.Msg); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Column, _ = strconv.Atoi(m[2])
		e.Msg = m[3]
	}
	e.Msg, _, _ = strings.Cut(e.Msg, "\n")
	return e
}
