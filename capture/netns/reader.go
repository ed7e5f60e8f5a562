package netns

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/wiretell/wiretell/capture"
)

// Options say where to read. The zero value reads the live system.
type Options struct {
	// Proc is the folder that holds net, status, uid_map and cgroup;
	// "/proc/self" when empty.
	Proc string
	// CGroup is where control groups are mounted; "/sys/fs/cgroup" when empty.
	CGroup string
	// NoNetlink leaves out what only netlink tells (state, MTU and addresses of
	// interfaces, backlogs of listeners), for folders that are not this system.
	NoNetlink bool
}

// errNotAsked is why links are not known where there is no netlink to ask.
var errNotAsked = errors.New("netlink was not asked")

// Reader reads the kernel's tables again and again with the same memory.
type Reader struct {
	opt  Options
	open func(name string) (io.ReadCloser, error)
	buf  *bufio.Reader
}

// maxLine is the longest line that is read whole; TcpExt of Linux 6.18 has 2,300 bytes.
const maxLine = 64 << 10

// NewReader returns a Reader.
func NewReader(opt Options) *Reader {
	if opt.Proc == "" {
		opt.Proc = "/proc/self"
	}
	if opt.CGroup == "" {
		opt.CGroup = "/sys/fs/cgroup"
	}
	return &Reader{opt: opt, open: openFile, buf: bufio.NewReaderSize(nil, maxLine)}
}

// part is one thing that Read reads.
type part struct {
	known capture.KernelPart
	read  func(*Reader, *capture.Kernel) error
}

func parts() [10]part {
	return [...]part{
		{capture.KnownSockets, (*Reader).sockets},
		{capture.KnownTCP, (*Reader).snmp},
		{capture.KnownTCPExt, (*Reader).netstat},
		{capture.KnownDevices, (*Reader).devices},
		{capture.KnownLinks, (*Reader).links},
		{capture.KnownUnix, (*Reader).unix},
		{capture.KnownProcess, (*Reader).process},
		{capture.KnownSocketStat, (*Reader).sockstat},
		{capture.KnownPortRange, (*Reader).portRange},
		{0, (*Reader).cgroup}, // sets KnownCPU and KnownMemory itself
	}
}

// Read fills k with what the kernel says now; k.Time is left to the caller. It
// returns an error only when not a single part could be read, and then the
// errors of all: anything less is told by k.Known.
func (r *Reader) Read(k *capture.Kernel) error {
	at := k.Time
	k.Reset()
	k.Time = at
	var errs []error
	for _, p := range parts() {
		if err := p.read(r, k); err != nil {
			errs = append(errs, err)
			continue
		}
		k.Known |= p.known
	}
	if k.Known == 0 {
		return errors.Join(errs...)
	}
	return nil
}

// lines calls yield for each line of a file below Proc, without its newline.
// The line is valid during the call only. A line beyond maxLine is cut.
func (r *Reader) lines(name string, yield func([]byte)) error {
	return r.fileLines(filepath.Join(r.opt.Proc, name), yield)
}

func openFile(name string) (io.ReadCloser, error) { return os.Open(name) }

func (r *Reader) fileLines(name string, yield func([]byte)) error {
	f, err := r.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r.buf.Reset(f)
	for cut := false; ; {
		line, err := r.buf.ReadSlice('\n')
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if len(line) > 0 && !cut {
			yield(line)
		}
		cut = err == bufio.ErrBufferFull
		switch {
		case err == nil || cut:
		case err == io.EOF:
			return nil
		default:
			return err
		}
	}
}
