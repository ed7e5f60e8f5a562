package diagnosis

func clockStepLeaf() Leaf {
	return Leaf{
		ID: "CLK-01", Title: "The clock stepped back", Class: Export, Severity: Warning, Confidence: Likely,
		Path:      []Step{{"Do the times fit?", "no"}},
		Condition: "packets were stamped more than a second before the packet before them",
		Meaning:   "The clock was set back, or a file holds packets out of order. Durations across the step are wrong.",
		Guard:     "Small disorder between interfaces is below a second and is not counted.",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "steps", Description: "packets stamped before the one before them"}},
		Body:     "The capture's clock stepped back {{steps time|times}}; durations across a step are wrong.",
		Remedy:   Remedy{Summary: "Check time synchronisation of the node; put the packets of a file in order.", Command: "chronyc tracking; reordercap FILE ORDERED.pcap"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if n := less(v.Snapshot.ClockSteps, v.base.ClockSteps); n > 0 {
				emit(hit{evidence: []Evidence{number("steps", n)}})
			}
		},
	}
}

func clockSkewLeaf() Leaf {
	return Leaf{
		ID: "CLK-02", Title: "The clock differs from the collector's", Class: Export, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do the times fit?", "not those of the collector"}},
		Condition:  "the Date field of a collector's response over HTTP is more than two seconds from this clock",
		Meaning:    "One of the two clocks is wrong. Spans of this pod do not line up with those of others, and may be refused as too old.",
		Guard:      "Date counts whole seconds: half a second is taken off. A response that a cache kept (it has Age) does not count.",
		Thresholds: []Threshold{{"skew", "seconds", 2, 2}},
		Raise:      1, Clear: 2, Live: true, Blind: true,
		Evidence: []Key{{Name: "skew_seconds", Description: "how far the two clocks are apart"}, {Name: "side", Description: "whether the collector's is ahead or behind"}, {Name: "endpoint", Description: "the collector"}},
		Body:     "The clocks of the collector[[ ({{endpoint}})]] and of this machine are {{skew_seconds}} s apart, the collector's is {{side}}: traces will not line up.",
		Remedy:   Remedy{Summary: "Check time synchronisation of both nodes.", Command: "chronyc tracking; date -u"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			var worst *exportView
			for i := range v.exports {
				if e := &v.exports[i]; worst == nil || e.ClockSkew.Abs() > worst.ClockSkew.Abs() {
					worst = e
				}
			}
			if worst != nil && worst.ClockSkew.Abs().Seconds() > l.threshold(v, "skew") {
				side := "ahead"
				if worst.ClockSkew < 0 {
					side = "behind"
				}
				emit(hit{evidence: []Evidence{seconds("skew_seconds", worst.ClockSkew.Abs().Seconds()), text("side", side), text("endpoint", worst.Endpoint)}})
			}
		},
	}
}
