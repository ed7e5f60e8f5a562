package netns

import (
	"bytes"
	"fmt"

	"github.com/wiretell/wiretell/capture"
)

// process reads /proc/self/status and uid_map.
func (r *Reader) process(k *capture.Kernel) error {
	p, caps := &k.Process, 0
	err := r.lines("status", func(line []byte) {
		name, rest := field(line)
		word, rest := field(rest)
		switch string(name) {
		case "Uid:": // real, effective, saved, file system
			word, _ = field(rest)
			n, _ := decimal(word)
			p.UID = uint32(n)
		case "CapPrm:":
			p.CapPrm, caps = capabilities(word, caps)
		case "CapEff:":
			p.CapEff, caps = capabilities(word, caps)
		case "CapBnd:":
			p.CapBnd, caps = capabilities(word, caps)
		case "NoNewPrivs:":
			p.NoNewPrivs = string(word) == "1"
		case "Seccomp:":
			n, _ := decimal(word)
			p.Seccomp = uint8(n)
		}
	})
	if err != nil {
		return err
	}
	if caps != 3 {
		return fmt.Errorf("read status: capabilities are not told")
	}
	// The first user namespace maps everything onto itself: 0 0 4294967295.
	r.lines("uid_map", func(line []byte) {
		p.UserNamespace = p.UserNamespace || string(bytes.Join(bytes.Fields(line), []byte(" "))) != "0 0 4294967295"
	})
	return nil
}

func capabilities(word []byte, seen int) (uint64, int) {
	n, ok := hex(word)
	if ok {
		seen++
	}
	return n, seen
}
