// Package tls says what can be said of a connection that speaks TLS without
// reading it: that it is TLS, the server name, the application protocols and
// the version of its hellos, and the alerts that are not encrypted. It is
// written from RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2, and appendix E.2 for the
// version 2 hello), RFC 6066 (server name), RFC 7301 (ALPN) and RFC 9849
// (encrypted client hello).
//
// # Data flow
//
// [Detect] looks at the first bytes of a side. [Pool.Open] makes the
// [capture.Handler] of a connection. It walks record headers; the handshake
// messages inside run through a parser that passes over everything except
// three extensions, so that a hello may be split over any number of records
// and segments and no more than one extension is ever kept. Once a side is
// encrypted, a segment costs two additions. [Chain] finds TLS in the middle of
// a connection, without keeping bytes.
//
// # Concurrency
//
// A Pool and all that it opens belong to one goroutine.
//
// # Limitations
//
// A hello of which a part was not captured is not reported. TLS begun within
// another protocol (STARTTLS) is not looked for. A real encrypted client hello
// and the random bytes that clients send in its place look the same (RFC 9849,
// section 6.2): TLSHello.ECH says only that the extension was there, and the
// server name is then the public one. The server's ALPN choice is encrypted
// since TLS 1.3. An extension longer than 1 KiB is not read: a list of
// application protocols can be, a name or a list of versions cannot.
package tls
