package netns

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

// noLimit is how large a version 1 limit must be to mean none: the kernel
// writes the greatest multiple of the page size below 2^63.
const noLimit = 1 << 62

// cgroup reads CPU throttling and memory of the control group this process is
// in (Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/).
func (r *Reader) cgroup(k *capture.Kernel) error {
	groups := r.groups()
	// Hybrid systems mount version 2 too, without the controllers: the first
	// that has the file wins.
	c := &k.CGroup
	for _, dir := range groups.unified {
		if r.group(dir, "cpu.stat", []counter{{"nr_periods", &c.Periods}, {"nr_throttled", &c.ThrottledPeriods}, {"throttled_usec", &c.ThrottledTime}}) {
			c.ThrottledTime *= 1000
			c.Version = 2
			k.Known |= capture.KnownCPU
			break
		}
	}
	for _, dir := range groups.unified {
		if n, ok := r.number(filepath.Join(dir, "memory.current")); ok {
			c.MemoryCurrent, c.Version = n, 2
			c.MemoryMax, _ = r.number(filepath.Join(dir, "memory.max")) // "max" when there is none
			r.group(dir, "memory.events", []counter{{"high", &c.MemoryHigh}, {"oom", &c.MemoryOOM}})
			k.Known |= capture.KnownMemory
			break
		}
	}
	if k.Known&capture.KnownCPU == 0 || c.Periods == 0 && c.Version == 2 {
		var v1 capture.CGroupFacts
		for _, dir := range groups.cpu {
			if r.group(dir, "cpu.stat", []counter{{"nr_periods", &v1.Periods}, {"nr_throttled", &v1.ThrottledPeriods}, {"throttled_time", &v1.ThrottledTime}}) {
				c.Periods, c.ThrottledPeriods, c.ThrottledTime, c.Version = v1.Periods, v1.ThrottledPeriods, v1.ThrottledTime, 1
				k.Known |= capture.KnownCPU
				break
			}
		}
	}
	for _, dir := range groups.memory {
		if k.Known&capture.KnownMemory != 0 {
			break
		}
		if n, ok := r.number(filepath.Join(dir, "memory.usage_in_bytes")); ok {
			c.MemoryCurrent, c.Version = n, 1
			if n, ok := r.number(filepath.Join(dir, "memory.limit_in_bytes")); ok && n < noLimit {
				c.MemoryMax = n
			}
			k.Known |= capture.KnownMemory
		}
	}
	if k.Known&(capture.KnownCPU|capture.KnownMemory) == 0 {
		return errors.New("read control group: neither cpu.stat nor memory of version 1 or 2")
	}
	return nil
}

// folders are where to look, best first.
type folders struct{ unified, cpu, memory []string }

// groups reads /proc/self/cgroup, lines of ID:CONTROLLERS:PATH. Inside a
// container the path may be the host's while the container's own group is
// mounted at the top, so that the top is the second place to look.
func (r *Reader) groups() folders {
	var f folders
	add := func(to *[]string, mount, path string) {
		root := filepath.Join(r.opt.CGroup, mount)
		*to = append(*to, filepath.Join(root, path), root)
	}
	r.lines("cgroup", func(line []byte) {
		parts := strings.SplitN(string(line), ":", 3)
		if len(parts) != 3 {
			return
		}
		if parts[1] == "" {
			add(&f.unified, "", parts[2])
			add(&f.unified, "unified", parts[2])
			return
		}
		for _, c := range strings.Split(parts[1], ",") {
			switch c {
			case "cpu":
				add(&f.cpu, parts[1], parts[2])
				add(&f.cpu, "cpu", parts[2])
			case "memory":
				add(&f.memory, parts[1], parts[2])
			}
		}
	})
	return f
}

func (r *Reader) group(dir, name string, want []counter) bool {
	return r.fileLines(filepath.Join(dir, name), func(line []byte) { addPair(line, want) }) == nil
}

func (r *Reader) number(name string) (uint64, bool) {
	n, ok := uint64(0), false
	r.fileLines(name, func(line []byte) {
		word, _ := field(line)
		n, ok = decimal(word)
	})
	return n, ok
}
