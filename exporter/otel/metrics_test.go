package otel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// fullBatch holds something for every instrument.
func fullBatch() *capture.Batch {
	b := &capture.Batch{HasSnapshot: true}
	s := &b.Snapshot
	s.Time = epoch.Add(time.Minute)
	s.Source.Interfaces = []capture.Interface{{Name: "eth0"}, {Name: "lo\xff", Loopback: true}}
	s.Source.Rings = []capture.Ring{{Name: "any", Packets: 100, Drops: 3, Freezes: 1}}
	s.Interfaces = make([]capture.InterfaceTraffic, 2)
	s.Interfaces[0][capture.Receive][capture.TCP][capture.IPv4].Add(70, 7000)
	s.Interfaces[1][capture.Transmit][capture.ICMP][capture.IPv6].Add(7, 700)
	s.Truncated = []uint64{4, 0}
	port := capture.PortStats{PortKey: capture.PortKey{Port: 8080, Transport: capture.TCP, Role: capture.RoleServer}}
	port.Requests[capture.ProtocolHTTP1], port.Responses[capture.ProtocolHTTP1] = 11, 10
	tls := capture.PortStats{PortKey: capture.PortKey{Port: 443, Transport: capture.TCP, Role: capture.RoleClient}}
	tls.Unparsed[capture.ReasonTLS].Add(5, 500)
	rest := capture.PortStats{PortKey: capture.PortKey{Transport: capture.UDP}, Overflow: true}
	rest.Unparsed[capture.ReasonUDP].Add(6, 600)
	s.Ports = []capture.PortStats{port, tls, rest}
	s.TCP.Connections[capture.RoleServer][capture.ReasonNone] = 9
	s.TCP.Connections[capture.RoleClient][capture.ReasonRefused] = 2
	s.TCP.Open[capture.RoleServer][capture.StateEstablished] = 3
	s.TCP.Stuck[capture.RoleServer][capture.StuckHalfClosed] = 4
	s.TCP.Ignored[capture.Receive][capture.IgnoredReset] = 5
	s.TCP.Retransmits[capture.Receive][capture.RetransmitFast] = 1
	s.TCP.Needless[capture.Receive][capture.ProofDSACK], s.TCP.WindowFull[capture.Receive] = 1, 1
	s.TCP.ZeroWindowTime[capture.Receive], s.TCP.WindowFullTime[capture.Transmit] = 1_500_000_000, 1
	s.TCP.Resets[capture.Transmit][capture.PhaseIdle] = 1
	s.TCP.OutOfOrder[capture.Receive], s.TCP.DuplicateAcks[capture.Receive], s.TCP.ZeroWindow[capture.Receive] = 1, 2, 3
	s.ICMP = []capture.ICMPCount{{ICMPKey: capture.ICMPKey{Network: capture.IPv4, Type: 3, Code: 1, Direction: capture.Receive, Quoted: capture.TCP}, Count: 8}}
	s.Twins = capture.Twins{Linked: 12, Ambiguous: 3, Evicted: 2}
	s.RedirectsForgotten = 1
	s.LagMax, s.ClockSteps = int64(time.Second/2), 1
	s.Ledger[capture.FramesRead], s.Ledger[capture.FrameTCP] = 77, 70
	s.Ledger[capture.FrameICMPv6] = 7
	s.Recording = capture.Recording{Bytes: 900, Ended: 1, Missing: 4, Memory: 16 << 20}
	s.Recording.Files[capture.RecordingWritten], s.Recording.Files[capture.RecordingFailed] = 6, 2
	s.Ledger[capture.Gaps], s.Ledger[capture.GapBytes], s.Ledger[capture.ConnsEvicted] = 2, 1448, 5

	exchange(b, capture.RoleServer)
	exchange(b, capture.RoleClient)
	*b.ConnOpened() = capture.ConnOpened{Conn: conn(1, capture.RoleServer), At: epoch, Handshake: 2 * time.Millisecond}
	*b.ConnClosed() = capture.ConnClosed{Conn: conn(1, capture.RoleServer), At: epoch.Add(3 * time.Second), Why: capture.ReasonReset, RTTMean: time.Millisecond, Established: true}
	*b.DNSLookup() = capture.DNSLookup{At: epoch, Role: capture.RoleClient, Answered: true, RCode: capture.RCodeServFail, Duration: 250 * time.Millisecond}
	*b.DNSLookup() = capture.DNSLookup{At: epoch, Role: capture.RoleClient, Why: capture.ReasonTimedOut, Duration: 5 * time.Second}
	return b
}

// numbers of a metric by its attributes.
func series(m pmetric.Metric) map[string]float64 {
	out := map[string]float64{}
	put := func(points pmetric.NumberDataPointSlice) {
		for _, p := range points.All() {
			v := p.DoubleValue()
			if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
				v = float64(p.IntValue())
			}
			out[attrText(p.Attributes())] = v
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeSum:
		put(m.Sum().DataPoints())
	case pmetric.MetricTypeGauge:
		put(m.Gauge().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			out[attrText(p.Attributes())] = p.Sum()
		}
	}
	return out
}

func attrText(m pcommon.Map) string {
	var kvs []string
	for k, v := range m.All() {
		kvs = append(kvs, k+"="+v.AsString())
	}
	slices.Sort(kvs)
	return fmt.Sprint(kvs)
}

func TestMetrics(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := overGRPC(where)
	cfg.Coverage = func() (float64, bool) { return 1, true }
	e := start(t, cfg)
	e.Export(fullBatch(), []diagnosis.Finding{finding()})
	eventually(t, "the spans", func() bool { return health(t, e, traces).Exported == 2 })
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	checkTable(t, s)
	for _, c := range []struct {
		name, attrs string
		want        float64
	}{
		{semconv.MetricPackets, "[network.interface.name=eth0 network.io.direction=receive network.transport=tcp network.type=ipv4]", 70},
		{semconv.MetricIO, "[network.interface.name=lo\\xFF network.io.direction=transmit network.transport=icmp network.type=ipv6]", 700},
		{semconv.MetricRequests, "[network.io.direction=receive network.protocol.name=http network.protocol.version=1 server.port=8080 wiretell.connection.role=server]", 11},
		{semconv.MetricResponses, "[network.io.direction=transmit network.protocol.name=http network.protocol.version=1 server.port=8080 wiretell.connection.role=server]", 10},
		{semconv.MetricUnparsed, "[network.protocol.name=tls network.transport=tcp server.port=443 wiretell.connection.role=client wiretell.reason=tls]", 5},
		{semconv.MetricUnparsedIO, "[network.transport=udp otel.metric.overflow=true wiretell.connection.role=unknown wiretell.reason=udp]", 600},
		{semconv.MetricTCPConnections, "[wiretell.connection.role=server]", 9},
		{semconv.MetricTCPConnections, "[error.type=refused wiretell.connection.role=client]", 2},
		{semconv.MetricTCPConnectionsOpen, "[network.connection.state=established wiretell.connection.role=server]", 3},
		{semconv.MetricTCPResets, "[network.io.direction=transmit wiretell.tcp.phase=idle]", 1},
		{semconv.MetricTCPFlowControl, "[network.io.direction=receive wiretell.tcp.flow_control.kind=zero_window]", 3},
		{semconv.MetricICMPMessages, "[network.io.direction=receive network.type=ipv4 wiretell.icmp.code=1 wiretell.icmp.quoted.transport=tcp wiretell.icmp.type=3]", 8},
		{semconv.MetricCaptureDrops, "[network.interface.name=any]", 3},
		{semconv.MetricCaptureTruncated, "[network.interface.name=eth0]", 4},
		{semconv.MetricCaptureGapsIO, "[]", 1448},
		{semconv.MetricCaptureLag, "[]", 0.5},
		{semconv.MetricEvictions, "[wiretell.reason=connection]", 5},
		{semconv.MetricEvictions, "[wiretell.reason=mesh_twin]", 2},
		{semconv.MetricEvictions, "[wiretell.reason=redirect]", 1},
		{semconv.MetricMeshTwins, "[wiretell.reason=linked]", 12},
		{semconv.MetricMeshTwins, "[wiretell.reason=ambiguous]", 3},
		{semconv.MetricLedger, "[wiretell.ledger.line=frames wiretell.reason=tcp]", 70},
		{semconv.MetricLedgerExpected, "[wiretell.ledger.line=frames]", 77},
		{semconv.MetricLedgerImbalance, "[wiretell.ledger.line=frames]", 0},
		{semconv.MetricLedgerImbalance, "[wiretell.ledger.line=connections]", 5},
		{semconv.MetricExportRecords, "[otel.component.name=otlp wiretell.export.outcome=exported wiretell.export.signal=traces]", 2},
		{semconv.MetricDiagnosisActive, "[wiretell.diagnosis.id=TLS-01 wiretell.diagnosis.severity=warning]", 1},
		{semconv.MetricHTTPServerRequestDuration, "[http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.port=8080 url.scheme=http]", 0.005},
		{semconv.MetricHTTPClientRequestDuration, "[http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.address=shop.example server.port=8080 url.scheme=http]", 0.005},
		{semconv.MetricHTTPServerResponseBodySize, "[http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.port=8080 url.scheme=http]", 1234},
		{semconv.MetricDNSLookups, "[dns.response_code=SERVFAIL wiretell.connection.role=client]", 0.25},
		{semconv.MetricDNSLookups, "[error.type=timed_out wiretell.connection.role=client]", 5},
		{semconv.MetricTCPHandshakeDuration, "[server.port=8080 wiretell.connection.role=server]", 0.002},
		{semconv.MetricTCPConnectionDuration, "[error.type=reset server.port=8080 wiretell.connection.role=server]", 3},
	} {
		m, ok := s.metric(c.name)
		if !ok {
			t.Errorf("%s never came", c.name)
			continue
		}
		if got, ok := series(m.item)[c.attrs]; !ok || got != c.want {
			t.Errorf("%s%s = %v (%v), want %v; there are %v", c.name, c.attrs, got, ok, c.want, series(m.item))
		}
	}
	m, _ := s.metric(semconv.MetricLedger)
	sum := 0.0
	for attrs, v := range series(m.item) {
		if bytes.Contains([]byte(attrs), []byte("line=frames")) {
			sum += v
		}
	}
	if sum != 77 {
		t.Errorf("the frames of the ledger add up to %v", sum)
	}
}

// checkTable compares what is emitted with semconv's table, both ways.
func checkTable(t *testing.T, s *sink) {
	t.Helper()
	seen := map[string]bool{}
	for _, g := range s.metrics {
		row := lookupMetric(g.item.Name())
		seen[row.Name] = true
		if row.Reserved || g.item.Unit() != row.Unit || g.item.Description() != row.Description {
			t.Errorf("%s: reserved %v, unit %q, description %q", row.Name, row.Reserved, g.item.Unit(), g.item.Description())
		}
		service, _ := g.resource.Get(semconv.ServiceName)
		if want := map[semconv.Origin]string{semconv.Traffic: "shop", semconv.Self: "wiretell"}[row.Origin]; service.Str() != want {
			t.Errorf("%s under service %q, want %q", row.Name, service.Str(), want)
		}
		checkKind(t, row, g.item)
		for attrs := range attributesOf(g.item) {
			for k := range attrs.All() {
				if !slices.Contains(row.Attributes, k) {
					t.Errorf("%s has attribute %s, which its row does not name", row.Name, k)
				}
			}
		}
	}
	for _, row := range semconv.Metrics {
		if !row.Reserved && !seen[row.Name] {
			t.Errorf("%s is in the table and never emitted", row.Name)
		}
	}
}

func checkKind(t *testing.T, row *semconv.Metric, m pmetric.Metric) {
	t.Helper()
	kind := semconv.Gauge
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		kind = semconv.Histogram
		if got := m.Histogram().DataPoints().At(0).ExplicitBounds().AsRaw(); !slices.Equal(got, row.Buckets) {
			t.Errorf("%s: bounds %v", row.Name, got)
		}
	case pmetric.MetricTypeSum:
		kind = semconv.UpDownCounter
		if m.Sum().IsMonotonic() {
			kind = semconv.Counter
		}
		if m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityCumulative {
			t.Errorf("%s is not cumulative", row.Name)
		}
	}
	if kind != row.Kind {
		t.Errorf("%s is a %s, its row says %s", row.Name, kind, row.Kind)
	}
}

func attributesOf(m pmetric.Metric) func(func(pcommon.Map) bool) {
	return func(yield func(pcommon.Map) bool) {
		switch m.Type() {
		case pmetric.MetricTypeSum:
			for _, p := range m.Sum().DataPoints().All() {
				if !yield(p.Attributes()) {
					return
				}
			}
		case pmetric.MetricTypeGauge:
			for _, p := range m.Gauge().DataPoints().All() {
				if !yield(p.Attributes()) {
					return
				}
			}
		case pmetric.MetricTypeHistogram:
			for _, p := range m.Histogram().DataPoints().All() {
				if !yield(p.Attributes()) {
					return
				}
			}
		}
	}
}

// A flood of hosts folds into one series.
func TestCardinalityIsBounded(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := overGRPC(where)
	cfg.CardinalityLimit = 100
	e := start(t, cfg)
	var b capture.Batch
	for i := range 5000 {
		exchange(&b, capture.RoleClient).Host = fmt.Appendf(nil, "h%d.example", i)
	}
	e.Export(&b, nil)
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	m, _ := s.metric(semconv.MetricHTTPClientRequestDuration)
	points := m.item.Histogram().DataPoints()
	var all, folded uint64
	for _, p := range points.All() {
		all += p.Count()
		if v, ok := p.Attributes().Get(semconv.OTelMetricOverflow); ok && v.Bool() {
			folded += p.Count()
		}
	}
	if points.Len() > 100 || all != 5000 || folded < 4900 {
		t.Errorf("%d series hold %d exchanges, %d of them folded", points.Len(), all, folded)
	}
	if n := len(e.meters.series[1].options); n >= 100 {
		t.Errorf("%d options are kept", n)
	}
	if h := health(t, e, metrics); h.Overflow < 4900 || h.Overflow > 5000 {
		t.Errorf("%d told of as folded", h.Overflow)
	}
	if h := health(t, e, traces); h.Overflow != 0 {
		t.Errorf("%d spans told of as folded", h.Overflow)
	}
}

// counts of a histogram by its attributes.
func counts(m pmetric.Metric) map[string]uint64 {
	out := map[string]uint64{}
	for _, p := range m.Histogram().DataPoints().All() {
		out[attrText(p.Attributes())] = p.Count()
	}
	return out
}

// After a flood of hosts, schemes and ports errors still have their own series,
// without them.
func TestErrorsSurviveAFlood(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	e := start(t, overGRPC(where))
	var b capture.Batch
	for i := range 3000 {
		exchange(&b, capture.RoleClient).Host = fmt.Appendf(nil, "h%d.example", i)
		exchange(&b, capture.RoleServer).Target = fmt.Appendf(nil, "s%d://h/", i)
		*b.ConnOpened() = capture.ConnOpened{Conn: conn(1, capture.RoleUnknown), At: epoch, Handshake: time.Millisecond}
		b.Observations[len(b.Observations)-1].(*capture.ConnOpened).Conn.Server.Port = uint16(1000 + i)
	}
	for i, role := range []capture.Role{capture.RoleClient, capture.RoleServer} {
		failed := exchange(&b, role)
		failed.Host, failed.Status, failed.Conn.Server.Port = []byte("new.example:1"), 503, uint16(7000+i)
	}
	exchange(&b, capture.RoleClient).Host = []byte("h7.example") // one of the first
	e.Export(&b, nil)
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, attrs string
		want        uint64
		most        int
	}{
		{semconv.MetricHTTPClientRequestDuration, "[error.type=503 http.request.method=GET http.response.status_code=503 network.protocol.version=1.1 otel.metric.overflow=true]", 1, maxSeriesAddresses + 2},
		{semconv.MetricHTTPClientRequestDuration, "[http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 otel.metric.overflow=true]", 3000 - maxSeriesAddresses, 500},
		{semconv.MetricHTTPClientRequestDuration, "[http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.address=h7.example server.port=80 url.scheme=http]", 2, 500},
		{semconv.MetricHTTPServerRequestDuration, "[error.type=503 http.request.method=GET http.response.status_code=503 network.protocol.version=1.1 otel.metric.overflow=true]", 1, maxSeriesPorts + 2},
		{semconv.MetricTCPHandshakeDuration, "[otel.metric.overflow=true wiretell.connection.role=unknown]", 3000 - maxSeriesPorts, maxSeriesPorts + 1},
	} {
		m, ok := s.metric(c.name)
		if !ok {
			t.Errorf("%s never came", c.name)
			continue
		}
		got := counts(m.item)
		if got[c.attrs] != c.want || len(got) > c.most {
			t.Errorf("%s%s = %d, want %d; %d series, at most %d", c.name, c.attrs, got[c.attrs], c.want, len(got), c.most)
		}
	}
}

// Counters fold as well, and it is told.
func TestCounterOverflowIsTold(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := overGRPC(where)
	cfg.CardinalityLimit = 60 // the ledger's own lines need about as many
	b := capture.Batch{HasSnapshot: true}
	for i := range 100 {
		p := capture.PortStats{PortKey: capture.PortKey{Port: uint16(i), Role: capture.RoleServer}}
		p.Requests[capture.ProtocolHTTP1] = 1
		b.Snapshot.Ports = append(b.Snapshot.Ports, p)
	}
	e := start(t, cfg)
	e.Export(&b, nil)
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	m, _ := s.metric(semconv.MetricRequests)
	if got := series(m.item); len(got) != 60 || got["[otel.metric.overflow=true]"] != 41 {
		t.Errorf("%d series, %v folded", len(got), got["[otel.metric.overflow=true]"])
	}
	if h := health(t, e, metrics); h.Overflow < 41 {
		t.Errorf("%d told of as folded", h.Overflow)
	}
}

// No latency is made up: what has no known end is not recorded.
func TestDurationOnlyWhenKnown(t *testing.T) {
	const answered = "[http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.port=8080 url.scheme=http]"
	for _, c := range []struct {
		name   string
		change func(*capture.Exchange)
		attrs  string // "": nothing is recorded
		sum    float64
	}{
		{"whole", func(*capture.Exchange) {}, answered, 0.005},
		{"whole with a hole in its body", func(x *capture.Exchange) { x.Incomplete, x.LostBytes = capture.ReasonGap, 9 }, answered, 0.005},
		{"https", func(x *capture.Exchange) { x.Target = []byte("https://a/") }, "[http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.port=8080 url.scheme=https]", 0.005},
		{"no response, reset", func(x *capture.Exchange) { x.Status, x.Error = 0, capture.ReasonReset }, "[error.type=reset http.request.method=GET network.protocol.version=1.1 server.port=8080 url.scheme=http]", 5},
		{"no response, closed", func(x *capture.Exchange) { x.Status, x.Error = 0, capture.ReasonClosedBeforeResponse }, "[error.type=closed_before_response http.request.method=GET network.protocol.version=1.1 server.port=8080 url.scheme=http]", 5},
		{"response cut", func(x *capture.Exchange) { x.Error = capture.ReasonResponseTruncated }, "[error.type=response_truncated http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 server.port=8080 url.scheme=http]", 5},
		{"answered before the end of the request", func(x *capture.Exchange) { x.Status, x.Error = 413, capture.ReasonRequestTruncated }, "[http.request.method=GET http.response.status_code=413 network.protocol.version=1.1 server.port=8080 url.scheme=http]", 0.005},
		{"no response, end of file", func(x *capture.Exchange) { x.Status, x.Error = 0, capture.ReasonShutdown }, "", 0},
		{"no response, gap", func(x *capture.Exchange) { x.Status, x.Error, x.Incomplete = 0, capture.ReasonGap, capture.ReasonGap }, "", 0},
		{"no response, evicted", func(x *capture.Exchange) {
			x.Status, x.Error, x.Incomplete = 0, capture.ReasonEvicted, capture.ReasonEvicted
		}, "", 0},
		{"end of file within the response", func(x *capture.Exchange) { x.Error = capture.ReasonShutdown }, "", 0},
	} {
		s := &sink{}
		where, _ := serveGRPC(t, s, "127.0.0.1:0")
		e := start(t, overGRPC(where))
		var b capture.Batch
		ex := exchange(&b, capture.RoleServer)
		ex.Ended = ex.ResponseEnd
		c.change(ex)
		if ex.Error != capture.ReasonNone {
			ex.Ended = epoch.Add(5 * time.Second)
		}
		if ex.Status == 0 {
			ex.ResponseStart, ex.ResponseEnd, ex.ResponseBody = 0, 0, -1
		}
		e.Export(&b, nil)
		if err := stop(e, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		m, ok := s.metric(semconv.MetricHTTPServerRequestDuration)
		if ok != (c.attrs != "") {
			t.Errorf("%s: recorded %v", c.name, ok)
		}
		if !ok {
			if _, ok := s.metric(semconv.MetricHTTPServerRequestBodySize); ok {
				t.Errorf("%s: a body size is recorded", c.name)
			}
			continue
		}
		if got := series(m.item); len(got) != 1 || got[c.attrs] != c.sum {
			t.Errorf("%s: %v, want %s %v", c.name, got, c.attrs, c.sum)
		}
	}
}

// Coverage and budgets are told where they are known, and not where they are not.
func TestCoverageAndBudgets(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*Config)
		rings   []capture.Ring
		share   map[string]float64
		budgets map[string]float64
	}{
		{"known", func(c *Config) {
			c.Coverage = func() (float64, bool) { return 0.75, true }
			c.ReassemblyBytes, c.QueueBytes = 4096, 1<<20
		}, []capture.Ring{{Name: "eth0", Bytes: 1000}, {Name: "lo", Bytes: 24}}, map[string]float64{"[]": 0.75}, map[string]float64{
			"[wiretell.memory.user=reassembly]": 4096, "[wiretell.memory.user=export_queue]": 1 << 20, "[wiretell.memory.user=ring]": 1024}},
		{"not known", func(c *Config) {
			c.Coverage = func() (float64, bool) { return 0, false }
			c.QueueBytes = 2 << 20
		}, nil, nil, map[string]float64{"[wiretell.memory.user=export_queue]": 2 << 20}},
		{"nobody to ask", func(c *Config) { c.QueueBytes = 2 << 20 }, nil, nil, map[string]float64{"[wiretell.memory.user=export_queue]": 2 << 20}},
	} {
		s := &sink{}
		where, _ := serveGRPC(t, s, "127.0.0.1:0")
		cfg := overGRPC(where)
		c.change(&cfg)
		e := start(t, cfg)
		b := capture.Batch{HasSnapshot: true}
		b.Snapshot.Source.Rings = c.rings
		e.Export(&b, nil)
		if err := stop(e, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]map[string]float64{semconv.MetricCaptureCoverage: c.share, semconv.MetricMemoryBudget: c.budgets} {
			var got map[string]float64
			if m, ok := s.metric(name); ok {
				got = series(m.item)
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s: %s = %v, want %v", c.name, name, got, want)
			}
		}
	}
	// A file needs no queue.
	var out bytes.Buffer
	e := start(t, Config{Deterministic: true, JSON: &out, JSONPath: "-"})
	if err := stop(e, time.Second); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte(semconv.MetricMemoryBudget)) {
		t.Error("a budget for a queue that is not there")
	}
}

// The same input gives the same bytes, every time.
func TestDeterministicJSON(t *testing.T) {
	var first []byte
	for range 5 {
		var out bytes.Buffer
		e := start(t, Config{Deterministic: true, JSON: &out, JSONPath: "-", ServiceName: "shop", SpanBatch: 3})
		for i := range uint64(4) {
			b := fullBatch()
			reset := exchange(b, capture.RoleServer)
			reset.Status, reset.Error = 0, capture.ReasonReset
			for _, o := range b.Observations {
				if ex, ok := o.(*capture.Exchange); ok {
					ex.Number += 100 * i
				}
			}
			e.Export(b, []diagnosis.Finding{finding()})
		}
		if err := stop(e, time.Second); err != nil {
			t.Fatal(err)
		}
		for _, h := range e.Health(nil) {
			checkBooks(t, h)
			if h.Exporter != "otlp-json" || h.Exported == 0 || h.Exported != h.Created {
				t.Errorf("%+v", h)
			}
		}
		if first == nil {
			first = out.Bytes()
		} else if !bytes.Equal(first, out.Bytes()) {
			t.Fatal("two runs differ")
		}
	}
	var spans, logs, metrics int
	ids := map[string]bool{}
	for line := range bytes.Lines(first) {
		if !json.Valid(line) || line[len(line)-1] != '\n' {
			t.Errorf("line %q", line)
		}
		switch {
		case bytes.HasPrefix(line, []byte(`{"resourceSpans":`)):
			spans++
		case bytes.HasPrefix(line, []byte(`{"resourceLogs":`)):
			logs++
		case bytes.HasPrefix(line, []byte(`{"resourceMetrics":`)):
			metrics++
		default:
			t.Errorf("line %q", line)
		}
		for id := range bytes.SplitSeq(line, []byte(`"spanId":"`)) {
			ids[string(id[:16])] = true
		}
	}
	// 12 spans in batches of 3; metrics once per resource.
	if spans != 4 || logs == 0 || metrics != 2 {
		t.Errorf("%d, %d, %d lines of spans, logs, metrics", spans, logs, metrics)
	}
	// Ids differ between spans; each appears in its span and its events.
	if len(ids) < 12 {
		t.Errorf("%d span ids", len(ids))
	}
	// No time but the capture's: all of them begin with the same digits.
	for at := range bytes.SplitSeq(first, []byte(`TimeUnixNano":"`)) {
		if bytes.HasPrefix(at, []byte("1")) && !bytes.HasPrefix(at, fmt.Appendf(nil, "%d", int64(epoch)/1e12)) {
			t.Errorf("time %.19s", at)
		}
	}
}
