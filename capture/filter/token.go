package filter

import "strings"

// kind is what a token is.
type kind uint8

const (
	end    kind = iota
	word        // keyword, name, number or address
	symbol      // ( ) ! && || / and relations
	escape      // \name: never a keyword
)

type token struct {
	kind kind
	text string // without the backslash
	pos  int    // from 0
}

// maxExpression bounds the length of an expression in bytes.
const maxExpression = 64 << 10

// scan cuts an expression into tokens; the last is of kind end.
func scan(expr string) ([]token, error) {
	if len(expr) > maxExpression {
		return nil, &Error{Pos: maxExpression + 1, Token: expr[maxExpression:][:1], Msg: "the expression is too long"}
	}
	var out []token
	for i := 0; i < len(expr); {
		c := expr[i]
		rest := expr[i:]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case wordByte(c):
			n := 1
			for n < len(rest) && wordByte(rest[n]) {
				n++
			}
			if n < len(rest) && rest[n] == '[' {
				return nil, &Error{i + 1, access(rest, n), "byte access is not supported" + elsewhere}
			}
			out = append(out, token{word, rest[:n], i})
			i += n
		case c == '\\':
			n := 1
			for n < len(rest) && wordByte(rest[n]) {
				n++
			}
			if n == 1 {
				return nil, &Error{i + 1, `\`, "a name must follow"}
			}
			out = append(out, token{escape, rest[1:n], i + 1}) // its place is the name's
			i += n
		default:
			s := operator(rest)
			if s == "" {
				return nil, &Error{i + 1, firstRune(rest), "not understood"}
			}
			out = append(out, token{symbol, s, i})
			i += len(s)
		}
	}
	return append(out, token{end, "", len(expr)}), nil
}

// access returns rest up to the bracket that closes the one at n.
func access(rest string, n int) string {
	if j := strings.IndexByte(rest[n:], ']'); j >= 0 {
		return rest[:n+j+1]
	}
	return rest
}

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

func operator(s string) string {
	for _, op := range [...]string{"&&", "||", "<=", ">=", "==", "!=", "<", ">", "=", "!", "(", ")", "/"} {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' || c == ':'
}
