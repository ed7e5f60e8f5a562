package netns

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/wiretell/wiretell/capture"
)

// devices reads /proc/net/dev, two head lines and then
//
//	eth0: RXBYTES packets errs drop fifo frame compressed multicast TXBYTES packets errs drop ...
func (r *Reader) devices(k *capture.Kernel) error {
	return r.lines("net/dev", func(line []byte) {
		i := bytes.LastIndexByte(line, ':')
		if i < 0 {
			return
		}
		name, rest := bytes.TrimSpace(line[:i]), line[i+1:]
		var n [16]uint64
		for c := range n {
			var word []byte
			word, rest = field(rest)
			v, ok := decimal(word)
			if !ok {
				return
			}
			n[c] = v
		}
		d := device(k, name)
		d.RxBytes, d.RxPackets, d.RxErrors, d.RxDropped = n[0], n[1], n[2], n[3]
		d.TxBytes, d.TxPackets, d.TxErrors, d.TxDropped = n[8], n[9], n[10], n[11]
		d.Loopback = d.Loopback || d.Name == "lo"
	})
}

// device returns the interface of that name in k, making it when it is new.
func device(k *capture.Kernel, name []byte) *capture.KernelInterface {
	for i := range k.Interfaces {
		if k.Interfaces[i].Name == string(name) {
			return &k.Interfaces[i]
		}
	}
	k.Interfaces = append(k.Interfaces, capture.KernelInterface{Name: string(name)})
	return &k.Interfaces[len(k.Interfaces)-1]
}

// portRange reads net.ipv4.ip_local_port_range, which belongs to the namespace
// that the reading thread is in. Beside "/proc/PID" it stands in "/proc/sys".
func (r *Reader) portRange(k *capture.Kernel) error {
	found := false
	err := r.fileLines(filepath.Join(r.opt.Proc, "../sys/net/ipv4/ip_local_port_range"), func(line []byte) {
		a, rest := field(line)
		b, _ := field(rest)
		lo, ok1 := decimal(a)
		hi, ok2 := decimal(b)
		if ok1 && ok2 && lo <= hi && hi <= 0xffff {
			k.LocalPorts, found = [2]uint16{uint16(lo), uint16(hi)}, true
		}
	})
	if err == nil && !found {
		err = fmt.Errorf("read ip_local_port_range: not two ports")
	}
	return err
}

// unix reads /proc/net/unix:
//
//	Num       RefCount Protocol Flags    Type St Inode Path
//	0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/app.sock
//
// A socket listens when flag __SO_ACCEPTCON (1<<16) is set.
func (r *Reader) unix(k *capture.Kernel) error {
	const acceptCon = 1 << 16
	return r.lines("net/unix", func(line []byte) {
		_, rest := field(line) // number
		_, rest = field(rest)  // reference count
		_, rest = field(rest)  // protocol
		word, rest := field(rest)
		flags, ok := hex(word)
		if !ok || flags&acceptCon == 0 {
			return
		}
		k.UnixListening++
		_, rest = field(rest)         // type
		_, rest = field(rest)         // state
		_, rest = field(rest)         // inode
		path := bytes.TrimSpace(rest) // may hold blanks
		if len(path) > 0 && len(k.UnixListeners) < capture.MaxKernelUnix {
			k.UnixListeners = append(k.UnixListeners, string(path))
		}
	})
}
