package text

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter"
)

// Exporter writes lines to a writer.
type Exporter struct {
	// Redactor hides secrets in targets; New sets the default one.
	Redactor *exporter.Redactor
	// Select says of what lines are written; nil selects all. Findings always are.
	Select exporter.Selector

	w        *bufio.Writer
	line     line
	count    uint64 // lines written
	buffered uint64 // lines that w took and has not yet written
	failed   uint64
	left     uint64 // observations that were not selected
	lastErr  error
}

// New returns an Exporter that writes to w. It owns neither w nor its end.
func New(w io.Writer) *Exporter {
	return &Exporter{Redactor: exporter.NewRedactor(exporter.RedactSensitive, nil), w: bufio.NewWriterSize(w, 64<<10)}
}

// Export implements exporter.Exporter.
func (x *Exporter) Export(b *capture.Batch, findings []diagnosis.Finding) {
	for _, o := range b.Observations {
		if x.Select != nil && !x.Select.Observation(o) {
			x.left++
			continue
		}
		x.observation(o)
		x.line.str("recording", b.Recording(o))
		x.write()
	}
	for i := range findings {
		x.finding(&findings[i])
		x.write()
	}
	x.flush()
}

// flush writes what is buffered. When that fails, all of it counts as failed:
// how much of it came out nobody knows.
func (x *Exporter) flush() {
	if err := x.w.Flush(); err != nil {
		x.lastErr = err
		x.failed += x.buffered
	} else {
		x.count += x.buffered
	}
	x.buffered = 0
}

func (x *Exporter) write() {
	x.line.b = append(x.line.b, '\n')
	x.buffered++
	if _, err := x.w.Write(x.line.b); err != nil {
		x.lastErr = err
	}
}

// Health implements exporter.Exporter.
func (x *Exporter) Health(dst []diagnosis.ExportHealth) []diagnosis.ExportHealth {
	h := diagnosis.ExportHealth{Exporter: "text", Signal: "logs", Created: x.count + x.failed, Exported: x.count, NotSelected: x.left}
	if x.failed > 0 {
		h.Dropped = map[string]uint64{"write_failed": x.failed}
		h.Failing, h.LastError = true, x.lastErr.Error()
	}
	return append(dst, h)
}

// Shutdown implements exporter.Exporter.
func (x *Exporter) Shutdown(context.Context) error {
	x.flush()
	return x.lastErr
}

// observation builds the line of o.
func (x *Exporter) observation(o capture.Observation) {
	l := &x.line
	switch o := o.(type) {
	case *capture.Exchange:
		x.exchange(o)
	case *capture.ConnOpened:
		l.begin(o.At, "opened")
		l.conn(&o.Conn)
		if o.Called.Port != 0 {
			l.str("called", o.Called.String())
		}
		l.dur("handshake", o.Handshake)
		if o.ServerTime > 0 {
			l.dur("syn_to_synack", o.ServerTime)
			l.dur("synack_to_ack", o.ClientTime)
		}
		if o.Simultaneous {
			l.str("simultaneous", "true")
		}
		if o.SYNData > 0 {
			l.num("syn_data", int64(o.SYNData))
			l.num("syn_data_taken", int64(o.SYNDataTaken))
		}
	case *capture.ConnFailed:
		l.begin(o.At, "connect_failed")
		l.conn(&o.Conn)
		l.str("error", o.Why.String())
		x.cause(o.Cause, o.Why)
		l.num("attempts", int64(o.Attempts))
		l.some("answers", int64(o.Answers))
		l.some("syn_data", int64(o.SYNData))
		l.dur("elapsed", o.Elapsed)
		if o.HasICMP {
			l.num("icmp_type", int64(o.ICMP.Type))
			l.num("icmp_code", int64(o.ICMP.Code))
			l.str("icmp_from", o.From.IP().String())
		}
	case *capture.ConnReset:
		l.begin(o.At, "reset")
		l.conn(&o.Conn)
		l.str("by", o.By.String())
		l.str("phase", o.Phase.String())
		l.dur("age", o.Age)
		if o.Conn.Race {
			l.str("cause", capture.CauseKeepAliveRace.String())
			l.dur("idle", o.Idle)
		}
		for _, s := range [...]capture.Side{capture.Client, capture.Server} {
			l.some(s.String()+"_unacknowledged", int64(o.Unacknowledged[s]))
		}
	case *capture.ConnStuck:
		l.begin(o.At, o.Kind.String())
		l.conn(&o.Conn)
		l.str("side", o.Side.String())
		l.str("state", o.State.String())
		l.str("phase", o.Phase.String())
		l.str("cause", o.Cause.String())
		l.dur("waited", o.Waited)
		l.some("outstanding", int64(o.Bytes))
		l.some("held", int64(o.Held))
		l.some("attempts", int64(o.Attempts))
	case *capture.ConnClosed:
		x.closed(o)
	case *capture.ICMPError:
		x.icmp(o)
	case *capture.DNSLookup:
		x.lookup(o)
	case *capture.ParseError:
		l.begin(o.At, "parse_error")
		l.conn(&o.Conn)
		l.str("from", o.From.String())
		l.str("protocol", o.Protocol.String())
		l.str("reason", o.Why.String())
		l.num("offset", int64(o.Offset))
	case *capture.TLSHello:
		l.begin(o.At, "tls")
		l.conn(&o.Conn)
		if o.Midstream {
			l.str("from", "midstream")
			return
		}
		l.str("from", o.From.String())
		l.str("version", capture.TLSVersion(o.Version))
		l.str("sni", string(o.SNI))
		l.str("alpn", string(o.ALPN))
		if o.ECH {
			l.str("ech", "true")
		}
	case *capture.TLSAlert:
		l.begin(o.At, "tls_alert")
		l.conn(&o.Conn)
		l.str("from", o.From.String())
		l.num("level", int64(o.Level))
		l.num("description", int64(o.Description))
	case *capture.Lost:
		l.begin(o.At, "lost")
		l.num("observations", int64(o.Observations))
	}
}

func (x *Exporter) exchange(e *capture.Exchange) {
	l := &x.line
	at := e.RequestStart
	if !e.HasRequest {
		at = e.ResponseStart
	}
	l.begin(at, "exchange")
	l.conn(&e.Conn)
	if e.HasRequest {
		l.str("method", exporter.Clean(e.Method))
		l.str("host", exporter.Clean(e.Host))
		l.str("target", x.Redactor.Target(e.Target))
	}
	if e.Status != 0 {
		l.num("status", int64(e.Status))
	}
	if e.HasRequest && e.ResponseStart != 0 {
		l.dur("duration", e.ResponseEnd.Sub(e.RequestStart))
	}
	if e.HasRequest && e.ResponseStart == 0 && exporter.FailedOnWire(e) {
		l.dur("waited", max(e.Ended.Sub(e.RequestStart), 0))
	}
	if e.HasRequest {
		l.num("request_body", e.RequestBody)
	}
	if e.ResponseStart != 0 {
		l.num("response_body", e.ResponseBody)
	}
	l.str("error", e.Error.String())
	l.str("incomplete", e.Incomplete.String())
	why := e.Error
	if why == capture.ReasonNone {
		why = e.Incomplete
	}
	x.cause(e.Cause, why)
	l.some("announced", e.Announced)
	l.some("lost_bytes", e.LostBytes)
	l.some("interim", int64(e.Interim))
	if e.Path.Connect > 0 {
		l.dur("connect", e.Path.Connect)
	}
	if e.Path.RTT > 0 {
		l.dur("rtt", e.Path.RTT)
	}
	l.some("retransmits", int64(e.Path.Retransmits))
	l.some("retransmitted_bytes", e.Path.RetransmitBytes)
	l.str("traceparent", exporter.Clean(e.TraceParent))
	l.str("mesh", e.Mesh.String())
	if e.Inner {
		l.str("inner", "true")
	}
	if e.Outer != nil {
		l.num("outer_conn", int64(e.Outer.Conn.ID))
	}
}

// cause states c where it says more than why.
func (x *Exporter) cause(c capture.Cause, why capture.Reason) {
	if word := c.String(); word != why.String() {
		x.line.str("cause", word)
	}
}

func (x *Exporter) closed(o *capture.ConnClosed) {
	l := &x.line
	l.begin(o.At, "closed")
	l.conn(&o.Conn)
	l.str("why", o.Why.String())
	l.dur("age", max(o.At.Sub(o.Conn.Start), 0))
	if o.Why != capture.ReasonFIN && o.Why != capture.ReasonReset && o.Established {
		l.str("client_state", o.States[capture.Client].String())
		l.str("server_state", o.States[capture.Server].String())
	}
	for _, s := range [...]capture.Side{capture.Client, capture.Server} {
		l.num(s.String()+"_bytes", int64(o.Bytes[s]))
		l.some(s.String()+"_retransmits", int64(o.Retransmits[s]))
		for k, n := range o.RetransmitKinds[s] {
			l.some(s.String()+"_retransmits_"+capture.RetransmitKind(k).String(), int64(n))
		}
		l.some(s.String()+"_retransmits_needless", int64(o.Needless[s]))
		l.some(s.String()+"_out_of_order", int64(o.OutOfOrder[s]))
		l.some(s.String()+"_duplicate_acks", int64(o.DuplicateAcks[s]))
		l.stalls(s.String()+"_zero_window", o.ZeroWindow[s])
		l.stalls(s.String()+"_window_full", o.WindowFull[s])
		l.some(s.String()+"_gap_bytes", int64(o.GapBytes[s]))
	}
	if o.RTTMax > 0 {
		l.dur("rtt_min", o.RTTMin)
		l.dur("rtt", o.RTTMean)
		l.dur("rtt_max", o.RTTMax)
	}
}

func (x *Exporter) icmp(o *capture.ICMPError) {
	l := &x.line
	l.begin(o.At, "icmp_error")
	l.str("from", o.From.IP().String())
	l.str("to", o.To.IP().String())
	l.str("network", o.Network.String())
	l.num("type", int64(o.Header.Type))
	l.num("code", int64(o.Header.Code))
	l.str("meaning", o.Meaning)
	if o.QuotedTransport != capture.TransportNone {
		l.str("quoted", o.QuotedTransport.String())
		l.end("quoted_src", o.Quoted.Src)
		l.end("quoted_dst", o.Quoted.Dst)
	}
	if o.QuotedSeen {
		l.str("quoted_seen", "true")
	}
	l.some("next_hop_mtu", int64(o.NextHopMTU))
	l.some("conn", int64(o.Conn.ID))
}

func (x *Exporter) lookup(o *capture.DNSLookup) {
	l := &x.line
	l.begin(o.At, "dns_lookup")
	l.end("client", o.Client)
	l.end("server", o.Server)
	if o.Role != capture.RoleUnknown {
		l.str("role", o.Role.String())
	}
	l.str("name", exporter.Clean(o.Name))
	l.str("type", o.Type.String())
	if o.Answered {
		l.str("rcode", o.RCode.String())
	} else {
		l.str("error", o.Why.String())
	}
	if o.NoData {
		l.str("no_data", "true")
	}
	if o.Truncated {
		l.str("truncated", "true")
	}
	l.dur("duration", o.Duration)
	l.num("attempts", int64(o.Attempts))
	if o.HasICMP {
		l.num("icmp_type", int64(o.ICMP.Type))
		l.num("icmp_code", int64(o.ICMP.Code))
	}
}

// finding builds the line of f.
func (x *Exporter) finding(f *diagnosis.Finding) {
	l := &x.line
	l.begin(f.At, "diagnosis")
	l.str("id", f.ID)
	l.str("state", f.State.String())
	l.str("severity", f.Severity.String())
	l.str("confidence", f.Confidence.String())
	l.str("interface", f.Subject.Interface)
	l.some("port", int64(f.Subject.Port))
	if f.Subject.Peer.IsValid() {
		l.str("peer", f.Subject.Peer.String())
	}
	l.str("body", f.Body)
	l.str("remedy", f.Remedy.Summary)
	l.str("caveats", strings.Join(f.Caveats, ","))
}
