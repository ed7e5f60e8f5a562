package otel

import (
	crand "crypto/rand"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/wiretell/wiretell/semconv"
)

// resource is a list of attributes in a fixed order.
type resource []KeyValue

func (r resource) put(m pcommon.Map) {
	m.EnsureCapacity(len(r))
	for _, kv := range r {
		m.PutStr(kv.Key, kv.Value)
	}
}

func (r *resource) set(k, v string) {
	for i := range *r {
		if (*r)[i].Key == k {
			(*r)[i].Value = v
			return
		}
	}
	*r = append(*r, KeyValue{k, v})
}

// resources are the two that signals go under.
type resources struct {
	traffic resource // of the service whose traffic is observed
	self    resource // of wiretell
	version string
}

// newResources builds both. The instance of the observed service is never
// invented: only wiretell's own gets an id when it has none to share.
func newResources(c *Config) *resources {
	var traffic, self resource
	name := c.ServiceName
	for _, kv := range c.Resource {
		if kv.Key == semconv.ServiceName && name == "" {
			name = kv.Value
		}
	}
	if name == "" {
		name = semconv.ServiceNameUnknown
	}
	traffic.set(semconv.ServiceName, name)
	self.set(semconv.ServiceName, semconv.ServiceNameWiretell)
	self.set(semconv.ServiceVersion, c.Version)
	for _, kv := range c.Resource {
		if kv.Key == semconv.ServiceName {
			continue
		}
		traffic.set(kv.Key, kv.Value)
		// The pod, the node and the container are the same; the service is not.
		if !strings.HasPrefix(kv.Key, "service.") {
			self.set(kv.Key, kv.Value)
		}
	}
	self.set(semconv.ObservedServiceName, name)
	if !c.Deterministic {
		self.set(semconv.ServiceInstanceID, newUUID())
	}
	for _, r := range []*resource{&traffic, &self} {
		r.set(semconv.TelemetryDistroName, semconv.Scope)
		r.set(semconv.TelemetryDistroVersion, c.Version)
	}
	return &resources{traffic: traffic, self: self, version: c.Version}
}

// newUUID returns a random UUID (RFC 9562, section 5.4).
func newUUID() string {
	var u [16]byte
	crand.Read(u[:]) // never fails (crypto/rand)
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
