package stack

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wiretell/wiretell/integration/peers"
)

// joined checks that the spans of wiretell stand in the trace of three services
// that are instrumented: browser calls app calls pay, and app is observed.
//
//	browser GET             (SDK)
//	├ app GET               (wiretell: the request as it came in)
//	└ app checkout          (SDK)
//	  └ app GET             (SDK)
//	    ├ app GET           (wiretell: the request as it went out)
//	    └ pay pay           (SDK)
func joined(t *testing.T, s *stack) {
	const requests = 5 // that testdata/traffic makes
	within(t, patience, func() (missing []string) {
		traces, err := s.jaeger.Search("browser", "")
		if err != nil {
			return []string{err.Error()}
		}
		if len(traces) != requests {
			missing = append(missing, fmt.Sprintf("%d traces, want %d", len(traces), requests))
		}
		for _, trace := range traces {
			missing = append(missing, incomplete(&trace)...)
		}
		// What wiretell made of these requests is in no other trace.
		for _, port := range []string{"7001", "7002"} {
			all, err := s.jaeger.Search("app", `{"server.port":"`+port+`"}`)
			if err != nil {
				return append(missing, err.Error())
			}
			if len(all) != requests {
				missing = append(missing, fmt.Sprintf("wiretell's spans of port %s are in %d traces, want %d", port, len(all), requests))
			}
		}
		return missing
	})
}

// incomplete says what is wrong with a trace of joined.
func incomplete(trace *peers.JaegerTrace) (problems []string) {
	say := func(format string, args ...any) {
		problems = append(problems, "trace "+trace.TraceID+": "+fmt.Sprintf(format, args...))
	}
	byID := map[string]*peers.JaegerSpan{}
	for i := range trace.Spans {
		byID[trace.Spans[i].SpanID] = &trace.Spans[i]
	}
	var edges []string
	for i := range trace.Spans {
		span := &trace.Spans[i]
		if len(span.Warnings) > 0 {
			say("span %s has warnings: %q", span.SpanID, span.Warnings)
		}
		above := "nothing"
		for _, r := range span.References {
			parent := byID[r.SpanID]
			if parent == nil || r.TraceID != trace.TraceID {
				say("the parent %s of %s does not exist", r.SpanID, span.SpanID)
				continue
			}
			above = who(trace, parent)
		}
		edges = append(edges, who(trace, span)+" below "+above)
	}
	slices.Sort(edges)
	want := []string{
		"app SDK client below app SDK server",
		"app SDK server below browser SDK client",
		"app wire 7001 below browser SDK client",
		"app wire 7002 below app SDK client",
		"browser SDK client below nothing",
		"pay SDK server below app SDK client",
	}
	if !slices.Equal(edges, want) {
		say("spans are\n  %q, want\n  %q", edges, want)
	}
	return problems
}

// who names a span by its service, its maker, and what tells it apart.
func who(trace *peers.JaegerTrace, span *peers.JaegerSpan) string {
	service := trace.Processes[span.ProcessID].ServiceName
	if span.Tag("otel.scope.name") == "wiretell" {
		return service + " wire " + span.Tag("server.port")
	}
	return service + " SDK " + span.Tag("span.kind")
}
