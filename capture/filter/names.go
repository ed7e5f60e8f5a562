package filter

// Protocol numbers (https://www.iana.org/assignments/protocol-numbers).
const (
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoFragment = 44
	protoICMP6    = 58
	protoSCTP     = 132
)

// EtherTypes (https://www.iana.org/assignments/ieee-802-numbers).
const (
	etherIP   = 0x0800
	etherARP  = 0x0806
	etherRARP = 0x8035
	etherIP6  = 0x86dd
	etherVLAN = 0x8100 // IEEE 802.1Q
	etherAD   = 0x88a8 // IEEE 802.1ad
	etherQinQ = 0x9100 // before the standard
)

// qualifier is a protocol word in front of an address, a port or "proto".
type qualifier uint8

const (
	anyProtocol qualifier = iota
	qualIP
	qualIP6
	qualARP
	qualRARP
	qualTCP
	qualUDP
	qualSCTP
	qualEther
	qualOther // a protocol word that qualifies nothing
)

// protocol is a protocol word: what it tests alone, and what it is as a qualifier.
type protocol struct {
	qual   qualifier
	ether  uint16 // not 0: the word is an EtherType
	number uint8  // of the protocol above IP
	ip     bool   // over IPv4
	ip6    bool   // over IPv6
}

var protocols = map[string]protocol{
	"ip":    {qual: qualIP, ether: etherIP},
	"ip6":   {qual: qualIP6, ether: etherIP6},
	"arp":   {qual: qualARP, ether: etherARP},
	"rarp":  {qual: qualRARP, ether: etherRARP},
	"tcp":   {qual: qualTCP, number: protoTCP, ip: true, ip6: true},
	"udp":   {qual: qualUDP, number: protoUDP, ip: true, ip6: true},
	"sctp":  {qual: qualSCTP, number: protoSCTP, ip: true, ip6: true},
	"icmp":  {qual: qualOther, number: protoICMP, ip: true},
	"icmp6": {qual: qualOther, number: protoICMP6, ip6: true},
	"igmp":  {qual: qualOther, number: 2, ip: true},
	"igrp":  {qual: qualOther, number: 9, ip: true},
	"vrrp":  {qual: qualOther, number: 112, ip: true},
	"ah":    {qual: qualOther, number: 51, ip: true, ip6: true},
	"esp":   {qual: qualOther, number: 50, ip: true, ip6: true},
	"pim":   {qual: qualOther, number: 103, ip: true, ip6: true},
}

// protocolNumbers are the names that may follow "proto"; those that are also
// keywords need a backslash, as in pcap-filter(7).
var protocolNumbers = map[string]uint8{
	"icmp": 1, "igmp": 2, "igrp": 9, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51,
	"ospf": 89, "pim": 103, "vrrp": 112, "sctp": 132, "ipv6-icmp": 58, "ipencap": 4,
}

var etherNames = map[string]uint16{"ip": etherIP, "ip6": etherIP6, "arp": etherARP, "rarp": etherRARP}

// unsupported are keywords of the language that this package does not read.
var unsupported = map[string]bool{
	"gateway": true, "broadcast": true, "multicast": true, "inbound": true, "outbound": true, "ifname": true,
	"on": true, "ifindex": true, "rnr": true, "rulenum": true, "reason": true, "rset": true, "ruleset": true,
	"srnr": true, "subrulenum": true, "action": true, "mpls": true, "pppoed": true, "pppoes": true, "geneve": true,
	"protochain": true, "link": true, "fddi": true, "tr": true, "wlan": true, "ppp": true, "slip": true,
	"decnet": true, "atalk": true, "aarp": true, "sca": true, "lat": true, "moprc": true, "mopdl": true,
	"iso": true, "clnp": true, "esis": true, "isis": true, "stp": true, "ipx": true, "netbeui": true,
	"llc": true, "type": true, "subtype": true, "dir": true, "direction": true, "addr1": true, "addr2": true,
	"addr3": true, "addr4": true, "ra": true, "ta": true, "lane": true, "metac": true, "bcc": true, "oam": true,
	"oamf4": true, "connectmsg": true, "metaconnect": true, "vpi": true, "vci": true, "l1": true, "l2": true,
	"iih": true, "lsp": true, "snp": true, "csnp": true, "psnp": true, "radio": true, "sio": true, "opc": true,
	"dpc": true, "sls": true,
}

// keywords that are read, beside the protocol words.
var keywords = map[string]bool{
	"and": true, "or": true, "not": true, "src": true, "dst": true, "host": true, "net": true, "port": true,
	"portrange": true, "proto": true, "mask": true, "len": true, "length": true, "greater": true, "less": true,
	"vlan": true, "ether": true,
}

// reserved reports whether s is a word of the language, so that it cannot be a name.
func reserved(s string) bool {
	_, p := protocols[s]
	return p || keywords[s] || unsupported[s]
}

// service is a named port, and the transports that it is registered with in
// Debian's /etc/services, which tcpdump would ask.
type service struct {
	port     uint16
	tcp, udp bool
}

var services = map[string]service{
	"ftp-data": {20, true, false}, "ftp": {21, true, false}, "ssh": {22, true, false}, "telnet": {23, true, false},
	"smtp": {25, true, false}, "domain": {53, true, true}, "bootps": {67, false, true}, "bootpc": {68, false, true},
	"tftp": {69, false, true}, "http": {80, true, false}, "www": {80, true, false}, "kerberos": {88, true, true},
	"pop3": {110, true, false}, "sunrpc": {111, true, true}, "nntp": {119, true, false}, "ntp": {123, false, true},
	"imap2": {143, true, false}, "imap": {143, true, false}, "snmp": {161, true, true}, "bgp": {179, true, false},
	"ldap": {389, true, true}, "https": {443, true, true}, "submissions": {465, true, false}, "syslog": {514, true, true},
	"submission": {587, true, false}, "ipp": {631, true, false}, "ldaps": {636, true, true}, "domain-s": {853, true, true},
	"rsync": {873, true, false}, "imaps": {993, true, false}, "pop3s": {995, true, false}, "socks": {1080, true, false},
	"ms-sql-s": {1433, true, false}, "radius": {1812, true, true}, "nfs": {2049, true, true}, "mysql": {3306, true, false},
	"epmd": {4369, true, false}, "sip": {5060, true, true}, "sip-tls": {5061, true, true}, "xmpp-client": {5222, true, false},
	"mdns": {5353, false, true}, "postgresql": {5432, true, false}, "postgres": {5432, true, false},
	"amqps": {5671, true, false}, "redis": {6379, true, false}, "syslog-tls": {6514, true, false},
	"http-alt": {8080, true, false}, "webcache": {8080, true, false}, "git": {9418, true, false},
}
