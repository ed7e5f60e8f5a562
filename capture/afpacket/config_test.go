package afpacket

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
)

func TestConfig(t *testing.T) {
	var ok Config
	ok.setDefaults()
	if err := ok.check(); err != nil {
		t.Fatalf("defaults: %v", err)
	}
	if ok.RingBytes != 8<<20 || ok.BlockBytes != 1<<20 || ok.RetireTimeout != 100*time.Millisecond || ok.SnapLen < 512<<10 || ok.HeaderBytes != 192 {
		t.Errorf("defaults %+v", ok)
	}
	for want, change := range map[string]func(*Config){
		"block size":     func(c *Config) { c.BlockBytes = 100 << 10 },
		"block size 327": func(c *Config) { c.BlockBytes = 32 << 10 },
		"ring size":      func(c *Config) { c.RingBytes = 4096 },
		"ring size -":    func(c *Config) { c.RingBytes = -1 },
		"retire timeout": func(c *Config) { c.RetireTimeout = time.Microsecond },
		"snapshot":       func(c *Config) { c.SnapLen = -1 },
		"header length":  func(c *Config) { c.HeaderBytes = c.SnapLen + 1 },
		"no interface":   func(c *Config) { c.Interfaces = []string{""} },
		"1 to 15 bytes":  func(c *Config) { c.Interfaces = []string{"sixteen-letters-"} },
		"named twice":    func(c *Config) { c.Interfaces = []string{"eth0", "eth0"} },
		"more than":      func(c *Config) { c.Interfaces = make([]string, MaxInterfaces+1) },
		"classic BPF":    func(c *Config) { c.Filter = []bpf.RawInstruction{{Op: 0xffff}} },
	} {
		c := ok
		change(&c)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := Open(c); err == nil {
			t.Errorf("%s: Open takes it", want)
		}
	}
}

func TestPermissionErrorText(t *testing.T) {
	cause := errors.New("operation not permitted")
	e := &PermissionError{Op: "open packet socket", Err: cause, Permission: Permission{UID: 65532, Bounding: true, NoNewPrivs: true, Seccomp: 2}}
	const want = "open packet socket: operation not permitted (uid 65532, CAP_NET_RAW in sets bounding, no_new_privs true, seccomp mode 2)"
	if e.Error() != want {
		t.Errorf("got  %s\nwant %s", e, want)
	}
	if err := fmt.Errorf("start: %w", e); !errors.Is(err, ErrNotPermitted) || !errors.Is(err, cause) {
		t.Error("the error does not wrap both")
	}
	if s := (Permission{UID: 5, Unknown: true}).String(); s != "uid 5, capabilities unknown" {
		t.Error(s)
	}
	if s := (Permission{UserNamespace: true}).String(); !strings.Contains(s, "in no capability set") || !strings.HasSuffix(s, ", in a user namespace") {
		t.Error(s)
	}
}

func TestNoteText(t *testing.T) {
	refused := errors.New("cannot allocate memory")
	for want, n := range map[string]Note{
		"ring on lo: 100 bytes were refused (cannot allocate memory), 50 are used": {NoteRingReduced, "lo", 100, 50, refused},
		"interface eth9 does not exist; it is captured as soon as it appears":      {Kind: NoteInterfaceMissing, Interface: "eth9"},
		"interface lo: PACKET_IGNORE_OUTGOING was refused (cannot allocate memory), the filter drops outgoing frames": {
			Kind: NoteOutgoingFiltered, Interface: "lo", Err: refused},
	} {
		if n.String() != want {
			t.Errorf("got  %s\nwant %s", n, want)
		}
	}
}
