package peers

import (
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

//go:embed jaeger/*.txt
var jaegerFiles embed.FS

const (
	jaegerVersion = "1.76.0" // of the module: 2.13.0 of the program
	jaegerPackage = "github.com/jaegertracing/jaeger/cmd/jaeger"
)

// BuildJaeger returns the path of Jaeger's binary, which it builds once (see
// [CacheDir]), telling logf. It has no pages for a browser.
func BuildJaeger(logf func(format string, args ...any)) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	sources, err := fs.Sub(jaegerFiles, "jaeger")
	if err != nil {
		return "", err
	}
	return program{name: "jaeger", version: jaegerVersion, sources: sources, pkg: jaegerPackage}.build(cache, logf)
}

// JaegerOptions says how [StartJaeger] runs Jaeger.
type JaegerOptions struct {
	// In is as in [CollectorOptions].
	In func(f func() error) error
	// OTLP and Query are the ports on 127.0.0.1 of OTLP/gRPC and of its API.
	OTLP, Query int
}

// Jaeger is a Jaeger process that keeps traces in memory.
type Jaeger struct {
	*Process
	// URL is the base of its API.
	URL string
}

const jaegerConfig = `service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [jaeger_storage_exporter]
  telemetry:
    metrics:
      level: none
extensions:
  jaeger_storage:
    backends:
      memory:
        memory:
          max_traces: 100000
  jaeger_query:
    storage:
      traces: memory
    grpc:
      endpoint: 127.0.0.1:0
    http:
      endpoint: 127.0.0.1:%d
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:%d
exporters:
  jaeger_storage_exporter:
    trace_storage: memory
`

// StartJaeger starts Jaeger and returns when its API answers. It ends the test
// when that fails.
func StartJaeger(t testing.TB, o JaegerOptions) *Jaeger {
	t.Helper()
	binary, err := BuildJaeger(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "jaeger.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, jaegerConfig, o.Query, o.OTLP), 0o644); err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", o.Query)
	return &Jaeger{URL: base, Process: StartProcess(t, ProcessOptions{
		Binary: binary, In: o.In, Dir: dir, Args: []string{"--config=file:" + config}, Ready: base + "/api/services",
	})}
}

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
func (j *Jaeger) Search(service, tags string) (found []JaegerTrace, err error) {
	form := url.Values{"service": {service}, "limit": {"100"}, "lookback": {"1h"}}
	if tags != "" {
		form.Set("tags", tags)
	}
	return found, j.get(j.URL+"/api/traces?"+form.Encode(), &found)
}
