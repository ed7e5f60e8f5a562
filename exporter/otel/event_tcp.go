package otel

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

func (b *eventBuilder) connFailed(lr plog.LogRecord, o *capture.ConnFailed) int {
	r := b.begin(lr, &eventConnectFailed, o.At, failure(o))
	b.conn(&r, &o.Conn)
	r.a.str(semconv.ErrorType, o.Why.String())
	r.a.str(semconv.Cause, o.Cause.String())
	r.a.int(semconv.TCPAttempts, int64(o.Attempts))
	r.a.double(semconv.TCPAge, o.Elapsed.Seconds())
	if o.Answers > 0 {
		r.a.int(semconv.TCPAnswers, int64(o.Answers))
	}
	if o.SYNData > 0 {
		r.a.int(semconv.TCPSYNData, int64(o.SYNData))
	}
	if o.HasICMP {
		r.a.int(semconv.ICMPType, int64(o.ICMP.Type))
		r.a.int(semconv.ICMPCode, int64(o.ICMP.Code))
		r.a.str(semconv.ICMPFrom, b.spans.texts.addr(o.From))
	}
	return r.a.bytes
}

// failure tells a person why there is no connection, inbound or outbound.
func failure(o *capture.ConnFailed) string {
	c, s := o.Conn.Client, o.Conn.Server
	switch o.Cause {
	case capture.CauseNoAnswer:
		if o.Conn.Role == capture.RoleServer {
			return fmt.Sprintf("%s called port %d and nobody here answered: %d SYNs in %s", c.IP(), s.Port, o.Attempts, o.Elapsed)
		}
		return fmt.Sprintf("no answer from %s after %d SYNs in %s", s, o.Attempts, o.Elapsed)
	case capture.CauseRefused:
		if o.Conn.Role == capture.RoleServer {
			return fmt.Sprintf("port %d refused %s: a reset was sent back", s.Port, c.IP())
		}
		return fmt.Sprintf("%s refused the connection: a reset came back", s)
	case capture.CauseRejected:
		return fmt.Sprintf("no connection to %s: %s, ICMP type %d code %d from %s", s, o.Why, o.ICMP.Type, o.ICMP.Code, o.From.IP())
	case capture.CauseSYNACKUnanswered:
		return fmt.Sprintf("%s sent %d SYN-ACKs to %s, and none was answered in %s", s, o.Answers, c.IP(), o.Elapsed)
	case capture.CauseUnfinished:
		return fmt.Sprintf("%s did not finish its handshake with %s", c.IP(), s)
	case capture.CauseAbandonedByClient:
		return fmt.Sprintf("%s reset its handshake with %s, which had answered", c.IP(), s)
	case capture.CauseAbandonedByServer:
		return fmt.Sprintf("%s answered %s, and reset the handshake", s, c.IP())
	}
	return fmt.Sprintf("no connection from %s to %s: %s", c.IP(), s, o.Why)
}

func (b *eventBuilder) connReset(lr plog.LogRecord, o *capture.ConnReset) int {
	body := fmt.Sprintf("connection to %s reset by the %s, phase %s", o.Conn.Server, o.By, o.Phase)
	if o.Conn.Race {
		body = fmt.Sprintf("connection to %s, idle for %s, reset by the server in answer to a new request: it had closed before the request came", o.Conn.Server, o.Idle)
	}
	r := b.begin(lr, &eventReset, o.At, body)
	b.conn(&r, &o.Conn)
	r.a.str(semconv.TCPSide, side(&o.Conn, o.By))
	r.a.str(semconv.TCPPhase, o.Phase.String())
	r.a.double(semconv.TCPAge, o.Age.Seconds())
	if o.Conn.Race {
		r.a.str(semconv.Cause, capture.CauseKeepAliveRace.String())
		r.a.double(semconv.TCPIdle, o.Idle.Seconds())
	}
	if n := o.Unacknowledged[0] + o.Unacknowledged[1]; n > 0 {
		r.a.int(semconv.TCPOutstanding, int64(n))
	}
	b.hit(&r, &o.Conn, &o.Hit)
	return r.a.bytes
}

func (b *eventBuilder) connStuck(lr plog.LogRecord, event *semconv.Event, o *capture.ConnStuck) int {
	r := b.begin(lr, event, o.At, wait(o))
	b.conn(&r, &o.Conn)
	r.a.str(semconv.TCPSide, side(&o.Conn, o.Side))
	r.a.str(semconv.NetworkConnectionState, o.State.String())
	r.a.str(semconv.TCPPhase, o.Phase.String())
	r.a.str(semconv.Cause, o.Cause.String())
	r.a.double(semconv.TCPWaited, o.Waited.Seconds())
	if o.Bytes > 0 {
		r.a.int(semconv.TCPOutstanding, int64(o.Bytes))
	}
	if o.Held > 0 {
		r.a.int(semconv.TCPHeld, int64(o.Held))
	}
	if o.Attempts > 0 {
		r.a.int(semconv.TCPAttempts, int64(o.Attempts))
	}
	b.hit(&r, &o.Conn, &o.Hit)
	return r.a.bytes
}

// wait tells a person what a connection waits for.
func wait(o *capture.ConnStuck) string {
	who := fmt.Sprintf("the %s of the connection from %s to %s", o.Side, o.Conn.Client, o.Conn.Server)
	switch {
	case o.Kind == capture.StuckHalfClosed:
		return fmt.Sprintf("%s has not closed, %s after the %s did", who, o.Waited, o.Side.Other())
	case o.Kind == capture.StuckUnacknowledged:
		return fmt.Sprintf("%s closed %s ago, and that is not acknowledged", who, o.Waited)
	case o.Cause == capture.CauseZeroWindow:
		return fmt.Sprintf("%s may send nothing for %s: the %s has no room (zero window)", who, o.Waited, o.Side.Other())
	case o.Cause == capture.CauseHole:
		return fmt.Sprintf("%s: %d bytes did not come in %s, %d wait behind them", who, o.Bytes, o.Waited, o.Held)
	case o.Cause == capture.CauseNoResponse:
		return fmt.Sprintf("%s acknowledged a request and sent no response in %s", who, o.Waited)
	case o.Kind == capture.StuckStream:
		return fmt.Sprintf("%s: %d bytes were not acknowledged in %s", who, o.Bytes, o.Waited)
	}
	return fmt.Sprintf("%s sent the same %d times in %s, and it is not acknowledged", who, o.Attempts, o.Waited)
}
