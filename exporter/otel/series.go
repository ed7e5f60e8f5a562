package otel

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/wiretell/wiretell/semconv"
)

// Bounds of what anybody on the network can make many of, for each table of
// series.
const (
	maxSeriesAddresses = 200 // server.address and server.port of a request
	maxSeriesPorts     = 256 // server.port of a connection
)

// seriesAddress is a server that requests were for; of the observed
// server the port alone.
type seriesAddress struct {
	scheme, host string
	port         uint16
}

// optionCache holds the options of each series, so that recording builds
// nothing. Addresses and ports beyond their bounds fold into a series without
// them, so that a flood of hosts costs the hosts and not the errors. Beyond the
// bound of series one stands for the rest. Every recording in a folded series is
// counted.
type optionCache struct {
	limit     int
	options   map[seriesKey][]metric.RecordOption
	addresses map[seriesAddress]struct{}
	overflow  []metric.RecordOption
	folds     *atomic.Uint64
}

func newOptionCache(limit int, folds *atomic.Uint64) optionCache {
	return optionCache{
		limit: limit, options: make(map[seriesKey][]metric.RecordOption), addresses: make(map[seriesAddress]struct{}),
		overflow: recordOptions(attribute.Bool(semconv.OTelMetricOverflow, true)), folds: folds,
	}
}

func recordOptions(kvs ...attribute.KeyValue) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(kvs...))}
}

func (c *optionCache) get(k seriesKey, make func(seriesKey) []attribute.KeyValue) []metric.RecordOption {
	if o, ok := c.options[k]; ok {
		return o
	}
	// A quarter of the series is kept for folded ones.
	if len(c.options) >= c.limit-c.limit/4 || !c.knows(seriesAddress{k.scheme, k.host, k.port}) {
		k.host, k.port, k.scheme, k.folded = "", 0, "", true
		c.folds.Add(1)
		if o, ok := c.options[k]; ok {
			return o
		}
		// The SDK keeps one series of its limit for the overflow.
		if len(c.options) >= c.limit-1 {
			return c.overflow
		}
	}
	o := recordOptions(make(k)...)
	c.options[k] = o
	return o
}

// knows reports whether series may name a.
func (c *optionCache) knows(a seriesAddress) bool {
	if _, ok := c.addresses[a]; ok {
		return true
	}
	limit := maxSeriesAddresses
	if a.host == "" {
		limit = maxSeriesPorts
	}
	if len(c.addresses) >= limit {
		return false
	}
	c.addresses[a] = struct{}{}
	return true
}
