// Package filter compiles filter expressions in the common part of tcpdump's
// language (pcap-filter(7)) to classic BPF, and takes any other filter as the
// bytecode that "tcpdump -ddd" prints. A compiled expression selects exactly
// the packets that tcpdump's program selects; the tests compare the two.
//
// # Data flow
//
//	expression -> tokens -> cond, a tree of tests -> graph of decisions -> Program
//
// The parser follows libpcap's grammar, with its habits: "and" and "or" have
// the same precedence and group from the left; an identifier alone repeats the
// qualifiers before it ("port 80 or 443"); "vlan" moves the offsets of
// everything written after it. The graph is made smaller by following each
// branch to where it is already decided by what was tested before.
//
// # Concurrency
//
// A [Program] does not change and may be shared.
//
// # Limitations
//
// Understood are: host, net, port and portrange with src and dst; the protocol
// words ip, ip6, arp, rarp, tcp, udp, sctp, icmp, icmp6, igmp, ah, esp, pim,
// vrrp and igrp, alone or as qualifiers; proto with a number or a name;
// ether proto; vlan; len with a relation; greater and less; and, or, not and
// parentheses. Everything else is refused with its place in the expression:
// byte access and arithmetic, gateway, broadcast, multicast, link-layer
// addresses, MPLS, PPPoE, Geneve, inbound and outbound. Host and network names
// are refused, as looking them up would make a program depend on a moment.
// Port names come from a table, not from the system's.
//
// "vlan" looks for a tag in the bytes of the frame, as tcpdump does for a file.
// On a live AF_PACKET socket the kernel has taken the outermost tag off and
// holds it beside the frame, so there "vlan" finds only a second tag. The
// kernel has extensions to read the one it holds; [ParseBytecode] refuses them,
// since a [Program] must mean the same everywhere.
//
// Of LinkNull, the address family is accepted with the numbers of all systems
// and both byte orders, where tcpdump knows those of the system it runs on.
package filter
