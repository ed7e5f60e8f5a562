package capture

import (
	"net/netip"
)

// Endpoint is an address and a port in one comparable value without pointers.
// IPv4 addresses are held in their IPv4-mapped form (RFC 4291, section 2.5.5.2).
type Endpoint struct {
	Addr [16]byte
	Port uint16
}

// EndpointOf converts a.
func EndpointOf(a netip.AddrPort) Endpoint {
	return Endpoint{Addr: a.Addr().As16(), Port: a.Port()}
}

// AddrPort converts e; an IPv4-mapped address comes out as IPv4.
func (e Endpoint) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(e.IP(), e.Port)
}

// IP returns the address alone; an IPv4-mapped address comes out as IPv4.
func (e Endpoint) IP() netip.Addr { return netip.AddrFrom16(e.Addr).Unmap() }

// String formats e as host:port.
func (e Endpoint) String() string { return e.AddrPort().String() }

// Flow is ONE direction of a conversation. It is comparable.
type Flow struct {
	Src, Dst Endpoint
}

// Reverse returns the opposite direction.
func (f Flow) Reverse() Flow { return Flow{Src: f.Dst, Dst: f.Src} }

// Side is one of the two ends of a connection.
type Side uint8

const (
	// Client is the side that sent the first SYN (or, when that was not seen,
	// the side that is held to have done so).
	Client Side = iota
	// Server is the side that listened.
	Server
)

// Other returns the opposite side.
func (s Side) Other() Side { return s ^ 1 }

// String returns "client" or "server".
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "server"
}

// Role says which side of a connection is in the observed network namespace.
type Role uint8

const (
	RoleUnknown Role = iota // a file, and no address was given as local
	RoleServer              // the listening side is local: inbound
	RoleClient              // the connecting side is local: outbound
	RoleBoth                // loopback: both are local
	NumRoles
)

// String returns "unknown", "server", "client" or "both".
func (r Role) String() string { return [...]string{"unknown", "server", "client", "both"}[r] }

// RoleOf tells the role from the direction of a packet that the given side sent.
func RoleOf(d Direction, from Side, loopback bool) Role {
	switch {
	case loopback:
		return RoleBoth
	case d == DirectionUnknown:
		return RoleUnknown
	case (d == Receive) == (from == Client):
		return RoleServer
	default:
		return RoleClient
	}
}

// Conn identifies one connection, both directions. It is a plain value:
// observations carry a copy.
type Conn struct {
	ID             uint64 // unique within one run, in order of first sight, from 1
	Client, Server Endpoint
	Start          Time // of the first packet seen
	Interface      uint16
	Role           Role
	// Midstream says that the handshake was not seen, so that the bytes before
	// the first packet are unknown and Client and Server are inferred.
	Midstream bool
	// OneWay says that no packet of one of the sides was captured so far: what
	// that side did is not known.
	OneWay bool
	// EndedBy is who sent the RST or, without one, the first FIN, once that was
	// seen.
	EndedBy EndedBy
	// Race says that the connection was reset in answer to a request that met
	// the end of a kept-alive connection: the server had spoken before, and
	// acknowledged nothing of this request.
	Race bool
}

// Flow returns the direction of what from sends.
func (c *Conn) Flow(from Side) Flow {
	if from == Client {
		return Flow{Src: c.Client, Dst: c.Server}
	}
	return Flow{Src: c.Server, Dst: c.Client}
}
