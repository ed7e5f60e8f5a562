// Package wire decodes the headers of one frame: link layer, IP, and TCP, UDP
// or ICMP. It says for each frame which account of the ledger it belongs to.
//
// # Data flow
//
//	capture.Frame -> Decoder.Decode -> capture.Packet, capture.Entry
//	fragments -> package defrag -> Decoder.DecodeDatagram
//	bytes quoted by an ICMP error -> DecodeQuoted
//
// The innermost packet counts: VLAN tags, PPPoE, MPLS, IP in IP and GRE are
// decoded through. Lengths come from the headers, never from where the frame
// ends, so Ethernet padding is not payload and a cut frame keeps its true
// payload length.
//
// # Concurrency
//
// A Decoder belongs to one goroutine. It keeps nothing between two packets,
// allocates nothing and copies no payload: Packet.Payload points into the Frame.
//
// # Limitations
//
// At most 4 encapsulations, 16 tags or labels and 8 IPv6 extension headers are
// followed; more is counted as nested too deep. VXLAN, Geneve and GTP stay UDP;
// ESP stays another protocol, as do ERSPAN type III and GRE with source routing.
// IEEE 802.2 (LLC) frames are not looked into.
package wire
