//! Names of numbers, from the IANA registries of IKE.

/// The name of a number, or the number.
pub(super) fn name(names: &[(u16, &str)], number: u16) -> String {
    let found = names.iter().find(|(key, _)| *key == number);
    found.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// From the IANA registry "Internet Key Exchange Version 2 (IKEv2) Parameters".
pub(super) const CIPHER_NAMES: [(u16, &str); 9] = [
    (2, "des"),
    (3, "3des"),
    (11, "null"),
    (12, "aes-cbc"),
    (13, "aes-ctr"),
    (18, "aes-gcm-8"),
    (19, "aes-gcm-12"),
    (20, "aes-gcm-16"),
    (28, "chacha20-poly1305"),
];
pub(super) const PRF_NAMES: [(u16, &str); 5] =
    [(1, "hmac-md5"), (2, "hmac-sha1"), (5, "hmac-sha2-256"), (6, "hmac-sha2-384"), (7, "hmac-sha2-512")];
pub(super) const INTEGRITY_NAMES: [(u16, &str); 5] = [
    (1, "hmac-md5-96"),
    (2, "hmac-sha1-96"),
    (12, "hmac-sha2-256-128"),
    (13, "hmac-sha2-384-192"),
    (14, "hmac-sha2-512-256"),
];
pub(super) const GROUP_NAMES: [(u16, &str); 13] = [
    (1, "modp768"),
    (2, "modp1024"),
    (5, "modp1536"),
    (14, "modp2048"),
    (15, "modp3072"),
    (16, "modp4096"),
    (19, "ecp256"),
    (20, "ecp384"),
    (21, "ecp521"),
    (31, "x25519"),
    (35, "mlkem512"),
    (36, "mlkem768"),
    (37, "mlkem1024"),
];
pub(super) const NOTIFY_NAMES: [(u16, &str); 11] = [
    (1, "UNSUPPORTED_CRITICAL_PAYLOAD"),
    (5, "INVALID_MAJOR_VERSION"),
    (7, "INVALID_SYNTAX"),
    (14, "NO_PROPOSAL_CHOSEN"),
    (17, "INVALID_KE_PAYLOAD"),
    (16388, "NAT_DETECTION_SOURCE_IP"),
    (16389, "NAT_DETECTION_DESTINATION_IP"),
    (16390, "COOKIE"),
    (16404, "MULTIPLE_AUTH_SUPPORTED"),
    (16418, "CHILDLESS_IKEV2_SUPPORTED"),
    (16430, "IKEV2_FRAGMENTATION_SUPPORTED"),
];
/// RFC 2408 section 3.14.1.
pub(super) const NOTIFY_NAMES_1: [(u16, &str); 3] =
    [(5, "INVALID-MAJOR-VERSION"), (7, "INVALID-EXCHANGE-TYPE"), (14, "NO-PROPOSAL-CHOSEN")];
/// From the IANA registry "Internet Key Exchange (IKE) Attributes".
pub(super) const CIPHER_NAMES_1: [(u16, &str); 5] =
    [(1, "des"), (3, "blowfish"), (5, "3des"), (6, "cast"), (7, "aes-cbc")];
pub(super) const HASH_NAMES_1: [(u16, &str); 5] =
    [(1, "md5"), (2, "sha1"), (4, "sha2-256"), (5, "sha2-384"), (6, "sha2-512")];
pub(super) const AUTHENTICATION_NAMES_1: [(u16, &str); 3] = [(1, "pre-shared-key"), (2, "dss"), (3, "rsa")];
