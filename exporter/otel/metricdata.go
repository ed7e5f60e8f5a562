package otel

import (
	"cmp"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

// metricsOut is one batch of metrics and how many data points it holds.
type metricsOut struct {
	metricBatch
	points int
}

// converter turns what the SDK collected into pdata. The data points of a
// metric are put in the order of their attributes, as the SDK has none.
type converter struct {
	version    string
	start, now capture.Time // when set, in place of the SDK's clock
}

// convert returns batches of about maxBatchBytes at most; a metric is not split.
func (c *converter) convert(rm *metricdata.ResourceMetrics, res resource) []metricsOut {
	var out []metricsOut
	var dst pmetric.MetricSlice
	size := maxBatchBytes
	sizer := new(pmetric.ProtoMarshaler)
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			converted := pmetric.NewMetric()
			points := c.metric(converted, &m)
			if points == 0 {
				continue
			}
			n := sizer.MetricSize(converted)
			if size+n > maxBatchBytes {
				b := metricsOut{metricBatch: metricBatch{pmetric.NewMetrics()}}
				dst = c.begin(b.Metrics, res)
				out = append(out, b)
				size = 0
			}
			converted.MoveTo(dst.AppendEmpty())
			out[len(out)-1].points += points
			size += n
		}
	}
	return out
}

func (c *converter) begin(md pmetric.Metrics, res resource) pmetric.MetricSlice {
	rm := md.ResourceMetrics().AppendEmpty()
	res.put(rm.Resource().Attributes())
	rm.SetSchemaUrl(semconv.SchemaURL)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(semconv.Scope)
	sm.Scope().SetVersion(c.version)
	sm.SetSchemaUrl(semconv.SchemaURL)
	return sm.Metrics()
}

// metric fills in dst and returns the number of data points.
func (c *converter) metric(dst pmetric.Metric, m *metricdata.Metrics) int {
	dst.SetName(m.Name)
	dst.SetUnit(m.Unit)
	dst.SetDescription(m.Description)
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		sum := dst.SetEmptySum()
		sum.SetIsMonotonic(data.IsMonotonic)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		numbers(c, sum.DataPoints(), data.DataPoints, pmetric.NumberDataPoint.SetIntValue)
		return len(data.DataPoints)
	case metricdata.Sum[float64]:
		sum := dst.SetEmptySum()
		sum.SetIsMonotonic(data.IsMonotonic)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		numbers(c, sum.DataPoints(), data.DataPoints, pmetric.NumberDataPoint.SetDoubleValue)
		return len(data.DataPoints)
	case metricdata.Gauge[int64]:
		numbers(c, dst.SetEmptyGauge().DataPoints(), data.DataPoints, pmetric.NumberDataPoint.SetIntValue)
		return len(data.DataPoints)
	case metricdata.Gauge[float64]:
		numbers(c, dst.SetEmptyGauge().DataPoints(), data.DataPoints, pmetric.NumberDataPoint.SetDoubleValue)
		return len(data.DataPoints)
	case metricdata.Histogram[int64]:
		return histogram(c, dst.SetEmptyHistogram(), data)
	case metricdata.Histogram[float64]:
		return histogram(c, dst.SetEmptyHistogram(), data)
	}
	// No instrument of the table gives anything else.
	return 0
}

func numbers[N int64 | float64](c *converter, dst pmetric.NumberDataPointSlice, points []metricdata.DataPoint[N], set func(pmetric.NumberDataPoint, N)) {
	order(points, func(p *metricdata.DataPoint[N]) *attribute.Set { return &p.Attributes })
	dst.EnsureCapacity(len(points))
	for i := range points {
		p := dst.AppendEmpty()
		start, now := c.times(points[i].StartTime, points[i].Time)
		p.SetStartTimestamp(start)
		p.SetTimestamp(now)
		set(p, points[i].Value)
		putSet(p.Attributes(), &points[i].Attributes)
	}
}

func histogram[N int64 | float64](c *converter, dst pmetric.Histogram, h metricdata.Histogram[N]) int {
	dst.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	order(h.DataPoints, func(p *metricdata.HistogramDataPoint[N]) *attribute.Set { return &p.Attributes })
	dst.DataPoints().EnsureCapacity(len(h.DataPoints))
	for i := range h.DataPoints {
		from := &h.DataPoints[i]
		p := dst.DataPoints().AppendEmpty()
		start, now := c.times(from.StartTime, from.Time)
		p.SetStartTimestamp(start)
		p.SetTimestamp(now)
		p.SetCount(from.Count)
		p.SetSum(float64(from.Sum))
		if v, ok := from.Min.Value(); ok {
			p.SetMin(float64(v))
		}
		if v, ok := from.Max.Value(); ok {
			p.SetMax(float64(v))
		}
		p.ExplicitBounds().FromRaw(from.Bounds)
		p.BucketCounts().FromRaw(from.BucketCounts)
		putSet(p.Attributes(), &from.Attributes)
	}
	return len(h.DataPoints)
}

func (c *converter) times(start, now time.Time) (pcommon.Timestamp, pcommon.Timestamp) {
	if c.now != 0 {
		return pcommon.Timestamp(c.start), pcommon.Timestamp(c.now)
	}
	if start.IsZero() {
		return 0, pcommon.NewTimestampFromTime(now)
	}
	return pcommon.NewTimestampFromTime(start), pcommon.NewTimestampFromTime(now)
}

// order sorts points by their attributes.
func order[P any](points []P, set func(*P) *attribute.Set) {
	type keyed struct {
		key   string
		point P
	}
	ks := make([]keyed, len(points))
	for i := range points {
		ks[i] = keyed{set(&points[i]).Encoded(attribute.DefaultEncoder()), points[i]}
	}
	slices.SortFunc(ks, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	for i := range ks {
		points[i] = ks[i].point
	}
}

func putSet(dst pcommon.Map, set *attribute.Set) {
	dst.EnsureCapacity(set.Len())
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		switch kv.Value.Type() {
		case attribute.INT64:
			dst.PutInt(string(kv.Key), kv.Value.AsInt64())
		case attribute.BOOL:
			dst.PutBool(string(kv.Key), kv.Value.AsBool())
		case attribute.FLOAT64:
			dst.PutDouble(string(kv.Key), kv.Value.AsFloat64())
		default:
			dst.PutStr(string(kv.Key), kv.Value.String())
		}
	}
}
