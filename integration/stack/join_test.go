package stack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/peers"
)

// sdk is the OpenTelemetry Go SDK of a service, which sends from a namespace.
func sdk(t *testing.T, in *netnstest.NS, service string, collector netip.AddrPort) []otelhttp.Option {
	t.Helper()
	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(collector.String()),
		otlptracegrpc.WithDialOption(grpc.WithContextDialer(func(ctx context.Context, addr string) (c net.Conn, err error) {
			err = in.Do(func() error {
				c, err = new(net.Dialer).DialContext(ctx, "tcp", addr)
				return err
			})
			return c, err
		})))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(200*time.Millisecond)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		provider.Shutdown(ctx)
	})
	return []otelhttp.Option{otelhttp.WithTracerProvider(provider), otelhttp.WithPropagators(propagation.TraceContext{})}
}

// serve runs a server in a namespace until the test ends.
func serve(t *testing.T, in *netnstest.NS, at netip.AddrPort, h http.Handler) {
	t.Helper()
	var l net.Listener
	in.Must(t, func() (err error) {
		l, err = net.Listen("tcp", at.String())
		return err
	})
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// joined checks that the spans of wiretell stand in the trace of three services
// that are instrumented: browser calls shop calls pay, and shop is observed.
//
//	browser GET             (SDK)
//	├ shop GET              (wiretell: the request as it came in)
//	└ shop checkout         (SDK)
//	  └ shop GET            (SDK)
//	    ├ shop GET          (wiretell: the request as it went out)
//	    └ pay pay           (SDK)
func joined(t *testing.T, s *stack) {
	ports := struct{ shop, pay netip.AddrPort }{netip.AddrPortFrom(s.podAddr, 7001), netip.AddrPortFrom(s.clientAddr, 7002)}
	serve(t, s.client, ports.pay, otelhttp.NewHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "pay", sdk(t, s.backends, "pay", s.collector)...))
	shop := sdk(t, s.pod, "shop", s.collector)
	out := peers.ClientIn(s.pod.Do)
	out.Transport = otelhttp.NewTransport(out.Transport, shop...)
	serve(t, s.pod, ports.shop, otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), "GET", "http://"+ports.pay.String()+"/pay", nil)
		if err == nil {
			var response *http.Response
			if response, err = out.Do(request); err == nil {
				response.Body.Close()
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}), "checkout", shop...))
	browser := peers.ClientIn(s.client.Do)
	browser.Transport = otelhttp.NewTransport(browser.Transport, sdk(t, s.backends, "browser", s.collector)...)

	const requests = 5
	for range requests {
		response, err := browser.Get("http://" + ports.shop.String() + "/checkout")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("the shop answers %s", response.Status)
		}
	}
	within(t, 60*time.Second, func() (missing []string) {
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
			all, err := s.jaeger.Search("shop", `{"server.port":"`+port+`"}`)
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
		"browser SDK client below nothing",
		"pay SDK server below shop SDK client",
		"shop SDK client below shop SDK server",
		"shop SDK server below browser SDK client",
		"shop wire 7001 below browser SDK client",
		"shop wire 7002 below shop SDK client",
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
