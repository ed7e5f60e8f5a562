package selector

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Bounds of an expression.
const (
	maxBytes = 2048
	maxDepth = 16 // of parentheses
	// maxPattern bounds the instructions of a pattern: each may be tried at
	// every byte of a text from the wire.
	maxPattern = 500
)

// token is a word of an expression.
type token struct {
	class class
	text  string
	at    int // its offset
	typ   Type
}

type class uint8

const (
	end class = iota
	text
	number
	integer
	comparison
	open
	closing
	comma
	constant // true, false
	word     // and, or, not
	null     // nil
	name     // a field
	function
)

// lexis mirrors the language's lexer, without what is refused.
var lexis = regexp.MustCompile(`^(?:("(?:\\.|[^\\"])*")|((?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?)|(\d+)|(==|!=|>=|<=|>|<)|(\()|(\))|(,)|(true\b|false\b)|(and\b|or\b|not\b)|(nil\b)|([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)|([A-Z][A-Za-z0-9_]*))`)

// refusals say what to write instead of what another language has.
var refusals = []struct{ begin, msg, hint string }{
	{"||", `"||" is not of this language`, `write "or"`},
	{"&&", `"&&" is not of this language`, `write "and"`},
	{"!", `"!" is not of this language`, `write "not"`},
	{"=~", `"=~" is not of this language`, `write IsMatch(field, "pattern")`},
	{"=", `"=" does not compare`, `write "=="`},
	{"'", "a text stands in double quotes", `write "..."`},
	{`"`, "the text has no end", "a text ends with a double quote"},
	{"-", "arithmetic and signs are not taken", "no field but icmp.type and icmp.code is below 0: compare with >= 0"},
	{"+", "arithmetic is not taken", "compare a field with a value"},
	{"*", "arithmetic is not taken", "compare a field with a value"},
	{"/", "arithmetic is not taken", "a text stands in double quotes"},
	{"[", "lists and keys are not taken", `join comparisons with "or"`},
	{"{", "maps are not taken", `join comparisons with "or"`},
}

// check finds what the language would take and must not be taken: fields that
// do not exist, and types that never compare. What is left to find wrong, the
// grammar, is the language's parser's.
func check(expr string) *Error {
	if len(expr) > maxBytes {
		return mistake(expr, maxBytes, "the expression is longer than "+strconv.Itoa(maxBytes)+" bytes", "")
	}
	tokens, e := scan(expr)
	if e != nil {
		return e
	}
	if len(tokens) == 2 { // the two ends
		return mistake(expr, 0, "the expression is empty", `as http.status >= 400 or error != ""`)
	}
	depth := 0
	for i := 1; i < len(tokens)-1; i++ {
		t := &tokens[i]
		switch t.class {
		case open:
			if depth++; depth > maxDepth {
				return mistake(expr, t.at, fmt.Sprintf("parentheses are more than %d deep", maxDepth), "")
			}
		case closing:
			depth--
		case comparison:
			if tokens[i+1].class != null { // which has a mistake of its own
				e = compares(expr, &tokens[i-1], t, &tokens[i+1])
			}
		case function:
			e = calls(expr, tokens[i:])
		case name, text, number, integer:
			e = used(expr, &tokens[i-1], t, &tokens[i+1])
		case null:
			e = mistake(expr, t.at, "no field is ever nil", `what does not apply is "", 0 or false`)
		}
		if e != nil {
			return e
		}
	}
	return nil
}

// scan splits expr into tokens, with an end on both sides.
func scan(expr string) ([]token, *Error) {
	tokens := []token{{class: end}}
	for at := 0; at < len(expr); {
		if strings.IndexByte(" \t\r\n", expr[at]) >= 0 {
			at++
			continue
		}
		m := lexis.FindStringSubmatchIndex(expr[at:])
		if m == nil {
			for _, r := range refusals {
				if strings.HasPrefix(expr[at:], r.begin) {
					return nil, mistake(expr, at, r.msg, r.hint)
				}
			}
			r := []rune(expr[at:])
			return nil, mistake(expr, at, fmt.Sprintf("%q is not of this language", r[0]), "")
		}
		t := token{text: expr[at : at+m[1]], at: at}
		for c := text; c <= function; c++ {
			if m[2*c] >= 0 {
				t.class = c
			}
		}
		switch t.class {
		case text:
			t.typ = Text
		case number:
			t.typ = Number
		case integer:
			t.typ = Integer
			if _, err := strconv.ParseInt(t.text, 10, 64); err != nil {
				return nil, mistake(expr, at, "the number is too large", "")
			}
		case constant:
			t.typ = Boolean
		case name:
			f := lookup(t.text)
			if f == nil {
				return nil, mistake(expr, at, fmt.Sprintf("unknown field %q", t.text), near(t.text))
			}
			t.typ = f.Type
		}
		tokens = append(tokens, t)
		at += m[1]
	}
	return append(tokens, token{class: end, at: len(expr)}), nil
}

// compares holds the types on both sides of a comparison together.
func compares(expr string, left, op, right *token) *Error {
	switch {
	case left.typ == "" || right.typ == "":
		return mistake(expr, op.at, fmt.Sprintf("%q has a field and a value on its sides", op.text), "as http.status >= 400")
	case !left.typ.comparable(right.typ):
		hint := ""
		if left.typ.numeric() && right.class == text {
			hint = "write the number without quotes"
		} else if left.typ == Text && right.typ.numeric() {
			hint = `write "` + right.text + `"`
		} else if left.typ == Boolean {
			hint = "compare with true or false"
		}
		return mistake(expr, right.at, fmt.Sprintf("%s is %s, %s is %s", left.text, left.typ.article(), right.text, right.typ.article()), hint)
	case left.typ == Boolean && op.text != "==" && op.text != "!=":
		return mistake(expr, op.at, fmt.Sprintf("%q has no meaning for true and false", op.text), `"==" or "!="`)
	case left.class != name && right.class != name:
		return mistake(expr, left.at, "two values are compared, and no field", "as http.status >= 400")
	}
	return nil
}

// used holds a field or value to its one place: a side of a comparison, or an
// argument.
func used(expr string, before, t, after *token) *Error {
	argument := before.class == open && after.class == comma || before.class == comma && after.class == closing
	left, right := after.class == comparison, before.class == comparison
	switch {
	case left && right:
		return mistake(expr, after.at, "comparisons do not chain", `join two with "and"`)
	case left || right || argument:
		return nil
	case t.typ == Boolean:
		return mistake(expr, t.at, t.text+" is not compared with anything", "write "+t.text+" == true")
	}
	return mistake(expr, t.at, fmt.Sprintf("%s is %s, not a condition", t.text, t.typ.article()), "compare it, as http.status >= 400")
}

// calls checks a call of the one function: t begins with its name.
func calls(expr string, t []token) *Error {
	const hint = `as IsMatch(http.path, "^/api/")`
	if t[0].text != isMatch {
		return mistake(expr, t[0].at, fmt.Sprintf("unknown function %s", t[0].text), "there is only IsMatch, "+hint)
	}
	if len(t) < 7 || t[1].class != open || t[2].class != name || t[3].class != comma || t[4].class != text || t[5].class != closing {
		return mistake(expr, t[0].at, "IsMatch takes a field and a pattern", hint)
	}
	if t[2].typ != Text {
		return mistake(expr, t[2].at, fmt.Sprintf("%s is %s, IsMatch takes a text", t[2].text, t[2].typ.article()), "compare it, as "+t[2].text+" >= 400")
	}
	pattern, err := strconv.Unquote(t[4].text)
	if err != nil {
		return mistake(expr, t[4].at, "the text has a wrong escape", `a backslash is written \\`)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return mistake(expr, t[4].at, strings.TrimPrefix(err.Error(), "error parsing regexp: "), "")
	}
	if prog, err := syntax.Compile(tree.Simplify()); err != nil || len(prog.Inst) > maxPattern {
		return mistake(expr, t[4].at, "the pattern is too large", "fewer repetitions, as a* for a{1000}")
	}
	return nil
}

// article returns the type with its article.
func (t Type) article() string {
	if t == Integer {
		return "an " + string(t)
	}
	return "a " + string(t)
}

func mistake(expr string, at int, msg, hint string) *Error {
	before := expr[:at]
	return &Error{Line: 1 + strings.Count(before, "\n"), Column: at - strings.LastIndexByte(before, '\n'), Msg: msg, Hint: hint}
}

// near proposes the field that may be meant.
func near(name string) string {
	best, most := "", 3
	for i := range fields {
		if d := distance(name, fields[i].Name); d < most {
			best, most = fields[i].Name, d
		}
	}
	if best == "" {
		for i := range fields { // the last word alone, as status or path
			if strings.HasSuffix(fields[i].Name, "."+name[strings.LastIndexByte(name, '.')+1:]) {
				best = fields[i].Name
				break
			}
		}
	}
	if best == "" {
		return `"wiretell explain select" lists all`
	}
	return fmt.Sprintf("did you mean %s?", best)
}

// distance counts the letters to insert, leave out or change from a to b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
