package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// neverAccept listens and never accepts: the queue is full after one connection.
func neverAccept(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
		return err
	}
	return unix.Listen(fd, 0)
}

// held keeps connections from being closed as garbage.
var held []net.Conn

// fillBacklog connects to where nobody accepts: SYNs are sent again.
func fillBacklog(at string) {
	for {
		if c, err := net.DialTimeout("tcp", at, 4*time.Second); err == nil {
			held = append(held, c)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// tooBig opens a connection and sends its peer an ICMP error about a segment of
// it: fragmentation needed, next-hop MTU 1400.
func tooBig(to string) error {
	about, err := net.DialTimeout("tcp4", to, 2*time.Second)
	if err != nil {
		return err
	}
	defer about.Close()
	here, there := about.LocalAddr().(*net.TCPAddr).AddrPort(), about.RemoteAddr().(*net.TCPAddr).AddrPort()
	c, err := net.Dial("ip4:icmp", there.Addr().Unmap().String())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(fragmentationNeeded(there, here))
	return err
}

// fragmentationNeeded is the ICMP message (RFC 792, RFC 1191) about a segment
// from one end of a connection to the other.
func fragmentationNeeded(from, to netip.AddrPort) []byte {
	message := make([]byte, 8+20+8)
	message[0], message[1] = 3, 4
	binary.BigEndian.PutUint16(message[6:], 1400)
	quoted := message[8:]
	quoted[0], quoted[8], quoted[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(quoted[2:], 1500)
	copy(quoted[12:], from.Addr().Unmap().AsSlice())
	copy(quoted[16:], to.Addr().Unmap().AsSlice())
	binary.BigEndian.PutUint16(quoted[20:], from.Port())
	binary.BigEndian.PutUint16(quoted[22:], to.Port())
	var sum uint32
	for i := 0; i < len(message); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(message[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(message[2:], ^uint16(sum+sum>>16))
	return message
}
