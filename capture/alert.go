package capture

import (
	"maps"
	"slices"
	"strconv"
)

// Alert is the description of a TLS alert (RFC 8446, section 6; those of
// earlier versions from RFC 5246).
type Alert uint8

// alert is the registry's word of an alert with its meaning.
type alert struct {
	word, text, look string
}

var alerts = map[Alert]alert{
	0:   {"close_notify", "the sender has nothing more to say", "nothing: this is no error"},
	10:  {"unexpected_message", "a message came that must not come here", "both TLS libraries; something between that changes bytes"},
	20:  {"bad_record_mac", "a record cannot be verified", "something between that changes bytes; faulty hardware or offloads"},
	21:  {"decryption_failed", "a record cannot be decrypted (not sent any more)", "the version of the peer's TLS library"},
	22:  {"record_overflow", "a record is too long", "both TLS libraries; a peer that does not speak TLS"},
	30:  {"decompression_failure", "a record cannot be decompressed (not sent any more)", "the version of the peer's TLS library"},
	40:  {"handshake_failure", "no parameters that both sides accept", "cipher suites, curves and signature algorithms of both sides"},
	41:  {"no_certificate", "the client has no certificate (SSL 3.0 only)", "the version of the peer's TLS library"},
	42:  {"bad_certificate", "a certificate is damaged, or its signature is wrong", "the certificate file and its chain"},
	43:  {"unsupported_certificate", "a certificate is of a kind that is not supported", "key type and key usage of the certificate"},
	44:  {"certificate_revoked", "a certificate was revoked", "the issuer; a new certificate"},
	45:  {"certificate_expired", "a certificate has expired or is not yet valid", "its dates, and the clocks of both sides"},
	46:  {"certificate_unknown", "a certificate was not accepted for another reason", "the log of the side that sent the alert"},
	47:  {"illegal_parameter", "a field of the handshake is wrong", "both TLS libraries"},
	48:  {"unknown_ca", "the certificate's issuer is not trusted", "the trust store of the side that sent the alert, and intermediate certificates that the other side does not send"},
	49:  {"access_denied", "the certificate is valid, and access is refused", "the access rules of the side that sent the alert"},
	50:  {"decode_error", "a message cannot be read", "both TLS libraries; a peer that does not speak TLS"},
	51:  {"decrypt_error", "a signature or a Finished message is wrong", "whether certificate and private key belong together"},
	60:  {"export_restriction", "export rules were broken (not sent any more)", "the version of the peer's TLS library"},
	70:  {"protocol_version", "the version is known and not supported", "the versions of TLS that both sides allow"},
	71:  {"insufficient_security", "the server wants stronger ciphers", "the cipher suites of the client"},
	80:  {"internal_error", "a fault that has nothing to do with the peer", "the log of the side that sent the alert"},
	86:  {"inappropriate_fallback", "a client came with a lower version than it could (RFC 7507)", "clients that repeat with lower versions; something between that breaks newer ones"},
	90:  {"user_canceled", "the handshake was cancelled", "nothing: the user or the application gave up"},
	100: {"no_renegotiation", "a new handshake within the connection is refused", "clients or servers that renegotiate"},
	109: {"missing_extension", "an extension that must be there is not", "both TLS libraries"},
	110: {"unsupported_extension", "an extension that was not offered", "both TLS libraries"},
	111: {"certificate_unobtainable", "a certificate cannot be fetched (not sent any more)", "the version of the peer's TLS library"},
	112: {"unrecognized_name", "no server of that name is here", "the server name (SNI) of the client, and the names that the server has certificates for"},
	113: {"bad_certificate_status_response", "the OCSP response is wrong", "OCSP stapling of the server"},
	114: {"bad_certificate_hash_value", "a certificate's hash is wrong (not sent any more)", "the version of the peer's TLS library"},
	115: {"unknown_psk_identity", "the pre-shared key is not known", "keys of both sides"},
	116: {"certificate_required", "the client must show a certificate and showed none", "the client's certificate (mutual TLS)"},
	120: {"no_application_protocol", "no application protocol that both sides speak (ALPN)", "the protocols that both sides offer: h2, http/1.1"},
}

// String returns the registry's word, "unassigned" when there is none.
func (a Alert) String() string {
	if known, ok := alerts[a]; ok {
		return known.word
	}
	return "unassigned"
}

// Meaning explains a; it is zero when the number is not assigned.
func (a Alert) Meaning() Meaning {
	known, ok := alerts[a]
	if !ok {
		return Meaning{}
	}
	return Meaning{Text: known.text, Proof: "an alert record in the clear with description " + strconv.Itoa(int(a)) + "; those of TLS 1.3 are encrypted after the hellos and cannot be read",
		Source: "RFC 8446, section 6.2", Look: known.look}
}

// Alerts returns the TLS alerts that are assigned, in order.
func Alerts() []Alert { return slices.Sorted(maps.Keys(alerts)) }

// Benign reports whether a is no error even when it is fatal: the end of the
// connection, or a cancelled handshake (RFC 8446, section 6.1).
func (a Alert) Benign() bool { return a == 0 || a == 90 }
