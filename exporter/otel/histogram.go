package otel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/semconv"
)

// seriesKey is what one series of a histogram is told by.
type seriesKey struct {
	kind      uint8 // of instrument: HTTP or connection
	role      capture.Role
	method    string
	errorType string
	host      string
	scheme    string
	status    int
	version   uint8
	rcode     capture.RCode
	port      uint16
	route     *route
	folded    bool // it stands for many addresses, ports and schemes
}

const (
	seriesHTTP uint8 = iota
	seriesConn
	seriesDNS
)

// exchange records the duration and the body sizes of f. Metrics count all
// exchanges, whatever the sampler says.
func (m *meters) exchange(f *facts) {
	m.mu.Lock()
	m.see(f.start)
	m.see(f.end)
	m.mu.Unlock()
	// Of one that was seen on both sides of a mesh's proxy the outer one counts.
	if f.Inner {
		return
	}
	// A response without its request tells neither method nor duration.
	if !f.HasRequest || !m.recording {
		return
	}
	// How long it took is known when the response ended, or something on the wire
	// ended the wait; not when wiretell stopped looking.
	if !exporter.IsWireError(f.Error) && (f.Status == 0 || f.Error != capture.ReasonNone) {
		return
	}
	k := seriesKey{
		kind: seriesHTTP, role: f.Conn.Role, method: f.method, errorType: f.errorType,
		status: f.Status, version: f.Version, port: f.Conn.Server.Port, route: f.route, scheme: f.scheme,
	}
	side := 0
	if f.client {
		side = 1
		k.role, k.host, k.port = capture.RoleClient, f.server, uint16(f.serverPort)
	} else {
		k.role = capture.RoleServer
	}
	opts := m.series[side].get(k, httpAttributes)
	ctx := context.Background()
	m.durations[side].Record(ctx, f.end.Sub(f.start).Seconds(), opts...)
	if f.RequestBody >= 0 {
		m.requests[side].Record(ctx, f.RequestBody, opts...)
	}
	if f.ResponseBody >= 0 && f.Status != 0 {
		m.responses[side].Record(ctx, f.ResponseBody, opts...)
	}
}

func httpAttributes(k seriesKey) []attribute.KeyValue {
	kvs := []attribute.KeyValue{
		attribute.String(semconv.HTTPRequestMethod, k.method),
	}
	add := func(name, value string) {
		if value != "" {
			kvs = append(kvs, attribute.String(name, value))
		}
	}
	add(semconv.URLScheme, k.scheme)
	add(semconv.ErrorType, k.errorType)
	add(semconv.NetworkProtocolVersion, httpVersion(k.version))
	add(semconv.ServerAddress, k.host)
	if k.route != nil {
		add(semconv.HTTPRoute, k.route.pattern)
	}
	if k.status != 0 {
		kvs = append(kvs, attribute.Int(semconv.HTTPResponseStatusCode, k.status))
	}
	return append(kvs, serverPort(k))
}

// serverPort is the port of a series, or says that it stands for many.
func serverPort(k seriesKey) attribute.KeyValue {
	if k.folded {
		return attribute.Bool(semconv.OTelMetricOverflow, true)
	}
	return attribute.Int(semconv.ServerPort, int(k.port))
}

func connAttributes(k seriesKey) []attribute.KeyValue {
	kvs := []attribute.KeyValue{attribute.String(semconv.ConnectionRole, k.role.String()), serverPort(k)}
	if k.errorType != "" {
		kvs = append(kvs, attribute.String(semconv.ErrorType, k.errorType))
	}
	return kvs
}

func connKey(c *capture.Conn) seriesKey {
	return seriesKey{kind: seriesConn, role: c.Role, port: c.Server.Port}
}

// opened records how long a handshake took.
func (m *meters) opened(o *capture.ConnOpened) {
	m.at(o.At)
	if o.Handshake > 0 && m.recording {
		m.handshake.Record(context.Background(), o.Handshake.Seconds(), m.options.get(connKey(&o.Conn), connAttributes)...)
	}
}

// connClosed records how long a connection lasted, and its round-trip time.
func (m *meters) connClosed(o *capture.ConnClosed) {
	m.at(o.At)
	if !o.Established || !m.recording {
		return
	}
	ctx := context.Background()
	k := connKey(&o.Conn)
	if o.RTTMean > 0 {
		m.rtt.Record(ctx, o.RTTMean.Seconds(), m.options.get(k, connAttributes)...)
	}
	// How long a connection lasted that was there before is not known, nor of
	// one that wiretell stopped following.
	if o.Conn.Midstream || o.Why == capture.ReasonEvicted || o.Why == capture.ReasonShutdown {
		return
	}
	if exporter.IsWireError(o.Why) {
		k.errorType = o.Why.String()
	}
	m.connection.Record(ctx, max(o.At.Sub(o.Conn.Start), 0).Seconds(), m.options.get(k, connAttributes)...)
}

// lookup records how long a DNS query took.
func (m *meters) lookup(o *capture.DNSLookup) {
	m.at(o.At)
	if !m.recording {
		return
	}
	k := seriesKey{kind: seriesDNS, role: o.Role, rcode: o.RCode}
	if !o.Answered {
		k.errorType = o.Why.String()
	}
	m.lookups.Record(context.Background(), o.Duration.Seconds(), m.options.get(k, dnsAttributes)...)
}

func dnsAttributes(k seriesKey) []attribute.KeyValue {
	outcome := attribute.String(semconv.DNSResponseCode, k.rcode.String())
	if k.errorType != "" {
		outcome = attribute.String(semconv.ErrorType, k.errorType)
	}
	return []attribute.KeyValue{outcome, attribute.String(semconv.ConnectionRole, k.role.String())}
}

func (m *meters) at(t capture.Time) {
	m.mu.Lock()
	m.see(t)
	m.mu.Unlock()
}
