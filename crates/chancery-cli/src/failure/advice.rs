//! What to do about a refusal, by its reason.
//!
//! **Invariant**: every reason has advice, but those where message and code say enough: a test lists them.

use chancery_api::reasons;
use chancery_client::{ClientError, Code};

/// What to do next, where we can tell.
pub(super) fn advice(error: &ClientError) -> Option<&'static str> {
    let by_reason = match error.reason.as_deref().unwrap_or_default() {
        reasons::DENIED => {
            "check the name and which client.toml you use; the organization's auditor sees the denial in the audit log"
        }
        reasons::WRONG_STATE => {
            "look up what it is now: a key's versions with `chancery keys show`, else with the `list` of its kind"
        }
        reasons::WRONG_PURPOSE => {
            "see the key's purpose with `chancery keys show`; a certify key only issues certificates"
        }
        reasons::WRONG_DIGEST => "name the hash that made the digest with --hash, or give the message itself",
        reasons::REQUEST_ID_REUSED | reasons::CHECKSUM_MISMATCH => "run the command again",
        reasons::UNSUPPORTED_ALGORITHM => "make the key with --protection enclave, which has every algorithm",
        reasons::JOB_EXPIRED => "ask for a new job and seal to that one: a job lives for minutes",
        reasons::BAD_SHARES => {
            "collect one share each from as many custodians as `chancery backup show` says, all made for this job"
        }
        reasons::TAMPERED => {
            "take another copy of the file, and compare its SHA-256 with the one in `chancery backup list`"
        }
        reasons::WRAPPED_KEY_INVALID => {
            "tell the operator at once: the store was changed; a backup can bring the key back"
        }
        reasons::CONFIRMATION_NEEDED => "repeat the name with --confirm",
        reasons::BUSY => "try again in a moment",
        reasons::LABEL_RESERVED => "ask an officer of the organization to set the label",
        reasons::IDENTITY_AMBIGUOUS | reasons::NO_ROLE | reasons::NAME_NOT_ALLOWED => {
            "have the organization's CA issue a certificate that its registry allows, or have an officer register you"
        }
        reasons::KEY_HELD_HERE => "use a client certificate whose key is kept by the client and not by the service",
        reasons::CERTIFICATE_EXPIRED => {
            "renew the client certificate named in client.toml, and check this machine's clock"
        }
        reasons::UNKNOWN_ANCHOR => "check that client.toml names this deployment and a certificate of a registered CA",
        reasons::STATE_MISMATCH | reasons::KEY_MISMATCH | reasons::SIGNATURE_CHECK_FAILED => {
            "tell the operator at once: the key is refused until this is explained"
        }
        reasons::TOKEN_UNAVAILABLE | reasons::AUDIT_UNAVAILABLE | reasons::UNWITNESSED | reasons::STORE_UNAVAILABLE => {
            "try again in a moment; if it stays, the operator finds the cause in the service's log"
        }
        reasons::WITNESSES_MISSING => {
            "try again when witnesses have cosigned; `chancery status` says who is missing, and each runs `chancery audit \
             witness run`"
        }
        reasons::LOG_ROLLED_BACK => {
            "tell the operator and the other members at once, and keep the evidence: this is not the log that was signed \
             before"
        }
        reasons::NOT_A_WITNESS => {
            "have the operator add the line that `chancery audit witness init` printed to the deployment's witness policy"
        }
        reasons::RATE_EXCEEDED => {
            "send fewer at a time; `chancery limits list` shows the limits, and an officer sets them with \
             `chancery limits set`"
        }
        reasons::QUOTA_EXHAUSTED => {
            "see what is used with `chancery limits list`; an officer sets the quota with `chancery limits set`"
        }
        reasons::LOG_SHARE_EXHAUSTED => "wait for the next day (UTC), and ask the operator what fills the log",
        reasons::TOO_MANY_KEYS => {
            "destroy keys that nobody needs, or ask an officer to allow more with `chancery limits set --keys`"
        }
        reasons::APPROVAL_NEEDED => {
            "ask another officer to run `chancery approvals approve` with the approval named here, then run the same \
             command again"
        }
        reasons::APPROVAL_WAITING => {
            "run the same command again when the waiting period is over; `chancery approvals list` says when"
        }
        reasons::SUSPENDED => "ask an officer of your organization, who sees why with `chancery suspensions list`",
        reasons::CERTIFICATE_REVOKED => "ask your organization's CA for a new certificate, with a new key",
        reasons::CRL_EXPIRED => "ask an officer to bring the CA's newest list, with `chancery anchors crl`",
        reasons::KEY_PENDING => {
            "ask an officer to compare the key's fingerprint and to run `chancery principals approve-key`"
        }
        reasons::INVALID_POLICY => "correct the policies at the place named",
        _ => "",
    };
    if !by_reason.is_empty() {
        return Some(by_reason);
    }
    match error.code {
        Code::Unavailable if !error.retryable => Some("check `ca` and `server_name` in client.toml"),
        Code::Unavailable => Some("check that chanceryd runs and that client.toml names its address, then try again"),
        Code::Unauthenticated => Some("check the certificate named in client.toml"),
        _ if error.retryable => Some("try again in a moment"),
        _ => None,
    }
}
