package otel

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// route is one pattern of the user: an optional method and a path whose
// segments are literal, "{name}" for any one, or, as the last, "{name...}" or
// "*" for all that follow.
type route struct {
	method   string
	pattern  string // what http.route says
	segments []string
	rest     bool
	names    map[string]string // span name by method
}

// CheckRoute returns an error when p is no pattern for Config.Routes.
func CheckRoute(p string) error {
	_, err := parseRoute(p)
	return err
}

func parseRoute(p string) (route, error) {
	r := route{names: make(map[string]string)}
	path := strings.TrimSpace(p)
	if method, rest, ok := strings.Cut(path, " "); ok {
		r.method, path = method, strings.TrimSpace(rest)
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " ?#") || !utf8.ValidString(path) {
		return r, fmt.Errorf("route %q: want an optional method and a path, as \"GET /users/{id}\"", p)
	}
	r.pattern = path
	r.segments = strings.Split(path[1:], "/")
	for i, s := range r.segments {
		last := i == len(r.segments)-1
		switch {
		case s == "*" || strings.HasPrefix(s, "{") && strings.HasSuffix(s, "...}"):
			if !last {
				return r, fmt.Errorf("route %q: %q may only stand at the end", p, s)
			}
			r.rest = true
			r.segments = r.segments[:i]
		case strings.HasPrefix(s, "{") != strings.HasSuffix(s, "}"):
			return r, fmt.Errorf("route %q: %q lacks a brace", p, s)
		}
	}
	return r, nil
}

func (r *route) match(method string, path []byte) bool {
	if r.method != "" && r.method != method || len(path) == 0 || path[0] != '/' {
		return false
	}
	path = path[1:]
	for i, s := range r.segments {
		end := bytes.IndexByte(path, '/')
		segment := path
		if end >= 0 {
			segment = path[:end]
		}
		if s != "" && s[0] == '{' {
			if len(segment) == 0 {
				return false
			}
		} else if string(segment) != s {
			return false
		}
		if end < 0 {
			return i == len(r.segments)-1 && !r.rest
		}
		path = path[end+1:]
	}
	return r.rest
}

// maxRouteNames bounds the span names kept for a route without a method.
const maxRouteNames = 32

// name returns the span name "{method} {route}".
func (r *route) name(method string) string {
	if s, ok := r.names[method]; ok {
		return s
	}
	s := method + " " + r.pattern
	if len(r.names) < maxRouteNames {
		r.names[method] = s
	}
	return s
}
