package diagnosis

import "github.com/wiretell/wiretell/capture"

const moreCPUManifest = "resources:\n  requests:\n    cpu: 200m\n  # no limits.cpu: throttling costs packets\n"

func qualityLeaves() []Leaf {
	return []Leaf{kernelDropsLeaf(), throttledLeaf(), queueLeaf(), lagLeaf(), coverageLeaf(), truncatedLeaf(), gapsLeaf(false), gapsLeaf(true),
		bufferLeaf(), tableLeaf(), givenUpLeaf(), memoryLeaf(), twiceLeaf()}
}

func kernelDropsLeaf() Leaf {
	return Leaf{
		ID: "QUAL-01", Title: "The kernel dropped packets", Class: Quality, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Is the capture whole?", "no"}, {"Who lost packets?", "the kernel, as the ring was full"}},
		Condition:  "the ring's own counters: drops are more than a thousandth of the packets",
		Meaning:    "Packets arrived faster than wiretell took them from the ring. Exchanges may be missing or half.",
		Guard:      "A burst of a few drops stays below the share.",
		Thresholds: []Threshold{{"drops", "packets", 1, 1}, {"share", "percent of the packets", 0.1, 0.1}},
		Raise:      1, Clear: 3, Live: true,
		Evidence: []Key{{Name: "drops", Description: "packets dropped (tp_drops)"}, {Name: "packets", Description: "packets offered to the ring (tp_packets, drops included)"}, {Name: "share", Description: "percent dropped"}, {Name: "freezes", Description: "how often the ring stood full, since the start"}, {Name: "ring_bytes", Description: "size of the ring"}},
		Body:     "The kernel dropped {{drops}} of {{packets packet|packets}} ({{share}} %) on {{interface}} before wiretell could read them: exchanges may be missing or half.",
		Remedy:   Remedy{Summary: "Enlarge the ring, give wiretell more CPU, or filter more tightly.", Command: "wiretell run --ring-mib 64", Manifest: moreCPUManifest},
		check: func(v *view, l *Leaf, emit func(hit)) {
			for i := range v.Snapshot.Source.Rings {
				r := &v.Snapshot.Source.Rings[i]
				drops, packets := v.ring(i)
				if float64(drops) < l.threshold(v, "drops") || 100*ratio(drops, packets) < l.threshold(v, "share") {
					continue
				}
				h := hit{subject: Subject{Interface: r.Name}, evidence: []Evidence{number("drops", drops), number("packets", packets), percent("share", drops, packets),
					number("freezes", r.Freezes), number("ring_bytes", uint64(r.Bytes))}}
				if ratio(drops, packets) >= 0.05 {
					h.sharper, h.severity, h.confidence = true, Error, Certain
				}
				emit(h)
			}
		},
	}
}

func throttledLeaf() Leaf {
	return Leaf{
		ID: "QUAL-02", Title: "wiretell is CPU-throttled", Class: Quality, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Is the capture whole?", "at risk"}, {"Does wiretell get the CPU it needs?", "no"}},
		Condition:  "the control group was throttled in more than a tenth of its periods while packets were dropped or waited",
		Meaning:    "The CPU limit of the container holds wiretell back, and packets wait or are lost meanwhile.",
		Guard:      "Throttling alone does no harm: drops or a lag of more than 100 ms must come with it.",
		Thresholds: []Threshold{{"periods", "periods", 20, 20}, {"share", "percent of the periods", 10, 10}},
		Raise:      1, Clear: 3, Live: true,
		Evidence: []Key{{Name: "throttled", Description: "periods in which the group was held back"}, {Name: "periods", Description: "periods in which it ran"}, {Name: "throttled_seconds", Description: "for how long in all"}, {Name: "drops", Description: "packets dropped meanwhile"}, {Name: "lag_seconds", Description: "greatest age of a packet when it was read"}},
		Body:     "wiretell was CPU-throttled in {{throttled}} of {{periods period|periods}} ({{throttled_seconds}} s), while {{drops packet was|packets were}} dropped and others waited up to {{lag_seconds}} s.",
		Remedy:   Remedy{Summary: "Raise the container's CPU limit, or remove it.", Manifest: moreCPUManifest},
		check: func(v *view, l *Leaf, emit func(hit)) {
			periods, _ := v.grown(capture.KnownCPU, func(k *capture.Kernel) uint64 { return k.CGroup.Periods })
			throttled, _ := v.grown(capture.KnownCPU, func(k *capture.Kernel) uint64 { return k.CGroup.ThrottledPeriods })
			ns, _ := v.grown(capture.KnownCPU, func(k *capture.Kernel) uint64 { return k.CGroup.ThrottledTime })
			drops, _ := v.drops()
			if float64(periods) < l.threshold(v, "periods") || 100*ratio(throttled, periods) < l.threshold(v, "share") || drops == 0 && v.Snapshot.LagMax < 1e8 {
				return
			}
			emit(hit{evidence: []Evidence{number("throttled", throttled), number("periods", periods), seconds("throttled_seconds", float64(ns)/1e9),
				number("drops", drops), seconds("lag_seconds", float64(v.Snapshot.LagMax)/1e9)}})
		},
	}
}

func queueLeaf() Leaf {
	return Leaf{
		ID: "QUAL-03", Title: "Observations were dropped inside wiretell", Class: Quality, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Is the capture whole?", "yes"}, {"Did all observations get to the exporters?", "no, the queue was full"}},
		Condition: "the queue between capture and export was full",
		Meaning:   "The exporters did not keep up with the capture. Counters are complete; spans and events are not.",
		Guard:     "None: wiretell's own count.",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "lost", Description: "observations dropped"}, {Name: "made", Description: "observations made"}, {Name: "share", Description: "percent dropped"}},
		Body:     "wiretell dropped {{lost}} of {{made observation|observations}} ({{share}} %) as its queue was full: counters are complete, spans and events are not.",
		Remedy:   Remedy{Summary: "Give wiretell more CPU, or sample spans.", Command: "OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.1 {{run}}", Manifest: moreCPUManifest},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if lost, made := v.ledger[capture.ObservationsLost], v.ledger[capture.ObservationsMade]; lost > 0 {
				emit(hit{evidence: []Evidence{number("lost", lost), number("made", made), percent("share", lost, made)}})
			}
		},
	}
}

func lagLeaf() Leaf {
	return Leaf{
		ID: "QUAL-04", Title: "Packets wait too long", Class: Quality, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Is the capture whole?", "at risk"}, {"Is it on time?", "no"}},
		Condition:  "a packet was older than a second when it was read",
		Meaning:    "wiretell runs behind; if that goes on the ring fills up and packets are lost.",
		Guard:      "A step of the clock looks alike (CLK-01): where one was seen the leaf is silent.",
		Thresholds: []Threshold{{"lag", "seconds", 1, 1}},
		Raise:      2, Clear: 3, Live: true,
		Evidence: []Key{{Name: "lag_seconds", Description: "greatest age of a packet when it was read, since the last look"}},
		Body:     "Packets waited up to {{lag_seconds}} s before wiretell read them.",
		Remedy:   kernelDropsLeaf().Remedy,
		check: func(v *view, l *Leaf, emit func(hit)) {
			lag := float64(v.Snapshot.LagMax) / 1e9
			if lag >= l.threshold(v, "lag") && less(v.Snapshot.ClockSteps, v.base.ClockSteps) == 0 {
				emit(hit{evidence: []Evidence{seconds("lag_seconds", lag)}})
			}
		},
	}
}

func coverageLeaf() Leaf {
	return Leaf{
		ID: "QUAL-05", Title: "The capture misses packets that the kernel counted", Class: Quality, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Is the capture whole?", "no"}, {"Who lost packets?", "nobody that says so"}},
		Condition:  "Tcp.InSegs grew by more than inbound TCP packets were captured and dropped together",
		Meaning:    "Some packets reach the kernel's TCP without passing the packet socket: a bypass, or an interface that is not captured.",
		Guard:      "Judged only where all interfaces are captured, by a large sample and over two windows. The two figures are not read at the same instant: what may come in between does not count. Interface counters are not used, as GRO makes them incomparable.",
		Thresholds: []Threshold{{"segments", "inbound TCP segments", 1000, 1000}, {"missing", "percent of them", 1, 1}, {"apart", "seconds between the two readings, at most", 0.5, 0.5}},
		Raise:      2, Clear: 2, Live: true,
		Evidence: []Key{{Name: "arrived", Description: "growth of Tcp.InSegs"}, {Name: "captured", Description: "inbound TCP packets captured, and drops"}, {Name: "missing", Description: "percent that is missing"}},
		Body:     "{{missing}} % of the inbound TCP packets never reached the capture socket ({{captured}} of {{arrived}}).",
		Remedy:   Remedy{Summary: "Look for a bypass (XDP, socket maps); capture on all interfaces.", Command: "bpftool net; bpftool prog show; wiretell run   # without --interface"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if !v.cover.known || len(v.Capture.Interfaces) > 0 || v.frames() == 0 { // no frame at all is NONE-02
				return
			}
			if float64(v.cover.arrived) < l.threshold(v, "segments") {
				emit(hit{quiet: true})
				return
			}
			least := l.threshold(v, "missing")
			if v.seconds > 0 {
				least = max(least, 100*l.threshold(v, "apart")/v.seconds)
			}
			if missing := 100 * ratio(less(v.cover.arrived, v.cover.captured), v.cover.arrived); missing > least {
				emit(hit{evidence: []Evidence{number("arrived", v.cover.arrived), number("captured", v.cover.captured), seconds("missing", missing)}})
			}
		},
	}
}

func truncatedLeaf() Leaf {
	return Leaf{
		ID: "QUAL-06", Title: "Frames are cut by the capture", Class: Quality, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Is the capture whole?", "no"}, {"Are frames whole?", "no, cut"}},
		Condition: "frames were longer on the wire than what was captured of them",
		Meaning:   "The snapshot length is shorter than the frames, which may be far larger than the MTU (GRO, BIG TCP: up to 512 KiB). What is cut cannot be parsed.",
		Guard:     "Bodies that are cut do no harm where their length is known: the finding says how many bytes of payload are gone. Where neither TCP payload nor headers are gone (padding, other protocols) it is information. With a filter, what it rejects is cut to its headers on purpose: then only cut payload counts.",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "frames", Description: "frames cut"}, {Name: "bytes", Description: "bytes of TCP payload cut off, on all interfaces"}, {Name: "snaplen", Description: "snapshot length in force, 0 when not known"}},
		Body:     "{{frames frame|frames}}[[ on {{interface}}]] {{frames: was|were}} cut by the capture ({{bytes byte|bytes}} of TCP payload {{bytes: is|are}} gone).",
		Remedy:   Remedy{Summary: "Capture whole frames: 262144 bytes hold any.", Command: "wiretell run --snaplen 262144   # for a file: tcpdump -s 262144 -w FILE"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			// What a filter rejects is cut to its headers on purpose.
			lost := v.ledger[capture.BytesCut] + v.ledger[capture.SegmentCut] + v.ledger[capture.FrameTruncated]
			if v.filtering() && lost == 0 {
				return
			}
			for i, n := range v.Snapshot.Truncated {
				if i < len(v.base.Truncated) {
					n = less(n, v.base.Truncated[i])
				}
				if n == 0 {
					continue
				}
				var s Subject
				if i < len(v.Snapshot.Source.Interfaces) {
					s.Interface = v.Snapshot.Source.Interfaces[i].Name
				}
				h := hit{subject: s, evidence: []Evidence{number("frames", n), number("bytes", v.ledger[capture.BytesCut]), number("snaplen", uint64(max(0, v.Capture.Snaplen)))}}
				if lost == 0 {
					h.sharper, h.severity, h.confidence = true, Info, l.Confidence
				}
				emit(h)
			}
		},
	}
}

// gapsLeaf is QUAL-07, or with drops QUAL-08.
func gapsLeaf(byDrops bool) Leaf {
	l := Leaf{
		ID: "QUAL-07", Title: "Gaps though nothing was dropped", Class: Quality, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Is the capture whole?", "no"}, {"Are there gaps in the streams?", "yes"}, {"Did the kernel drop packets?", "no"}},
		Condition:  "bytes that one side acknowledged were never seen, and the kernel dropped nothing",
		Meaning:    "The bytes did arrive at their receiver, and yet not here: they took another path, or were lost before a copy was made. In a file: the capture itself was not whole.",
		Guard:      "Packets that come out of order fill their gap in time and are not counted. Where the filter selects one half of connections it is DIR-01.",
		Thresholds: []Threshold{{"gaps", "gaps", 3, 1}, {"share", "percent of the bytes", 0.01, 0.01}},
		Raise:      2, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "gaps", Description: "gaps"}, {Name: "bytes", Description: "bytes in them"}, {Name: "seen_bytes", Description: "bytes of TCP payload that were seen"}, {Name: "drops", Description: "packets that the kernel dropped"}},
		Body:     "{{gaps gap|gaps}} ({{bytes byte|bytes}}) in the streams though nothing was dropped here: lost before this capture, or on another path.",
		Remedy:   Remedy{Summary: "Capture on all interfaces and without src or dst in the filter; look for asymmetric paths and loss on the way.", Command: "nstat -az TcpRetransSegs TcpExtTCPLostRetransmit; wiretell run   # without --interface and --filter"},
	}
	if byDrops {
		l.ID, l.Title, l.Confidence = "QUAL-08", "Gaps by capture drops", Likely
		l.Path[2].Answer = "yes"
		l.Condition = "bytes that one side acknowledged were never seen, and the kernel dropped packets"
		l.Meaning = "The gaps are the capture's own: packets were dropped before wiretell could read them."
		l.Guard = "Some of the gaps may have another cause; the share of drops says how likely that is."
		l.Body = "{{gaps gap|gaps}} ({{bytes byte|bytes}}) in the streams, caused by {{drops packet|packets}} that the kernel dropped."
		l.Remedy = kernelDropsLeaf().Remedy
		l.Raise, l.File = 1, false
	}
	l.check = func(v *view, l *Leaf, emit func(hit)) {
		drops, _ := v.drops()
		n := v.ledger[capture.Gaps]
		lost, seen := v.ledger[capture.GapBytes], v.ledger[capture.BytesSeen]
		for i := range v.ports {
			if p := &v.ports[i]; p.Gaps > 0 {
				if _, _, half := v.halved(p); half { // DIR-01
					n, lost = less(n, p.Gaps), less(lost, p.GapBytes)
				}
			}
		}
		if float64(n) >= l.threshold(v, "gaps") && 100*ratio(lost, lost+seen) >= l.threshold(v, "share") && (drops > 0) == byDrops {
			emit(hit{evidence: []Evidence{number("gaps", n), number("bytes", lost), number("seen_bytes", seen), number("drops", drops)}})
		}
	}
	return l
}

func bufferLeaf() Leaf {
	return Leaf{
		ID: "QUAL-09", Title: "The reassembly memory is full", Class: Quality, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Is the capture whole?", "yes"}, {"Was there room to put it in order?", "no"}},
		Condition: "segments were refused for lack of room",
		Meaning:   "More bytes arrived out of order than may be kept, so that some were let go and streams have holes.",
		Guard:     "A SYN flood fills the table, not this memory (QUAL-10).",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "segments", Description: "segments refused"}, {Name: "bytes", Description: "bytes in them"}},
		Body:     "Reassembly memory is full: {{segments segment|segments}} ({{bytes byte|bytes}}) {{segments: was|were}} refused.",
		Remedy:   Remedy{Summary: "Raise the reassembly budget and with it the memory limit.", Command: "{{run}} --reassembly-memory 33554432   # bytes", Manifest: "resources:\n  limits:\n    memory: 256Mi\n"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if n := v.ledger[capture.SegmentRefused]; n > 0 {
				emit(hit{evidence: []Evidence{number("segments", n), number("bytes", v.ledger[capture.BytesRefused])}})
			}
		},
	}
}

func tableLeaf() Leaf {
	return Leaf{
		ID: "QUAL-10", Title: "The connection table is full", Class: Quality, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Is the capture whole?", "yes"}, {"Was there room to follow every connection?", "no"}},
		Condition: "connections were evicted as the table was full",
		Meaning:   "There are more connections at once than wiretell follows, so that the ones idle for longest were let go.",
		Guard:     "A SYN flood or a scan fills the table with connections that nobody misses: compare with failed connects.",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "evicted", Description: "connections evicted"}, {Name: "failed", Description: "connections that were never established meanwhile"}},
		Body:     "The connection table is full: {{evicted connection was|connections were}} evicted ({{failed other|others}} never got established).",
		Remedy:   Remedy{Summary: "Let the table be larger, and give wiretell the memory for it (384 bytes each).", Command: "{{run}} --max-connections 262144", Manifest: "resources:\n  limits:\n    memory: 256Mi\n"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if n := v.ledger[capture.ConnsEvicted]; n > 0 {
				emit(hit{evidence: []Evidence{number("evicted", n), number("failed", v.ledger[capture.ConnsFailed])}})
			}
		},
	}
}

func givenUpLeaf() Leaf {
	return Leaf{
		ID: "QUAL-11", Title: "Exchanges were given up for silence", Class: Quality, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Is the capture whole?", "yes"}, {"Did every exchange end by itself?", "no, some fell silent"}},
		Condition:  "responses began, and then nothing came for as long as a silent connection is followed",
		Meaning:    "wiretell lets a connection go that has been silent for long, and closes its span as unfinished. What comes later is taken for a connection joined midway.",
		Guard:      "Long polling and streams of events are silent on purpose: for information only. Requests that got no answer at all are DIR-02.",
		Thresholds: []Threshold{{"exchanges", "exchanges", 3, 1}},
		Raise:      1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "exchanges", Description: "exchanges given up in the middle of the response"}},
		Body:     "{{exchanges exchange|exchanges}} on port {{port}}[[ ({{direction}})]] fell silent in the middle of the response and {{exchanges: was|were}} closed as unfinished.",
		Remedy:   Remedy{Summary: "If that is how the application works follow silent connections for longer.", Command: "{{run}} --idle-timeout 1h"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			if float64(p.did[stalled]) < l.threshold(v, "exchanges") {
				return nil, absent
			}
			return []Evidence{number("exchanges", p.did[stalled])}, holds
		}),
	}
}

func memoryLeaf() Leaf {
	return Leaf{
		ID: "QUAL-12", Title: "The memory limit is near", Class: Quality, Severity: Warning, Confidence: Possible,
		Path:       []Step{{"Is the capture whole?", "at risk"}, {"Is there memory?", "little"}},
		Condition:  "the control group uses more than 85 % of its memory limit",
		Meaning:    "The kernel may end wiretell for lack of memory.",
		Guard:      "The figure includes page cache, which the kernel gives back: only possible.",
		Thresholds: []Threshold{{"share", "percent of the limit", 85, 85}},
		Raise:      2, Clear: 3, Live: true, Blind: true,
		Evidence: []Key{{Name: "bytes", Description: "memory in use"}, {Name: "limit_bytes", Description: "the limit"}, {Name: "share", Description: "percent of it"}},
		Body:     "wiretell's control group uses {{bytes}} of {{limit_bytes byte|bytes}} ({{share}} %).",
		Remedy:   Remedy{Summary: "Raise the memory limit, or lower wiretell's budgets.", Command: "wiretell run --reassembly-memory 2097152 --queue-bytes 4194304 --max-connections 16384", Manifest: "resources:\n  limits:\n    memory: 256Mi\n"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownMemory) {
				return
			}
			if c := v.Kernel.CGroup; c.MemoryMax > 0 && 100*ratio(c.MemoryCurrent, c.MemoryMax) >= l.threshold(v, "share") {
				emit(hit{evidence: []Evidence{number("bytes", c.MemoryCurrent), number("limit_bytes", c.MemoryMax), percent("share", c.MemoryCurrent, c.MemoryMax)}})
			}
		},
	}
}

// maxTwice is the percentage of duplicates above which packets are held to be
// captured twice: no network sends every third segment again.
const maxTwice = 33

// twice reports whether most segments are seen twice, and how many were.
func (v *view) twice() (seen bool, duplicates uint64) {
	l := &v.ledger
	duplicates = l[capture.SegmentDuplicate]
	all := duplicates + l[capture.SegmentInOrder] + l[capture.SegmentDelayed] + l[capture.SegmentOverlap] + l[capture.SegmentLate]
	if duplicates < 100 || 100*ratio(duplicates, all) < maxTwice {
		return false, duplicates
	}
	if kernel, known := v.grown(capture.KnownTCP, func(k *capture.Kernel) uint64 { return k.TCP.RetransSegs }); known && kernel*2 > duplicates {
		return false, duplicates // they were sent again
	}
	return true, duplicates
}

func twiceLeaf() Leaf {
	return Leaf{
		ID: "QUAL-13", Title: "Packets are seen twice", Class: Quality, Severity: Info, Confidence: Likely,
		Path:       []Step{{"Is the capture whole?", "more than whole: packets are seen twice"}},
		Condition:  "segments have the IP identification and timestamps of one before, and follow it at once; or a third and more of the TCP segments with payload were seen before, while the kernel sent few of them again",
		Meaning:    "The same packet passes several captured interfaces, as a bridge and its ends. Exchanges are counted once, as a byte is only taken once; packets and bytes of interfaces are counted on each.",
		Guard:      "Segments that are sent again have an identification of their own, and are told apart by it. Where it is not known they look alike: then the kernel's own count of those is set against it, and no network loses this many.",
		Thresholds: []Threshold{{"copies", "segments proved to be captured before", 10, 3}, {"segments", "segments seen before", 100, 100}, {"share", "percent of the segments with payload", maxTwice, maxTwice}},
		Raise:      2, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "duplicates", Description: "segments seen before"}, {Name: "copies", Description: "segments, with payload or without, that are proved to be captured before"}, {Name: "interfaces", Description: "interfaces with frames"}},
		Body:     "{{duplicates segment was|segments were}} captured more than once, on {{interfaces interface|interfaces}}: exchanges are counted once.",
		Remedy:   Remedy{Summary: "Nothing is lost; capturing on one interface of the way spares the work.", Command: "ip -brief link   # then: --interface NAME"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			seen, n := v.twice()
			copies := uint64(0)
			for d := range v.Snapshot.TCP.Ignored {
				copies += less(v.Snapshot.TCP.Ignored[d][capture.IgnoredCopy], v.base.TCP.Ignored[d][capture.IgnoredCopy])
			}
			proved := float64(copies) >= l.threshold(v, "copies")
			if !seen && !proved {
				return
			}
			interfaces := uint64(0)
			for i := range v.Snapshot.Interfaces {
				for d := range v.Snapshot.Interfaces[i] {
					if v.Snapshot.Interfaces[i][d][capture.TCP] != [capture.NumNetworks]capture.Tally{} {
						interfaces++
						break
					}
				}
			}
			h := hit{evidence: []Evidence{number("duplicates", max(n, copies)), number("copies", copies), number("interfaces", interfaces)}}
			if proved {
				h.sharper, h.severity, h.confidence = true, l.Severity, Certain
			}
			emit(h)
		},
	}
}
