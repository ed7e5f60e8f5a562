package peers

import (
	"fmt"
	"net/url"
)

const (
	jaegerVersion = "1.76.0" // of the module: 2.13.0 of the program
	jaegerPackage = "github.com/jaegertracing/jaeger/cmd/jaeger"
)

// BuildJaeger returns the path of Jaeger's binary, which it builds once (see
// [CacheDir]), telling logf. It has no pages for a browser.
func BuildJaeger(logf func(format string, args ...any)) (string, error) {
	return program{name: "jaeger", version: jaegerVersion, pkg: jaegerPackage}.buildPinned("jaeger", logf)
}

// Jaeger is the base URL of a Jaeger's API.
type Jaeger string

// JaegerTrace is a trace, as Jaeger's API gives it.
type JaegerTrace struct {
	TraceID string
	Spans   []JaegerSpan
	// Processes are the resources of spans, by their ids.
	Processes map[string]struct {
		ServiceName string
		Tags        []JaegerTag
	}
	Warnings []string
}

// JaegerSpan is a span of a [JaegerTrace].
type JaegerSpan struct {
	SpanID, OperationName string
	ProcessID             string
	References            []struct{ RefType, TraceID, SpanID string }
	Tags                  []JaegerTag
	Warnings              []string
}

// JaegerTag is an attribute of a span or of a resource.
type JaegerTag struct {
	Key   string
	Value any
}

// Tag returns the value of a tag as text; "" when there is none.
func (s *JaegerSpan) Tag(key string) string {
	for _, t := range s.Tags {
		if t.Key == key {
			return fmt.Sprint(t.Value)
		}
	}
	return ""
}

// Search returns the traces of a service in which a span has all the tags,
// given as a JSON object.
func (j Jaeger) Search(service, tags string) (found []JaegerTrace, err error) {
	form := url.Values{"service": {service}, "limit": {"100"}, "lookback": {"1h"}}
	if tags != "" {
		form.Set("tags", tags)
	}
	return found, get(string(j)+"/api/traces?"+form.Encode(), &found)
}
