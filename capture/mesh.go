package capture

import "net/netip"

// Mesh is a service mesh that is known by its proxy's ports and user. The proxy
// gets connections by redirection (netfilter's nat table) to ports of its own.
type Mesh struct {
	Name     string
	Ports    []uint16 // of the proxy
	Inbound  []uint16 // where connections from outside are redirected to
	Outbound uint16   // where connections of the application are redirected to
	UID      uint32   // of the proxy
	// FromPod says that the proxy calls the application from the pod's own address.
	FromPod bool
}

// Meshes are those that are known.
// https://istio.io/latest/docs/ops/deployment/application-requirements/
// https://linkerd.io/2/reference/proxy-configuration/
var Meshes = [...]Mesh{
	{"istio", []uint16{15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090}, []uint16{15006, 15008}, 15001, 1337, false},
	{"linkerd", []uint16{4140, 4143, 4190, 4191}, []uint16{4143}, 4140, 2102, true},
}

// passthrough is where Istio's proxy calls the application from, so that the
// call is not redirected again: 127.0.0.6, and ::6 for IPv6.
var passthrough = [2][16]byte{
	netip.AddrFrom4([4]byte{127, 0, 0, 6}).As16(),
	netip.AddrFrom16([16]byte{15: 6}).As16(),
}

// Passthrough reports whether e has the address from which Istio's proxy calls
// the application.
func (e *Endpoint) Passthrough() bool {
	return e.Addr == passthrough[0] || e.Addr == passthrough[1]
}

// Loopback reports whether e has a loopback address.
func (e *Endpoint) Loopback() bool { return e.IP().IsLoopback() }

// ToProxy reports whether c is the application's connection to the proxy of a
// mesh, which took it by redirection: it goes to loopback and to the proxy's
// port, and comes from the address that the route to its true destination
// chose. What calls that port by its address comes from loopback.
func (c *Conn) ToProxy() bool {
	for i := range Meshes {
		if c.Server.Port == Meshes[i].Outbound {
			return c.Server.Loopback() && !c.Client.Loopback()
		}
	}
	return false
}

// Calling reports whether who calls on c is in the observed network namespace
// and who is called, as far as it matters, is not.
func (c *Conn) Calling() bool { return c.Role == RoleClient || c.ToProxy() }

// MeshSide says which of the two sides of a mesh's proxy an exchange was seen on.
type MeshSide uint8

const (
	MeshNone        MeshSide = iota // no mesh, or not known
	MeshWire                        // between the proxy and other pods
	MeshApplication                 // between the application and its proxy
)

// String returns "", "wire" or "application".
func (s MeshSide) String() string { return [...]string{"", "wire", "application"}[s] }

// Twins counts exchanges that were seen on both sides of a mesh's proxy.
type Twins struct {
	Linked    uint64 // inner ones whose outer one is known
	Ambiguous uint64 // inner ones that have an outer one, which of several is not known
	Evicted   uint64 // let go at a bound before an outer one could come
}
