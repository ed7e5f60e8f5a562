package otel

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/wiretell/wiretell/semconv"
)

// Spans are encoded straight into OTLP's protobuf form, field by field in the
// order of their numbers: that costs a fraction of building objects first, and
// allocates nothing. A test holds the bytes equal to those of the protocol's own
// generated code.

// Field numbers of opentelemetry/proto/trace/v1/trace.proto.
const (
	fieldResourceSpans protowire.Number = 1 // of TracesData

	fieldResource   protowire.Number = 1 // of ResourceSpans
	fieldScopeSpans protowire.Number = 2
	fieldSchemaURL  protowire.Number = 3 // also of ScopeSpans

	fieldScope protowire.Number = 1 // of ScopeSpans
	fieldSpans protowire.Number = 2

	fieldTraceID      protowire.Number = 1 // of Span
	fieldSpanID       protowire.Number = 2
	fieldTraceState   protowire.Number = 3
	fieldParentSpanID protowire.Number = 4
	fieldName         protowire.Number = 5
	fieldKind         protowire.Number = 6
	fieldStart        protowire.Number = 7
	fieldEnd          protowire.Number = 8
	fieldAttributes   protowire.Number = 9
	fieldLinks        protowire.Number = 13
	fieldStatus       protowire.Number = 15
	fieldFlags        protowire.Number = 16

	fieldStatusCode protowire.Number = 3 // of Status

	fieldLinkTraceID protowire.Number = 1 // of Link
	fieldLinkSpanID  protowire.Number = 2
	fieldLinkFlags   protowire.Number = 6
)

// Field numbers of opentelemetry/proto/common/v1 and resource/v1.
const (
	fieldKey    protowire.Number = 1 // of KeyValue
	fieldValue  protowire.Number = 2
	fieldString protowire.Number = 1 // of AnyValue
	fieldBool   protowire.Number = 2
	fieldInt    protowire.Number = 3
	fieldDouble protowire.Number = 4
	fieldArray  protowire.Number = 5
	fieldValues protowire.Number = 1 // of ArrayValue

	fieldResourceAttributes protowire.Number = 1 // of Resource
	fieldScopeName          protowire.Number = 1 // of InstrumentationScope
	fieldScopeVersion       protowire.Number = 2
)

// The values of Status.code and Span.kind that are used.
const (
	statusError  = 2
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
)

// encoder appends protobuf fields to b.
type encoder struct{ b []byte }

func (e *encoder) tag(n protowire.Number, t protowire.Type) {
	if n < 16 {
		e.b = append(e.b, byte(n)<<3|byte(t))
		return
	}
	e.b = protowire.AppendTag(e.b, n, t)
}

func (e *encoder) varint(n protowire.Number, v uint64) {
	e.tag(n, protowire.VarintType)
	e.b = protowire.AppendVarint(e.b, v)
}

func (e *encoder) fixed64(n protowire.Number, v uint64) {
	e.tag(n, protowire.Fixed64Type)
	e.b = binary.LittleEndian.AppendUint64(e.b, v)
}

func (e *encoder) fixed32(n protowire.Number, v uint32) {
	e.tag(n, protowire.Fixed32Type)
	e.b = binary.LittleEndian.AppendUint32(e.b, v)
}

func (e *encoder) bytes(n protowire.Number, v []byte) {
	e.length(n, len(v))
	e.b = append(e.b, v...)
}

func (e *encoder) text(n protowire.Number, v string) {
	e.length(n, len(v))
	e.b = append(e.b, v...)
}

// length begins a field of size bytes, which the caller appends.
func (e *encoder) length(n protowire.Number, size int) {
	e.tag(n, protowire.BytesType)
	if size < 0x80 {
		e.b = append(e.b, byte(size))
		return
	}
	e.b = protowire.AppendVarint(e.b, uint64(size))
}

// sized returns the size of a field of n bytes with a one-byte tag.
func sized(n int) int { return 1 + protowire.SizeBytes(n) }

// key begins an attribute whose AnyValue has size bytes; the caller appends it.
func (e *encoder) key(k string, size int) {
	e.length(fieldAttributes, sized(len(k))+sized(size))
	e.text(fieldKey, k)
	e.length(fieldValue, size)
}

// str puts a text attribute, none when v is empty.
func (e *encoder) str(k, v string) {
	if v == "" {
		return
	}
	e.key(k, sized(len(v)))
	e.text(fieldString, v)
}

func (e *encoder) int(k string, v int64) {
	e.key(k, 1+protowire.SizeVarint(uint64(v)))
	e.varint(fieldInt, uint64(v))
}

func (e *encoder) double(k string, v float64) {
	e.key(k, 9)
	e.fixed64(fieldDouble, math.Float64bits(v))
}

func (e *encoder) bool(k string, v bool) {
	e.key(k, 2)
	e.varint(fieldBool, protowire.EncodeBool(v))
}

func (e *encoder) strs(k string, vs []string) {
	size := 0
	for _, v := range vs {
		size += sized(sized(len(v)))
	}
	e.key(k, sized(size))
	e.length(fieldArray, size)
	for _, v := range vs {
		e.length(fieldValues, sized(len(v)))
		e.text(fieldString, v)
	}
}

// spanFrame is what stands around the spans of every batch.
type spanFrame struct {
	resource, scope, schema []byte // whole fields
}

func newSpanFrame(r *resources) *spanFrame {
	var attributes, resource, scope, inner, schema encoder
	for _, kv := range r.traffic {
		var pair encoder
		pair.text(fieldKey, kv.Key)
		pair.length(fieldValue, sized(len(kv.Value)))
		pair.text(fieldString, kv.Value)
		attributes.bytes(fieldResourceAttributes, pair.b)
	}
	resource.bytes(fieldResource, attributes.b)
	inner.text(fieldScopeName, semconv.Scope)
	inner.text(fieldScopeVersion, r.version)
	scope.bytes(fieldScope, inner.b)
	schema.text(fieldSchemaURL, semconv.SchemaURL)
	return &spanFrame{resource.b, scope.b, schema.b}
}

// around returns a TracesData of the given span fields.
func (f *spanFrame) around(spans []byte) []byte {
	scope := len(f.scope) + len(spans) + len(f.schema)
	resource := len(f.resource) + sized(scope) + len(f.schema)
	e := encoder{make([]byte, 0, sized(resource))}
	e.length(fieldResourceSpans, resource)
	e.b = append(e.b, f.resource...)
	e.length(fieldScopeSpans, scope)
	e.b = append(e.b, f.scope...)
	e.b = append(e.b, spans...)
	e.b = append(e.b, f.schema...)
	e.b = append(e.b, f.schema...)
	return e.b
}
