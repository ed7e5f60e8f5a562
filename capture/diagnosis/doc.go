// Package diagnosis says why nothing, little, or the wrong thing was seen: a
// tree of questions whose leaves are values (see [Leaf]), evaluated again and
// again over what was counted, so that the answer is there before anybody asks.
//
// # Data flow
//
//	capture.Observation           -> Tree.Observe
//	Input{Snapshot, Kernel, ...}  -> Tree.Tick -> []Finding (raised, changed, cleared, holding)
//	Input at the end              -> Tree.Final -> []Finding (all that holds) -> Summary
//
// Every leaf is evaluated by server port and direction, never by totals alone,
// so that a health check that works does not hide a port that is encrypted, and
// several leaves may hold at once. A leaf looks at one window (what was counted
// since the last one ended), is raised after as many windows as it says, and is
// cleared after as many without it. A window that proves nothing either way (no
// traffic on the port) moves neither count.
//
// # Concurrency
//
// A [Tree] belongs to one goroutine. It knows no clock: time is handed in.
//
// # Limitations
//
// What the tree remembers is bounded: ports by the spine's own table, peers,
// names and subjects by the constants of this package. What is beyond is counted
// and said (CARD-01). An inference is never more than its evidence: each finding
// says how sure it is, and which quality findings weaken it.
package diagnosis
