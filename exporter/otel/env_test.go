package otel

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func fromEnv(vars map[string]string) (Config, []Warning, error) {
	return ConfigFromEnv(func(k string) string { return vars[k] })
}

// get returns the value of an attribute; "" without it.
func (r resource) get(key string) string {
	for _, kv := range r {
		if kv.Key == key {
			return kv.Value
		}
	}
	return ""
}

func TestConfigFromEnv(t *testing.T) {
	type vars = map[string]string
	for _, c := range []struct {
		vars vars
		get  func(Config) any
		want any
		warn string // variable that is warned of
	}{
		{vars{}, func(c Config) any { return c.Traces.Endpoint }, "http://localhost:4318/v1/traces", ""},
		{vars{}, func(c Config) any { return c.Traces.Protocol }, "http/protobuf", ""},
		{vars{}, func(c Config) any { return c.Configured }, false, ""},
		{vars{}, func(c Config) any { return c.Sampler.Name }, "parentbased_always_on", ""},
		{vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, func(c Config) any { return c.Logs.Endpoint }, "http://localhost:4317", ""},
		{vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, func(c Config) any { return c.Metrics.Endpoint }, "http://c:4318/v1/metrics", ""},
		{vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, func(c Config) any { return c.Configured }, true, ""},
		{vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/base/"}, func(c Config) any { return c.Logs.Endpoint }, "http://c:4318/base/v1/logs", ""},
		{vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"}, func(c Config) any { return c.Traces.Endpoint }, "http://c:4318", ""},
		{vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, func(c Config) any { return c.Traces.Endpoint + " " + c.Logs.Endpoint }, "http://t:1/x http://c:4318/v1/logs", ""},
		{vars{"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, func(c Config) any { return c.Configured }, false, ""},
		{vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, func(c Config) any { return c.Traces.Protocol }, "http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf"}, func(c Config) any { return c.Traces.Protocol + " " + c.Logs.Protocol }, "grpc http/protobuf", ""},
		{vars{"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "none"}, func(c Config) any { return c.Traces.Compression + "|" + c.Metrics.Compression }, "gzip|", ""},
		{vars{"OTEL_EXPORTER_OTLP_TIMEOUT": "2500"}, func(c Config) any { return c.Traces.Timeout }, 2500 * time.Millisecond, ""},
		{vars{"OTEL_EXPORTER_OTLP_TIMEOUT": "2s"}, func(c Config) any { return c.Traces.Timeout }, 10 * time.Second, "OTEL_EXPORTER_OTLP_TIMEOUT"},
		{vars{"OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%20b%3Dc, x = y ,,"}, func(c Config) any { return len(c.Traces.Headers) }, 2, ""},
		{vars{"OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b%3Dc"}, func(c Config) any { return string(c.Traces.Headers["api-key"]) }, "a b=c", ""},
		{vars{"OTEL_EXPORTER_OTLP_HEADERS": "novalue"}, func(c Config) any { return len(c.Traces.Headers) }, 0, "OTEL_EXPORTER_OTLP_HEADERS"},
		{vars{"OTEL_EXPORTER_OTLP_HEADERS": "a=b%0d%0ac"}, func(c Config) any { return len(c.Traces.Headers) }, 0, "OTEL_EXPORTER_OTLP_HEADERS"},
		{vars{"OTEL_EXPORTER_OTLP_INSECURE": "TRUE"}, func(c Config) any { return c.Traces.Insecure }, true, ""},
		{vars{"OTEL_EXPORTER_OTLP_INSECURE": "1"}, func(c Config) any { return c.Traces.Insecure }, false, "OTEL_EXPORTER_OTLP_INSECURE"},
		{vars{"OTEL_TRACES_EXPORTER": "none"}, func(c Config) any { return c.Traces.Exporter + c.Logs.Exporter }, "noneotlp", ""},
		{vars{"OTEL_LOGS_EXPORTER": "console"}, func(c Config) any { return c.Logs.Exporter }, "console", ""},
		{vars{"OTEL_METRICS_EXPORTER": "prometheus"}, func(c Config) any { return c.Metrics.Exporter + c.Logs.Exporter }, "noneotlp", ""},
		{vars{"OTEL_LOGS_EXPORTER": "prometheus"}, func(c Config) any { return c.Logs.Exporter }, "otlp", "OTEL_LOGS_EXPORTER"},
		{vars{"OTEL_LOGS_EXPORTER": "zipkin"}, func(c Config) any { return c.Logs.Exporter }, "otlp", "OTEL_LOGS_EXPORTER"},
		{vars{"OTEL_SDK_DISABLED": "true"}, func(c Config) any { return c.Traces.Exporter + c.Metrics.Exporter + c.Logs.Exporter }, "nonenonenone", ""},
		{vars{"OTEL_RESOURCE_ATTRIBUTES": "a=b%20c,service.name=x"}, func(c Config) any { return fmt.Sprint(c.Resource) }, "[{a b c} {service.name x}]", ""},
		{vars{"OTEL_RESOURCE_ATTRIBUTES": "a=b,junk"}, func(c Config) any { return len(c.Resource) }, 0, "OTEL_RESOURCE_ATTRIBUTES"},
		{vars{"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x"}, func(c Config) any { return newResources(&c).traffic.get("service.name") }, "shop", ""},
		{vars{"OTEL_RESOURCE_ATTRIBUTES": "service.name=x"}, func(c Config) any { return newResources(&c).traffic.get("service.name") }, "x", ""},
		{vars{}, func(c Config) any { return newResources(&c).traffic.get("service.name") }, "unknown_service", ""},
		{vars{"OTEL_RESOURCE_ATTRIBUTES": "service.name=x,k8s.pod.name=p,service.version=2"}, func(c Config) any {
			self := newResources(&c).self
			return self.get("service.name") + self.get("k8s.pod.name") + self.get("service.version") + self.get("wiretell.observed.service.name")
		}, "wiretellpdevelx", ""},
		{vars{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, func(c Config) any { return c.Sampler }, SamplerConfig{"traceidratio", 0.25}, ""},
		{vars{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, func(c Config) any { return c.Sampler }, SamplerConfig{"traceidratio", 1}, "OTEL_TRACES_SAMPLER_ARG"},
		{vars{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}, func(c Config) any { return c.Sampler.Ratio }, 1.0, "OTEL_TRACES_SAMPLER_ARG"},
		{vars{"OTEL_TRACES_SAMPLER": "xray"}, func(c Config) any { return c.Sampler.Name }, "parentbased_always_on", "OTEL_TRACES_SAMPLER"},
		{vars{"OTEL_METRIC_EXPORT_INTERVAL": "5000", "OTEL_METRIC_EXPORT_TIMEOUT": "1000"}, func(c Config) any { return c.MetricInterval + c.MetricTimeout }, 6 * time.Second, ""},
		{vars{"OTEL_BSP_SCHEDULE_DELAY": "250", "OTEL_BLRP_SCHEDULE_DELAY": "350"}, func(c Config) any { return c.SpanDelay + c.LogDelay }, 600 * time.Millisecond, ""},
		{vars{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "7"}, func(c Config) any { return c.SpanBatch }, 7, ""},
		{vars{"OTEL_BSP_MAX_QUEUE_SIZE": "7"}, func(c Config) any { return c.SpanBatch }, 512, "OTEL_BSP_MAX_QUEUE_SIZE"},
		{vars{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}, func(c Config) any { return 0 }, 0, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"},
		{vars{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "64"}, func(c Config) any { return c.AttributeLimit }, 64, ""},
		{vars{"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": "GET, PURGE"}, func(c Config) any { return strings.Join(c.KnownMethods, " ") }, "GET PURGE", ""},
	} {
		cfg, warnings, err := fromEnv(c.vars)
		if err != nil {
			t.Errorf("%v: %v", c.vars, err)
			continue
		}
		if got := c.get(cfg); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.vars, got, c.want)
		}
		if (c.warn == "") != (len(warnings) == 0) || c.warn != "" && warnings[0].Variable != c.warn {
			t.Errorf("%v: warnings %v, want one of %q", c.vars, warnings, c.warn)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		vars map[string]string
		want string
	}{
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "want a URL"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://c/"}, "want a URL"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://u:hunter2@c:port"}, "REDACTED"},
		{map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "gopher://c"}, "want http://host:4317"},
		{map[string]string{"OTEL_EXPORTER_OTLP_CLIENT_KEY": "/k"}, "one of the two is missing"},
	} {
		_, _, err := fromEnv(c.vars)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: %v", c.vars, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, c := range []struct {
		protocol, in string
		insecure     bool
		network      string
		address      string
		tls          bool
	}{
		{ProtocolGRPC, "http://c:4317", false, "tcp", "c:4317", false},
		{ProtocolGRPC, "https://c", true, "tcp", "c:4317", true}, // the scheme beats INSECURE
		{ProtocolGRPC, "c:1", false, "tcp", "c:1", true},         // plaintext must be written
		{ProtocolGRPC, "c:1", true, "tcp", "c:1", false},
		{ProtocolGRPC, "http://[::1]:5", false, "tcp", "[::1]:5", false},
		{ProtocolGRPC, "unix:///run/c.sock", false, "unix", "/run/c.sock", false},
		{ProtocolHTTP, "http://c/v1/traces", false, "tcp", "c:80", false},
		{ProtocolHTTP, "https://c/v1/traces", true, "tcp", "c:443", true},
	} {
		s := SignalConfig{Protocol: c.protocol, Endpoint: c.in, Insecure: c.insecure}
		e, err := s.resolve()
		if err != nil || e.network != c.network || e.address != c.address || e.tls != c.tls {
			t.Errorf("%s %s: %+v, %v", c.protocol, c.in, e, err)
		}
	}
}

// A secret does not print, however it is formatted or encoded.
func TestSecretDoesNotPrint(t *testing.T) {
	cfg, _, err := fromEnv(map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(cfg.Traces)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprintf("%s %q", cfg.Traces.Headers, cfg.Traces.Headers), string(encoded)} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("printed: %s", s)
		}
	}
}
