package netnstest

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// A connection over the pair works in both families, and the namespaces are not
// the same: each has one end only.
func TestConnect(t *testing.T) {
	a, b := New(t), New(t)
	p := Connect(t, a, b)
	for _, addr := range []netip.Addr{p.B, p.B6} {
		var ln net.Listener
		b.Must(t, func() (err error) {
			ln, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
			return err
		})
		if err := a.Do(func() error {
			l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
			if err == nil {
				_ = l.Close()
			}
			return err
		}); err == nil {
			t.Errorf("%s is an address of both namespaces", addr)
		}
		go func() {
			if c, err := ln.Accept(); err == nil {
				_, _ = c.Write([]byte("hello"))
				_ = c.Close()
			}
		}()
		a.Must(t, func() error {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			got, err := io.ReadAll(c)
			if string(got) != "hello" {
				return fmt.Errorf("read %q, %v", got, err)
			}
			return nil
		})
		_ = ln.Close()
	}
}

// Outside of Do, and in a new namespace, nothing of the host is seen.
func TestAlone(t *testing.T) {
	n := New(t)
	for where, do := range map[string]func(func() error) error{"main": func(f func() error) error { return f() }, "new": n.Do} {
		err := do(func() error {
			ifs, err := net.Interfaces()
			if err != nil {
				return err
			}
			for _, i := range ifs {
				if i.Flags&net.FlagLoopback == 0 {
					return fmt.Errorf("there is an interface %s", i.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
}

func TestChild(t *testing.T) {
	Child(t, nil, func(t *testing.T) {
		if !IsChild() || os.Getppid() == 1 {
			t.Error("the function does not run in a child process")
		}
	})
}
