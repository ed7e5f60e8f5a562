package otel

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// observation states values of observable instruments by name.
type observation struct {
	metric.Observer
	m      *meters
	points map[string]int // series so far, by name
}

func (m *meters) observation(to metric.Observer) observation {
	return observation{to, m, make(map[string]int)}
}

func (o observation) count(name string, v uint64, kvs ...attribute.KeyValue) {
	// The SDK folds what is beyond its limit, of which it keeps one series.
	if o.points[name]++; o.points[name] >= o.m.cfg.CardinalityLimit {
		o.m.folds.Add(1)
	}
	o.ObserveInt64(o.m.ints[name], int64(v), metric.WithAttributes(kvs...))
}

// some states v unless it is 0: for tables of which most is empty.
func (o observation) some(name string, v uint64, kvs ...attribute.KeyValue) {
	if v != 0 {
		o.count(name, v, kvs...)
	}
}

// seconds states nanoseconds unless they are 0.
func (o observation) seconds(name string, ns uint64, kvs ...attribute.KeyValue) {
	if ns != 0 {
		o.ObserveFloat64(o.m.floats[name], time.Duration(ns).Seconds(), metric.WithAttributes(kvs...))
	}
}

// words returns the attributes whose value is not empty, from pairs of name and
// value.
func words(pairs ...string) []attribute.KeyValue {
	kvs := make([]attribute.KeyValue, 0, len(pairs)/2+2)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			kvs = append(kvs, attribute.String(pairs[i], pairs[i+1]))
		}
	}
	return kvs
}

// observeTraffic states what the spine counted of the observed traffic.
func (m *meters) observeTraffic(_ context.Context, to metric.Observer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.have {
		return nil
	}
	o := m.observation(to)
	m.observeInterfaces(o)
	for i := range m.snap.Ports {
		observePort(o, &m.snap.Ports[i])
	}
	m.observeTCP(o)
	for _, c := range m.snap.ICMP {
		kvs := words(semconv.NetworkType, c.Network.String(), semconv.NetworkIODirection, direction(c.Direction), semconv.ICMPQuotedTransport, c.Quoted.String())
		o.count(semconv.MetricICMPMessages, c.Count, append(kvs, attribute.Int(semconv.ICMPType, int(c.Type)), attribute.Int(semconv.ICMPCode, int(c.Code)))...)
	}
	return nil
}

func (m *meters) interfaceName(i int) string {
	if i < len(m.snap.Source.Interfaces) {
		return m.snap.Source.Interfaces[i].Name
	}
	return ""
}

func (m *meters) observeInterfaces(o observation) {
	for i := range m.snap.Interfaces {
		name := m.interfaceName(i)
		for d := range capture.NumDirections {
			for t := range capture.NumTransports {
				for n := range capture.NumNetworks {
					tally := m.snap.Interfaces[i][d][t][n]
					if tally.Packets == 0 {
						continue
					}
					kvs := words(semconv.NetworkInterfaceName, name, semconv.NetworkIODirection, direction(d), semconv.NetworkTransport, t.String(), semconv.NetworkType, n.String())
					o.count(semconv.MetricPackets, tally.Packets, kvs...)
					o.count(semconv.MetricIO, tally.Bytes, kvs...)
				}
			}
		}
	}
}

// portAttributes are those that every series of a port has.
func portAttributes(p *capture.PortStats, pairs ...string) []attribute.KeyValue {
	kvs := words(append(pairs, semconv.ConnectionRole, p.Role.String())...)
	if p.Overflow {
		return append(kvs, attribute.Bool(semconv.OTelMetricOverflow, true))
	}
	return append(kvs, attribute.Int(semconv.ServerPort, int(p.Port)))
}

func observePort(o observation, p *capture.PortStats) {
	requests, responses := messageDirections(p.Role)
	for proto := range capture.NumProtocols {
		pairs := []string{semconv.NetworkProtocolName, proto.String(), semconv.NetworkProtocolVersion, protocolMajor(proto)}
		if n := p.Requests[proto]; n > 0 {
			o.count(semconv.MetricRequests, n, portAttributes(p, append(pairs, semconv.NetworkIODirection, requests)...)...)
		}
		if n := p.Responses[proto]; n > 0 {
			o.count(semconv.MetricResponses, n, portAttributes(p, append(pairs, semconv.NetworkIODirection, responses)...)...)
		}
	}
	for r := range capture.NumReasons {
		if t := p.Unparsed[r]; t.Packets > 0 {
			kvs := portAttributes(p, semconv.Reason, r.String(), semconv.NetworkTransport, p.Transport.String(), semconv.NetworkProtocolName, protocolOf(r))
			o.count(semconv.MetricUnparsed, t.Packets, kvs...)
			o.count(semconv.MetricUnparsedIO, t.Bytes, kvs...)
		}
	}
}

// messageDirections tells the way of requests and of responses, where one can.
func messageDirections(r capture.Role) (requests, responses string) {
	switch r {
	case capture.RoleServer:
		return direction(capture.Receive), direction(capture.Transmit)
	case capture.RoleClient:
		return direction(capture.Transmit), direction(capture.Receive)
	}
	return "", ""
}

// protocolMajor tells HTTP/1 from HTTP/2, which have one name. The counters do
// not know the minor version.
func protocolMajor(p capture.Protocol) string {
	switch p {
	case capture.ProtocolHTTP1:
		return "1"
	case capture.ProtocolHTTP2:
		return "2"
	}
	return ""
}

// protocolOf returns the protocol that bytes were recognised as though they
// could not be read.
func protocolOf(r capture.Reason) string {
	switch r {
	case capture.ReasonTLS, capture.ReasonBadHello:
		return "tls"
	case capture.ReasonHTTP2:
		return "http"
	case capture.ReasonQUIC:
		return "quic"
	case capture.ReasonDNS:
		return "dns"
	}
	return ""
}

// Values of wiretell.tcp.flow_control.kind.
const (
	flowZeroWindow = "zero_window"
	flowWindowFull = "window_full"
)

func (m *meters) observeTCP(o observation) {
	t := &m.snap.TCP
	for role := range capture.NumRoles {
		for why := range capture.NumReasons {
			o.some(semconv.MetricTCPConnections, t.Connections[role][why], words(semconv.ConnectionRole, role.String(), semconv.ErrorType, why.String())...)
		}
		for state := range capture.NumTCPStates {
			// Those that close at once would be series that say 0 for ever.
			if n := t.Open[role][state]; n > 0 || m.wasOpen[role][state] || state == capture.StateEstablished && t.Connections[role][capture.ReasonNone] > 0 {
				m.wasOpen[role][state] = true
				o.count(semconv.MetricTCPConnectionsOpen, n, words(semconv.ConnectionRole, role.String(), semconv.NetworkConnectionState, state.String())...)
			}
		}
		for kind := range capture.NumStuckKinds {
			o.some(semconv.MetricTCPStuck, t.Stuck[role][kind], words(semconv.ConnectionRole, role.String(), semconv.TCPStuckKind, kind.String())...)
		}
	}
	for d := range capture.NumDirections {
		way := direction(d)
		for k := range capture.NumRetransmitKinds {
			o.some(semconv.MetricTCPRetransmits, t.Retransmits[d][k], words(semconv.NetworkIODirection, way, semconv.TCPRetransmitKind, k.String())...)
		}
		for p := range capture.NumPhases {
			o.some(semconv.MetricTCPResets, t.Resets[d][p], words(semconv.NetworkIODirection, way, semconv.TCPPhase, p.String())...)
		}
		for i := range capture.NumIgnored {
			o.some(semconv.MetricTCPIgnored, t.Ignored[d][i], words(semconv.NetworkIODirection, way, semconv.TCPIgnoredKind, i.String())...)
		}
		kvs := words(semconv.NetworkIODirection, way)
		o.some(semconv.MetricTCPOutOfOrder, t.OutOfOrder[d], kvs...)
		o.some(semconv.MetricTCPDuplicateAcks, t.DuplicateAcks[d], kvs...)
		o.some(semconv.MetricTCPFlowControl, t.ZeroWindow[d], words(semconv.NetworkIODirection, way, semconv.TCPFlowControl, flowZeroWindow)...)
		o.some(semconv.MetricTCPFlowControl, t.WindowFull[d], words(semconv.NetworkIODirection, way, semconv.TCPFlowControl, flowWindowFull)...)
		o.seconds(semconv.MetricTCPFlowControlTime, t.ZeroWindowTime[d], words(semconv.NetworkIODirection, way, semconv.TCPFlowControl, flowZeroWindow)...)
		o.seconds(semconv.MetricTCPFlowControlTime, t.WindowFullTime[d], words(semconv.NetworkIODirection, way, semconv.TCPFlowControl, flowWindowFull)...)
		for p := range capture.NumProofs {
			o.some(semconv.MetricTCPRetransmitsNeedless, t.Needless[d][p], words(semconv.NetworkIODirection, way, semconv.TCPProof, p.String())...)
		}
	}
}

// observeSelf states what wiretell says about itself.
func (m *meters) observeSelf(_ context.Context, to metric.Observer) error {
	o := m.observation(to)
	m.observeExport(o)
	if m.cfg.Coverage != nil {
		if share, ok := m.cfg.Coverage(); ok {
			o.ObserveFloat64(m.floats[semconv.MetricCaptureCoverage], share)
		}
	}
	if m.cfg.ReassemblyBytes > 0 {
		o.budget("reassembly", m.cfg.ReassemblyBytes)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observeFindings(o)
	if !m.have {
		return nil
	}
	m.observeCapture(o)
	observeRecording(o, &m.snap.Recording)
	observeLedger(o, &m.snap.Ledger)
	return nil
}

// budget states how much memory a part may use.
func (o observation) budget(user string, bytes int) {
	o.count(semconv.MetricMemoryBudget, uint64(bytes), attribute.String(semconv.MemoryUser, user))
}

func (m *meters) observeCapture(o observation) {
	s := &m.snap
	rings := 0
	for _, r := range s.Source.Rings {
		rings += r.Bytes
		kvs := words(semconv.NetworkInterfaceName, safe(r.Name, false))
		o.count(semconv.MetricCapturePackets, r.Packets, kvs...)
		o.count(semconv.MetricCaptureDrops, r.Drops, kvs...)
		o.count(semconv.MetricCaptureQueueFreezes, r.Freezes, kvs...)
	}
	if rings > 0 {
		o.budget("ring", rings)
	}
	for i, n := range s.Truncated {
		o.count(semconv.MetricCaptureTruncated, n, words(semconv.NetworkInterfaceName, m.interfaceName(i))...)
	}
	o.count(semconv.MetricCaptureGaps, s.Ledger[capture.Gaps])
	o.count(semconv.MetricCaptureGapsIO, s.Ledger[capture.GapBytes])
	o.count(semconv.MetricCaptureClockSteps, s.ClockSteps)
	o.ObserveFloat64(m.floats[semconv.MetricCaptureLag], time.Duration(s.LagMax).Seconds())
	for _, e := range []struct {
		what    string
		account capture.Entry
	}{
		{"connection", capture.ConnsEvicted},
		{"fragment", capture.FragmentsEvicted},
		{"segment", capture.SegmentRefused},
		{"dns_lookup", capture.LookupsEvicted},
	} {
		o.count(semconv.MetricEvictions, s.Ledger[e.account], words(semconv.Reason, e.what)...)
	}
	o.some(semconv.MetricEvictions, s.RedirectsForgotten, words(semconv.Reason, "redirect")...)
	o.some(semconv.MetricEvictions, s.Twins.Evicted, words(semconv.Reason, "mesh_twin")...)
	o.some(semconv.MetricMeshTwins, s.Twins.Linked, words(semconv.Reason, "linked")...)
	o.some(semconv.MetricMeshTwins, s.Twins.Ambiguous, words(semconv.Reason, "ambiguous")...)
}

// observeRecording states what recording packets came to, where that is done.
func observeRecording(o observation, r *capture.Recording) {
	if r.Memory == 0 {
		return
	}
	o.budget("recording", r.Memory)
	for outcome, n := range r.Files {
		o.count(semconv.MetricRecordingFiles, n, words(semconv.Reason, capture.RecordingOutcome(outcome).String())...)
	}
	o.count(semconv.MetricRecordingFiles, r.Ended, words(semconv.Reason, "ended_early")...)
	o.count(semconv.MetricRecordingIO, r.Bytes)
	o.count(semconv.MetricRecordingMissing, r.Missing)
}

// observeLedger states every line: its accounts, what they add up to, and by
// how much that is wrong.
func observeLedger(o observation, l *capture.Ledger) {
	for _, line := range capture.Lines {
		name := attribute.String(semconv.LedgerLine, line.Name)
		for _, e := range line.Right {
			account := semconv.MetricLedger
			if isLive(e) {
				account = semconv.MetricLedgerLive
			}
			o.count(account, l[e], name, attribute.String(semconv.Reason, e.String()))
		}
		left, right := l.Sum(line.Left), l.Sum(line.Right)
		o.count(semconv.MetricLedgerExpected, left, name)
		o.count(semconv.MetricLedgerImbalance, max(left, right)-min(left, right), name)
	}
}

// isLive tells the accounts that also go down.
func isLive(e capture.Entry) bool { return strings.HasSuffix(e.String(), "live") }

func (m *meters) observeFindings(o observation) {
	type key struct {
		id       string
		severity diagnosis.Severity
	}
	n := make(map[key]uint64)
	for k, severity := range m.active {
		n[key{k.id, severity}]++
	}
	for k, count := range n {
		o.count(semconv.MetricDiagnosisActive, count, words(semconv.DiagnosisID, k.id, semconv.DiagnosisSeverity, k.severity.String())...)
	}
}

// Outcomes of wiretell.export.records.
const (
	outcomeExported   = "exported"
	outcomeUnselected = "not_selected"
	outcomeSampledOut = "sampled_out"
	outcomeDropped    = "dropped"
)

func (m *meters) observeExport(o observation) {
	for _, h := range m.health(nil) {
		records := func(outcome, why string, n uint64) {
			o.count(semconv.MetricExportRecords, n, words(semconv.ExportSignal, h.Signal, semconv.ExportOutcome, outcome, semconv.Reason, why, semconv.OTelComponentName, h.Exporter)...)
		}
		records(outcomeExported, "", h.Exported)
		if h.Signal == traces.String() {
			records(outcomeSampledOut, "", h.SampledOut)
		}
		if h.NotSelected > 0 {
			records(outcomeUnselected, "", h.NotSelected)
		}
		if h.Rejected > 0 {
			records(outcomeDropped, dropRejected, h.Rejected)
		}
		for why, n := range h.Dropped {
			records(outcomeDropped, why, n)
		}
		component := words(semconv.OTelComponentName, h.Exporter, semconv.OTelComponentType, semconv.ComponentTypeBatching)
		switch h.Signal {
		case traces.String():
			o.count(semconv.MetricSDKSpanQueueSize, h.Queued, component...)
		case logs.String():
			o.count(semconv.MetricSDKLogQueueSize, h.Queued, component...)
		}
	}
	waiting := m.queued()
	if len(waiting) > 0 { // a file has no queue
		o.budget("export_queue", m.cfg.QueueBytes)
	}
	for signal, bytes := range waiting {
		o.count(semconv.MetricExportQueue, uint64(bytes), words(semconv.ExportSignal, signal, semconv.OTelComponentName, "otlp")...)
	}
}
