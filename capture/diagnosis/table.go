package diagnosis

import "slices"

// table remembers a bounded number of things that are counted, by key.
type table[K comparable, V any] struct {
	limit int
	byKey map[K]*counted[K, V]
	order []*counted[K, V] // of first sight
}

// counted is one of them.
type counted[K comparable, V any] struct {
	key         K
	total, base uint64 // since the start; at the beginning of the window
	idle        int    // windows without one
	last        V      // what is known of it
}

func newTable[K comparable, V any](limit int) table[K, V] {
	return table[K, V]{limit: limit, byKey: make(map[K]*counted[K, V])}
}

// count adds one to the entry of k, making it when it is new; nil when there is
// no room.
func (t *table[K, V]) count(k K) *counted[K, V] {
	e := t.byKey[k]
	if e == nil {
		if len(t.order) >= t.limit {
			return nil
		}
		e = &counted[K, V]{key: k}
		t.byKey[k] = e
		t.order = append(t.order, e)
	}
	e.total++
	e.idle = 0
	return e
}

// endWindow makes what was counted the base of the next window, and forgets
// what has not been seen for quiet windows.
func (t *table[K, V]) endWindow(quiet int) {
	t.order = slices.DeleteFunc(t.order, func(e *counted[K, V]) bool {
		e.base = e.total
		if e.idle++; e.idle <= quiet {
			return false
		}
		delete(t.byKey, e.key)
		return true
	})
}

// in returns how often e happened in the span.
func (e *counted[K, V]) in(v *view) uint64 {
	if v.final {
		return e.total
	}
	return e.total - e.base
}
