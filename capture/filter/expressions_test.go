package filter

// expressions are compared with tcpdump. The first are those that people use.
var expressions = []string{
	"tcp", "udp", "icmp", "icmp6", "ip", "ip6", "arp", "rarp", "tcp port 80", "udp port 53",
	"port 80", "tcp and not port 22", "tcp portrange 8000-9000", "not (tcp port 80 or udp port 53)",
	"host 10.0.0.1", "src host 10.0.0.1", "dst host 10.0.0.1", "net 10.0.0.0/8", "src net 192.168.1.0/24",
	"host 10.0.0.1 and port 443", "host 10.0.0.1 and not port 22", "port 80 or 443", "tcp port 80 or tcp port 443",
	"tcp dst port 8080", "ip host 10.0.0.2", "vlan", "vlan 100 and tcp port 80", "not arp and not icmp", "greater 100", "less 60",
	"",

	"src port 80", "dst port 80", "src or dst port 80", "src and dst port 80", "dst or src port 80", "dst and src port 80",
	"src || dst port 80", "src && dst port 80", "tcp src port 80", "udp dst port 53", "sctp port 80", "sctp src port 80",
	"port 0", "port 65535", "port 0x50", "port 0120", "port http", "port https", "port domain", "tcp port domain", "udp port ntp",
	"port ssh or http", "tcp port http or https", "port bootps", "dst port syslog",
	"portrange 80", "portrange 80-80", "portrange 81-80", "portrange 0-65535", "src portrange 8000-8500", "udp portrange 53-80",
	"dst portrange 80-443", "portrange http-https", "portrange 80-https", "sctp portrange 22-80", "tcp src and dst portrange 22-9000",

	"host 10", "host 10.1", "host 10.1.2", "host 10.1.2.3", "src 10.0.0.1", "dst 10.0.0.1", "src 10", "dst 10.1", "src and dst 10.0.0.1",
	"src or dst host 10.0.0.1", "src and dst host 10.0.0.1", "dst and src host 10.0.0.1", "ip src 10.0.0.1", "ip dst host 10.0.0.2",
	"arp host 10.0.0.1", "rarp host 10.0.0.1", "arp src host 10.0.0.1", "arp dst 10.0.0.1", "ip src and dst host 10.0.0.1",
	"host 0.0.0.0", "host 255.255.255.255", "host 010.0.0.1", "host 10.0.0.1 or 10.0.0.2", "host (10.0.0.1 or 10.0.0.2)",
	"src host 10.0.0.1 or 10.0.0.2 and port 80", "host 10.0.0.1 and 10.0.0.2", "not host 10.0.0.1", "host 10.0.0.1 or not 10.0.0.2",

	"net 10", "net 10.1", "net 10.1.2", "net 10.1.2.3", "net 0", "net 192.168.1", "net 0.0.0.0/0", "net 10.0.0.0/30", "net 10.0.0.1/32",
	"net 10.1 mask 255.255", "net 10.1.0.0 mask 255.255.0.0", "net 10.0.0.1 mask 255.0.0.255", "src net 10", "dst net 10.0.0.0/8",
	"src and dst net 10.0.0.0/8", "ip net 10", "arp net 10.0.0.0/8", "rarp net 10", "net 172.16.0.0/12", "net 128.0.0.0/1", "net 0x0a",
	"net 10.0.0.0/8 or 192.168.0.0/16", "not net 10.0.0.0/8", "not src net 10 and dst net 10",

	"host ::1", "src host ::1", "dst host fe80::1", "src ::1", "host 2001:db8::1 or fe80::1", "ip6 host ::1", "ip6 src host 2001:db8::1",
	"src and dst host fe80::1", "net fe80::/10", "net 2001:db8::/32", "net 2001:db8:1::/48", "net ::/0", "net ::1/128", "net fe80::1",
	"src net 2001:db8::/33", "dst net 2001:db8::/95", "ip6 net fe80::/64", "net 2001:db8::/32 and not net 2001:db8:1::/48", "host ::1/128",
	"host ::ffff:10.0.0.1",

	"proto 6", "proto 17", "proto 47", "ip proto 47", "ip proto 1", "ip6 proto 58", "ip6 proto 44", "ip6 proto 6", "ip proto 0", "proto 255",
	`proto \tcp`, `ip proto \udp`, `ip6 proto \icmp`, "proto gre", "ip proto ospf", "ip proto 6 or 17", "proto (6 or 17)", "ip proto (6 or 17)",
	"igmp", "igrp", "ah", "esp", "pim", "vrrp", "sctp",
	"ether proto 0x800", `ether proto \ip`, `ether proto \arp`, "ether proto 0x88cc", "ether proto 0x86dd or 0x806",

	"len > 60", "len >= 60", "len < 60", "len <= 60", "len = 60", "len == 60", "len != 60", "60 < len", "60 >= len", "60 != len", "100 = len",
	"length > 100", "len > 0", "len < 0", "greater 0", "less 0x40", "less 60 or greater 100", "tcp and len > 60",

	"vlan 100", "vlan 200", "vlan 4095", "vlan and ip", "vlan and tcp", "vlan or ip", "not vlan", "not vlan and tcp", "vlan and vlan",
	"vlan 100 and vlan 200", "vlan 100 && vlan 200 && tcp port 80", "vlan 100 or vlan 200", "tcp port 80 or (vlan and tcp port 80)",
	"(ip and host 10.0.0.1) or (vlan and host 10.0.0.1)", "vlan and not tcp port 80", "vlan and (ip or ip6)", "tcp or vlan or tcp",
	"vlan and arp host 10.0.0.1", "vlan and host ::1", "vlan and len > 64", "vlan and udp portrange 22-80",

	"tcp or udp and port 80", "tcp and port 80 or udp", "udp or tcp and port 80 or icmp", "not tcp and udp", "not tcp or udp", "! tcp", "!tcp and !udp",
	"not not tcp", "not not not tcp", "not (not tcp)", "(tcp)", "((tcp))", "(tcp or udp) and (port 80 or port 443)",
	"(tcp or udp) and not (port 80 or port 443)", "tcp && port 80 || udp", "tcp port 80 and host 10.0.0.1 or udp port 53 and host 10.0.0.2",
	"port 80 or not 443", "host 10.0.0.1 and not port 22 or 53", "port 22 or (host 10.0.0.1) or 80", "port (80 or 443)", "port (80 or not 443)",
	"tcp port (80 or 443 or 8080) and host (10.0.0.1 or 10.0.0.2)", "tcp src port 80 or 81 or 443", "port not 80", "host not 10.0.0.1",
	"tcp and tcp", "tcp or tcp", "tcp and udp", "tcp and not tcp", "tcp or not tcp", "ip and ip6", "ip or not ip",
	"arp or (ip and not (tcp or udp))", "ip and (tcp or udp or icmp)", "tcp and ip6", "ip6 and port 80", "ip and port 80", "arp and host 10.0.0.1",
	"port 80 and port 443", "src port 80 and dst port 443", "src port 80 or dst port 443", "tcp port 80 and not host 10.0.0.1",
	"not port 22 and not port 53 and not arp", "host 10.0.0.1 and (tcp port 80 or udp port 53)", "\ttcp \n and\r port 80 ",
	"port 22 or port 53 or port 80 or port 81 or port 443 or port 514 or port 7999 or port 8000 or port 8080 or port 8500",
	"tcp and portrange 8000-9000 and not port 8080", "icmp or icmp6", "not (src net 10.0.0.0/8 and dst net 10.0.0.0/8)",
	"(src net 10 and dst net 192.168) or (dst net 10 and src net 192.168)",
}
