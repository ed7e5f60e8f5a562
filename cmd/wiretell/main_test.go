package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/pcap"
)

// wiretell runs a command line in this process.
func wiretell(env []string, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = run(args, process{stdout: &output{w: &out}, stderr: &errorOutput{w: &errs}, env: env})
	return out.String(), errs.String(), code
}

// shop returns the shop's frames.
func shop(t testing.TB) []capturetest.Segment {
	t.Helper()
	s, err := capturetest.ReadScript("testdata/shop.script")
	if err != nil {
		t.Fatal(err)
	}
	return s.Segments
}

// arp is an ARP request (RFC 826) in Ethernet.
func arp() *capture.Frame {
	data := []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" +
		"\x02\x00\x00\x00\x00\x01\x0a\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x02")
	return &capture.Frame{Time: 1767323040e9, Data: data, WireLen: len(data), Link: capture.LinkEthernet}
}

// capturesIn writes the captures that the tests read into dir:
//
//	shop.pcap shop.pcapng shop.pcap.gz  the shop, three times the same
//	cut.pcap      the shop, cut within its last packet but three
//	arp.pcap      nothing but ARP
//	header.pcap   no packet
//	empty.pcap    no byte
//	junk          no capture
func capturesIn(t testing.TB, dir string) {
	t.Helper()
	segments := shop(t)
	classic, ng, arps := new(bytes.Buffer), new(bytes.Buffer), new(bytes.Buffer)
	w := pcap.NewClassicWriter(classic, capture.LinkRaw)
	n := pcap.NewWriter(ng)
	src := capturetest.NewSource(segments)
	var f capture.Frame
	header, cut := 0, 0
	for i := range segments {
		if err := src.Next(&f); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0:
			header = classic.Len()
		case 9:
			cut = classic.Len() + 30
		}
		if err := w.Write(&f); err != nil {
			t.Fatal(err)
		}
		if err := n.Write(&f, ""); err != nil {
			t.Fatal(err)
		}
	}
	a := pcap.NewClassicWriter(arps, capture.LinkEthernet)
	if err := a.Write(arp()); err != nil {
		t.Fatal(err)
	}
	for _, flush := range []func() error{w.Flush, n.Flush, a.Flush} {
		if err := flush(); err != nil {
			t.Fatal(err)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(classic.Bytes())
	z.Close()
	for name, b := range map[string][]byte{
		"shop.pcap": classic.Bytes(), "shop.pcapng": ng.Bytes(), "shop.pcap.gz": packed.Bytes(), "cut.pcap": classic.Bytes()[:cut],
		"arp.pcap": arps.Bytes(), "header.pcap": classic.Bytes()[:header], "empty.pcap": nil, "junk": []byte("hello\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
}
