package filter

// graph is a program as decisions: each tests something and goes on to one of
// two others, always to one that was added before it. So the last is the first
// to run, and there are no loops.
type graph struct {
	nodes []node
}

// node is one decision. onTrue and onFalse index nodes, or are accept or reject.
type node struct {
	test            test
	onTrue, onFalse int
}

const (
	accept = -1
	reject = -2
)

// add builds the decisions of c in front of onTrue and onFalse, and returns
// where they begin.
func (g *graph) add(c cond, onTrue, onFalse int) int {
	switch c := c.(type) {
	case truth:
		if c {
			return onTrue
		}
		return onFalse
	case negation:
		return g.add(c.c, onFalse, onTrue)
	case allOf:
		for i := len(c) - 1; i >= 0; i-- {
			onTrue = g.add(c[i], onTrue, onFalse)
		}
		return onTrue
	case anyOf:
		for i := len(c) - 1; i >= 0; i-- {
			onFalse = g.add(c[i], onTrue, onFalse)
		}
		return onFalse
	}
	if onTrue == onFalse {
		return onTrue // nothing depends on it
	}
	g.nodes = append(g.nodes, node{c.(test), onTrue, onFalse})
	return len(g.nodes) - 1
}

// fact is what is known of a load: that its value is k, or that it is not.
type fact struct {
	load load
	k    uint32
	is   bool
}

// maxFacts bounds what is remembered along a path.
const maxFacts = 24

type facts []fact

// after adds the outcome of t.
func (f facts) after(t test, outcome bool) facts {
	if t.rel != equal || len(f) >= maxFacts {
		return f
	}
	return append(f[:len(f):len(f)], fact{t.load, t.k, outcome})
}

// decides tells the outcome of t, when f decides it.
func (f facts) decides(t test) (outcome, decided bool) {
	for _, x := range f {
		switch {
		case x.load != t.load:
		case x.is:
			return t.rel.holds(x.k, t.k), true
		case t.rel == equal && x.k == t.k:
			return false, true
		}
	}
	return false, false
}

// both returns what f and g have in common.
func (f facts) both(g facts) facts {
	var out facts
	for _, x := range f {
		for _, y := range g {
			if x == y {
				out = append(out, x)
				break
			}
		}
	}
	return out
}

// shorten sends each branch on to where it is not decided yet by the tests on
// the way there, and returns the new beginning.
func (g *graph) shorten(begin int) int {
	known := make([]facts, len(g.nodes))
	reached := make([]bool, len(g.nodes))
	arrive := func(at int, f facts) int {
		for at >= 0 {
			outcome, decided := f.decides(g.nodes[at].test)
			if !decided {
				break
			}
			if outcome {
				at = g.nodes[at].onTrue
			} else {
				at = g.nodes[at].onFalse
			}
		}
		if at >= 0 {
			if reached[at] {
				known[at] = known[at].both(f)
			} else {
				known[at], reached[at] = f, true
			}
		}
		return at
	}
	begin = arrive(begin, nil)
	for i := len(g.nodes) - 1; i >= 0; i-- {
		if n := &g.nodes[i]; reached[i] {
			n.onTrue = arrive(n.onTrue, known[i].after(n.test, true))
			n.onFalse = arrive(n.onFalse, known[i].after(n.test, false))
		}
	}
	return g.drop(begin)
}

// drop takes out decisions on which nothing depends any more, and returns the
// new beginning.
func (g *graph) drop(begin int) int {
	instead := make([]int, len(g.nodes)) // of each node, what to go to
	target := func(at int) int {
		if at < 0 {
			return at
		}
		return instead[at]
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		n.onTrue, n.onFalse = target(n.onTrue), target(n.onFalse)
		if instead[i] = i; n.onTrue == n.onFalse {
			instead[i] = n.onTrue
		}
	}
	return target(begin)
}
