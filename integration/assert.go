package integration

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/wiretell/wiretell/semconv"
)

// Check is a statement about what was on the wire.
type Check interface {
	// Holds returns nil, or what is otherwise.
	Holds(*Telemetry) error
}

// CheckFunc makes a function a Check.
type CheckFunc func(*Telemetry) error

// Holds calls f.
func (f CheckFunc) Holds(t *Telemetry) error { return f(t) }

// Holds returns nil if all checks hold, or what is otherwise.
func (t *Telemetry) Holds(checks ...Check) error {
	var err error
	for _, c := range checks {
		err = errors.Join(err, c.Holds(t))
	}
	return err
}

// Calls is a [Check] of HTTP exchanges: Called and Served choose the direction,
// Method and Path narrow, the rest says what must be true of those that are
// left. Without Times, AtLeast or AtMost there must be one or more.
type Calls struct {
	outbound     bool
	server       string
	method, path string
	least, most  int    // -1 when not said
	statuses     string // for the message
	status       func(int) bool
}

// Called checks requests that the container sent to a server, which is named as
// in the request (the Host field), with or without the port, or by its address
// and port.
func Called(server string) *Calls { return &Calls{outbound: true, server: server, least: -1, most: -1} }

// Served checks requests that came to the container, whatever host they asked
// for.
func Served() *Calls { return &Calls{least: -1, most: -1} }

// Method narrows to requests with this method.
func (c *Calls) Method(method string) *Calls { c.method = method; return c }

// Path narrows to requests for this path. One that ends with "/*" stands for all
// below it.
func (c *Calls) Path(path string) *Calls { c.path = path; return c }

// Times says that there are exactly n.
func (c *Calls) Times(n int) *Calls { c.least, c.most = n, n; return c }

// Never says that there is none.
func (c *Calls) Never() *Calls { return c.Times(0) }

// AtLeast says that there are n or more.
func (c *Calls) AtLeast(n int) *Calls { c.least = n; return c }

// AtMost says that there are n or fewer, perhaps none.
func (c *Calls) AtMost(n int) *Calls { c.most = n; return c }

// Status says that each was answered with this status.
func (c *Calls) Status(code int) *Calls {
	c.statuses, c.status = strconv.Itoa(code), func(got int) bool { return got == code }
	return c
}

// Succeeded says that each was answered with a status from 200 to 299.
func (c *Calls) Succeeded() *Calls {
	c.statuses, c.status = "2xx", func(got int) bool { return got/100 == 2 }
	return c
}

// In returns the exchanges that the check is about.
func (c *Calls) In(t *Telemetry) []Exchange {
	return slices.DeleteFunc(t.Exchanges(), func(e Exchange) bool { return !c.selects(e) })
}

func (c *Calls) selects(e Exchange) bool {
	if e.Outbound != c.outbound || c.method != "" && e.Method != c.method {
		return false
	}
	if below, all := strings.CutSuffix(c.path, "/*"); c.path != "" && e.Path != c.path && (!all || !strings.HasPrefix(e.Path, below+"/")) {
		return false
	}
	return c.server == "" || slices.Contains([]string{e.Host, net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), e.Peer}, c.server)
}

// Holds implements [Check].
func (c *Calls) Holds(t *Telemetry) error {
	found := c.In(t)
	least := c.atLeast()
	var bad []Exchange
	for _, e := range found {
		if c.status != nil && !c.status(e.Status) {
			bad = append(bad, e)
		}
	}
	switch n := len(found); {
	case n < least || c.most >= 0 && n > c.most:
		others := found
		if n == 0 {
			others = t.Exchanges()
		}
		return fmt.Errorf("%s: %s, want %s%s", c, times(n), c.wanted(), list(others))
	case len(bad) > 0:
		return fmt.Errorf("%s: %d of %d not answered with %s%s", c, len(bad), n, c.statuses, list(bad))
	}
	return nil
}

// String names what the check is about.
func (c *Calls) String() string {
	parts := []string{"served"}
	if c.outbound {
		parts = []string{"called", c.server}
	}
	if c.method != "" {
		parts = append(parts, c.method)
	}
	if c.path != "" {
		parts = append(parts, c.path)
	}
	return strings.Join(parts, " ")
}

// atLeast returns how many there must be: one, if nothing else was said.
func (c *Calls) atLeast() int {
	switch {
	case c.least >= 0:
		return c.least
	case c.most >= 0:
		return 0
	}
	return 1
}

func (c *Calls) wanted() string {
	least := c.atLeast()
	switch {
	case least == c.most:
		return times(least)
	case c.most < 0:
		return "at least " + times(least)
	case least == 0:
		return "at most " + times(c.most)
	}
	return fmt.Sprintf("at least %s, at most %s", times(least), times(c.most))
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}

// list formats exchanges, events and the like, one per line, the first ten.
func list[T fmt.Stringer](all []T) string {
	var b strings.Builder
	for i, one := range all {
		if i == 10 {
			fmt.Fprintf(&b, "\n  and %d more", len(all)-i)
			break
		}
		b.WriteString("\n  " + one.String())
	}
	return b.String()
}

// NoReset says that no connection was reset, by neither side.
func NoReset() Check {
	return CheckFunc(func(t *Telemetry) error {
		resets := eventsNamed(t, semconv.EventTCPReset)
		// The metric counts those too of which the events were held back.
		n, _ := t.Metric(semconv.MetricTCPResets, nil)
		if len(resets) > 0 || n > 0 {
			return fmt.Errorf("%d connections were reset%s", max(len(resets), int(n)), list(resets))
		}
		return nil
	})
}

// NoFailedConnect says that every connection that was tried was established.
func NoFailedConnect() Check {
	return CheckFunc(func(t *Telemetry) error {
		if failed := eventsNamed(t, semconv.EventTCPConnectFailed); len(failed) > 0 {
			return fmt.Errorf("%d connections failed%s", len(failed), list(failed))
		}
		return nil
	})
}

// NoRetryStorm says that nothing was tried again more than three times in a row
// without success: see [NoMoreRetries].
func NoRetryStorm() Check { return NoMoreRetries(3) }

// NoMoreRetries says that the container did not send the same request (method,
// server, path) more than n times again after the first one failed, and did not
// try to connect to the same server more than n times again. A request fails
// when it is not answered, or with 408, 425, 429 or a status from 500 on; a
// success in between begins anew.
func NoMoreRetries(n int) Check {
	return CheckFunc(func(t *Telemetry) error {
		var err error
		row := map[string][]Exchange{}
		for _, e := range t.Exchanges() {
			if !e.Outbound {
				continue
			}
			key := fmt.Sprintf("%s http://%s%s", e.Method, net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), e.Path)
			before := row[key]
			if len(before) == n+1 {
				err = errors.Join(err, fmt.Errorf("retry storm: %s was sent again after it failed %s in a row%s", key, times(len(before)), list(before)))
			}
			row[key] = append(before, e)
			if !retryable(e) {
				row[key] = nil
			}
		}
		connects := map[string][]Event{}
		for _, e := range eventsNamed(t, semconv.EventTCPConnectFailed) {
			if e.Attributes.String(semconv.ConnectionRole) == "server" {
				continue
			}
			server := net.JoinHostPort(e.Attributes.String(semconv.ServerAddress), e.Attributes.String(semconv.ServerPort))
			connects[server] = append(connects[server], e)
		}
		for server, events := range connects {
			if len(events) > n+1 {
				err = errors.Join(err, fmt.Errorf("retry storm: %s was tried to connect to %s, without success%s", server, times(len(events)), list(events)))
			}
		}
		return err
	})
}

func retryable(e Exchange) bool {
	return e.Status == 0 || e.Status == 408 || e.Status == 425 || e.Status == 429 || e.Status >= 500
}

// NothingUnparsed says that every payload became a message that wiretell
// understands, and that nothing was missed. Reasons that are expected can be
// allowed: those of the attribute wiretell.reason in docs/signals.md.
func NothingUnparsed(allowed ...string) Check {
	return CheckFunc(func(t *Telemetry) error {
		if len(t.Metrics) == 0 {
			return errors.New("nothing unparsed: no metrics were received, so it is not known")
		}
		var err error
		for _, m := range t.Metrics {
			reason := m.Attributes.String(semconv.Reason)
			switch {
			case m.Value == 0:
			case m.Name == semconv.MetricUnparsed && !slices.Contains(allowed, reason):
				err = errors.Join(err, fmt.Errorf("%v packets were left unparsed: %s (%s port %s)", m.Value, reason,
					m.Attributes.String(semconv.NetworkTransport), m.Attributes.String(semconv.ServerPort)))
			case m.Name == semconv.MetricCaptureDrops:
				err = errors.Join(err, fmt.Errorf("%v packets were not captured", m.Value))
			}
		}
		for _, e := range t.Exchanges() {
			if e.Incomplete != "" && !slices.Contains(allowed, e.Incomplete) {
				err = errors.Join(err, fmt.Errorf("not all of an exchange was seen: %s", e))
			}
		}
		return err
	})
}

// NoFinding says that wiretell's diagnosis has nothing to warn of. Findings that
// are expected can be allowed, by their id.
func NoFinding(allowed ...string) Check {
	return CheckFunc(func(t *Telemetry) error {
		var bad []Finding
		for _, f := range t.Findings {
			if f.State != "cleared" && f.Severity != "info" && !slices.Contains(allowed, f.ID) {
				bad = append(bad, f)
			}
		}
		if len(bad) > 0 {
			return fmt.Errorf("the diagnosis found something%s", list(bad))
		}
		return nil
	})
}

func eventsNamed(t *Telemetry, name string) []Event {
	return slices.DeleteFunc(slices.Clone(t.Events), func(e Event) bool { return e.Name != name })
}
