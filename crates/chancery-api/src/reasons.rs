//! Reasons of `google.rpc.ErrorInfo`, domain [`DOMAIN`]: stable names for programs. docs/errors.md explains each.

/// `ErrorInfo.domain` of every error.
pub const DOMAIN: &str = "chancery";

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        $($(#[doc = $doc])+ pub const $name: &str = stringify!($name);)+
        /// Every reason, with what it means.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), concat!($($doc),+))),+];
    };
}

reasons! {
    /// Policy does not allow it, or the resource does not exist where the caller can't see.
    DENIED,
    /// A field of the request is malformed.
    INVALID_ARGUMENT,
    /// The request is over the size limit.
    TOO_LARGE,
    /// The resource does not exist.
    NOT_FOUND,
    /// The resource exists already.
    ALREADY_EXISTS,
    /// The state of the key version, or of what else is to be changed, does not allow it.
    WRONG_STATE,
    /// The key's purpose does not allow it.
    WRONG_PURPOSE,
    /// The token or the enclave lacks the algorithm.
    UNSUPPORTED_ALGORITHM,
    /// The key can't make anything of the input: a ciphertext that does not open, a public key that is no point.
    BAD_INPUT,
    /// The key to import is weak, malformed, or not what it was announced as.
    BAD_KEY,
    /// The import or restore job has expired or is unknown here.
    JOB_EXPIRED,
    /// Too few shares, or shares that do not belong together or to this backup.
    BAD_SHARES,
    /// What was sent as a backup or sealed key is damaged, changed, or another deployment's or organization's.
    TAMPERED,
    /// The wrapped key in the store fails its check.
    WRAPPED_KEY_INVALID,
    /// The operation is dangerous: repeat the name to confirm it.
    CONFIRMATION_NEEDED,
    /// A policy reads this label: the key's owner can't set it.
    LABEL_RESERVED,
    /// Too much of this is under way; try again later.
    BUSY,
    /// The digest's length is not its hash's, or the algorithm does not sign digests of that kind.
    WRONG_DIGEST,
    /// The CRC-32C does not match the bytes.
    CHECKSUM_MISMATCH,
    /// The request id was used before with other content.
    REQUEST_ID_REUSED,
    /// The request was in flight at two crashes of the enclave and is not tried again.
    QUARANTINED,
    /// The client's certificate names no single principal.
    IDENTITY_AMBIGUOUS,
    /// The client's certificate gives no role.
    NO_ROLE,
    /// The certificate's name is outside what its trust anchor may name.
    NAME_NOT_ALLOWED,
    /// The certificate's public key is kept here.
    KEY_HELD_HERE,
    /// The certificate has expired or is not valid yet.
    CERTIFICATE_EXPIRED,
    /// The certificate's issuer is no registered trust anchor.
    UNKNOWN_ANCHOR,
    /// More in a second than the limit of the principal, the key or the organization; try again after the time given.
    RATE_EXCEEDED,
    /// The quota of a day or in all is used up.
    QUOTA_EXHAUSTED,
    /// The organization's share of the audit log's space is used up for today.
    LOG_SHARE_EXHAUSTED,
    /// The organization or the owner has as many keys as it may.
    TOO_MANY_KEYS,
    /// The owner has as many keys that it neither named nor used as it may.
    TOO_MANY_PROVISIONAL_KEYS,
    /// The owner has as many session keys, or processes with them, as it may.
    TOO_MANY_SESSION_KEYS,
    /// The version has as many objects, or the principal as many certificates, as it may.
    TOO_MANY_OBJECTS,
    /// The id is the subject key identifier of another key of the organization.
    ID_OF_ANOTHER_KEY,
    /// The object was made or set not to be modified.
    OBJECT_UNMODIFIABLE,
    /// The object is the last by which its class of a named key is found.
    LAST_OBJECT,
    /// A second officer has to approve it.
    APPROVAL_NEEDED,
    /// It is approved, and its waiting period is not over.
    APPROVAL_WAITING,
    /// The principal, its certificate or its public key is suspended.
    SUSPENDED,
    /// The client's certificate is on its trust anchor's revocation list.
    CERTIFICATE_REVOKED,
    /// The trust anchor's revocation list is past its next update.
    CRL_EXPIRED,
    /// The node's public key is new, and its organization has those wait for an officer.
    KEY_PENDING,
    /// The policies do not parse or do not fit the schema.
    INVALID_POLICY,
    /// The token or its enclave is down; try again.
    TOKEN_UNAVAILABLE,
    /// The audit log can't be written; nothing is released until it can.
    AUDIT_UNAVAILABLE,
    /// The service waits for its witnesses to cosign the log; keys are used and changed only then.
    WITNESSES_MISSING,
    /// The log's key has signed a history that this log does not extend: it was rolled back, or is another copy.
    LOG_ROLLED_BACK,
    /// The caller's organization is no witness of this deployment.
    NOT_A_WITNESS,
    /// The audit log does not show in time what the enclave did; it uses no key until it does.
    UNWITNESSED,
    /// The store can't be written.
    STORE_UNAVAILABLE,
    /// The store disagrees with the audit log about this resource.
    STATE_MISMATCH,
    /// The object in the token is not the key that was registered.
    KEY_MISMATCH,
    /// The token made a signature that its public key does not verify.
    SIGNATURE_CHECK_FAILED,
    /// The deadline passed.
    DEADLINE_EXCEEDED,
    /// A defect of the service.
    INTERNAL,
}
