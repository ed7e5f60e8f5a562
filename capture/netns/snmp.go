package netns

import (
	"bytes"
	"fmt"

	"github.com/wiretell/wiretell/capture"
)

// counter binds a name of the kernel's tables to where it goes. Several names
// may go to one place: they add up.
type counter struct {
	name string
	to   *uint64
}

// snmp reads /proc/net/snmp (IPv4; TCP for both families) and adds the IPv6
// parts of /proc/net/snmp6.
func (r *Reader) snmp(k *capture.Kernel) error {
	t, u, i := &k.TCP, &k.UDP, &k.ICMP
	found, err := r.table("net/snmp", "Tcp:", []counter{
		{"ActiveOpens", &t.ActiveOpens}, {"PassiveOpens", &t.PassiveOpens}, {"AttemptFails", &t.AttemptFails},
		{"EstabResets", &t.EstabResets}, {"CurrEstab", &t.CurrEstab}, {"InSegs", &t.InSegs}, {"OutSegs", &t.OutSegs},
		{"RetransSegs", &t.RetransSegs}, {"InErrs", &t.InErrs}, {"OutRsts", &t.OutRsts}, {"InCsumErrors", &t.InCsumErrors},
	})
	if err != nil {
		return err
	}
	if found == 0 {
		return fmt.Errorf("read net/snmp: no Tcp counters")
	}
	r.table("net/snmp", "Udp:", []counter{
		{"InDatagrams", &u.InDatagrams}, {"NoPorts", &u.NoPorts}, {"InErrors", &u.InErrors}, {"OutDatagrams", &u.OutDatagrams},
		{"RcvbufErrors", &u.RcvbufErrors}, {"SndbufErrors", &u.SndbufErrors},
	})
	r.table("net/snmp", "Icmp:", []counter{
		{"InMsgs", &i.InMsgs}, {"InErrors", &i.InErrors}, {"InDestUnreachs", &i.InDestUnreachs}, {"InTimeExcds", &i.InTimeExcds},
		{"OutMsgs", &i.OutMsgs}, {"OutDestUnreachs", &i.OutDestUnreachs},
	})
	r.pairs("net/snmp6", []counter{
		{"Udp6InDatagrams", &u.InDatagrams}, {"Udp6NoPorts", &u.NoPorts}, {"Udp6InErrors", &u.InErrors}, {"Udp6OutDatagrams", &u.OutDatagrams},
		{"Udp6RcvbufErrors", &u.RcvbufErrors}, {"Udp6SndbufErrors", &u.SndbufErrors},
		{"Icmp6InMsgs", &i.InMsgs}, {"Icmp6InErrors", &i.InErrors}, {"Icmp6InDestUnreachs", &i.InDestUnreachs}, {"Icmp6InTimeExcds", &i.InTimeExcds},
		{"Icmp6OutMsgs", &i.OutMsgs}, {"Icmp6OutDestUnreachs", &i.OutDestUnreachs},
	})
	return nil
}

// netstat reads TcpExt of /proc/net/netstat.
func (r *Reader) netstat(k *capture.Kernel) error {
	x := &k.TCPExt
	found, err := r.table("net/netstat", "TcpExt:", []counter{
		{"ListenOverflows", &x.ListenOverflows}, {"ListenDrops", &x.ListenDrops},
		{"TCPSynRetrans", &x.SynRetrans}, {"TCPTimeouts", &x.Timeouts}, {"TCPSpuriousRTOs", &x.SpuriousRTOs},
		{"TCPFastRetrans", &x.FastRetrans}, {"TCPSlowStartRetrans", &x.SlowStartRetrans}, {"TCPLossProbes", &x.LossProbes},
		{"TCPBacklogDrop", &x.BacklogDrop}, {"TCPReqQFullDrop", &x.ReqQFullDrop}, {"TCPReqQFullDoCookies", &x.ReqQFullCookies},
		{"TCPRcvQDrop", &x.RcvQDrop}, {"TCPZeroWindowDrop", &x.ZeroWindowDrop}, {"PruneCalled", &x.PruneCalled},
		{"TCPAbortOnData", &x.AbortOnData}, {"TCPAbortOnClose", &x.AbortOnClose}, {"TCPAbortOnMemory", &x.AbortOnMemory},
		{"TCPAbortOnTimeout", &x.AbortOnTimeout}, {"TCPRetransFail", &x.RetransFail}, {"TCPOFOQueue", &x.OFOQueue},
	})
	if err == nil && found == 0 {
		err = fmt.Errorf("read net/netstat: no TcpExt counters")
	}
	return err
}

// table reads the two lines of name that begin with prefix, the first with
// names and the second with their values, and adds the values that are wanted.
// It returns how many it found.
func (r *Reader) table(name, prefix string, want []counter) (found int, err error) {
	var index [128]int16 // column -> position in want, -1 when not wanted
	heads, columns := false, 0
	err = r.lines(name, func(line []byte) {
		first, rest := field(line)
		if string(first) != prefix {
			return
		}
		for c := 0; c < len(index); c++ {
			var word []byte
			if word, rest = field(rest); len(word) == 0 {
				break
			}
			switch {
			case !heads:
				index[c] = position(want, word)
				columns = c + 1
			case c < columns && index[c] >= 0:
				// Tcp's MaxConn is -1: a value that is no number is no count.
				if n, ok := decimal(word); ok {
					*want[index[c]].to += n
					found++
				}
			}
		}
		heads = !heads
	})
	return found, err
}

// pairs reads lines of a name and a value.
func (r *Reader) pairs(name string, want []counter) error {
	return r.lines(name, func(line []byte) { addPair(line, want) })
}

func addPair(line []byte, want []counter) {
	word, rest := field(line)
	if i := position(want, bytes.TrimSuffix(word, []byte(":"))); i >= 0 {
		value, _ := field(rest)
		if n, ok := decimal(value); ok {
			*want[i].to += n
		}
	}
}

func position(want []counter, name []byte) int16 {
	for i := range want {
		if want[i].name == string(name) {
			return int16(i)
		}
	}
	return -1
}

// sockstat reads /proc/net/sockstat, "TCP: inuse 3 orphan 0 tw 2 alloc 4 mem 0",
// and what sockstat6 says of UDP, which has no line of its own there for TCP's
// other figures.
func (r *Reader) sockstat(k *capture.Kernel) error {
	found := false
	udp := func(rest []byte) {
		_, rest = field(rest) // "inuse"
		word, _ := field(rest)
		n, _ := decimal(word)
		k.UDPSockets += uint32(n)
	}
	r.lines("net/sockstat6", func(line []byte) { // a kernel without IPv6 has none
		if word, rest := field(line); string(word) == "UDP6:" {
			udp(rest)
		}
	})
	err := r.lines("net/sockstat", func(line []byte) {
		word, rest := field(line)
		switch string(word) {
		case "UDP:":
			udp(rest)
			return
		case "TCP:":
			found = true
		default:
			return
		}
		for len(rest) > 0 {
			var value []byte
			word, rest = field(rest)
			value, rest = field(rest)
			n, _ := decimal(value)
			switch string(word) {
			case "tw":
				k.TimeWait = uint32(n)
			case "orphan":
				k.Orphans = uint32(n)
			}
		}
	})
	if err == nil && !found {
		err = fmt.Errorf("read net/sockstat: no line for TCP")
	}
	return err
}
