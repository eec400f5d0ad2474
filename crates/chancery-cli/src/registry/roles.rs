//! The words of roles.

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Every role.
pub(super) const ALL: [&str; 8] =
    ["peer", "orderer", "client", "security-officer", "auditor", "ca", "opssc-agent", "platform-operator"];

/// A role.
pub(super) fn parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(ALL)
}

/// `ROLE=FILE`
pub(super) fn with_file(text: &str) -> Result<(String, std::path::PathBuf), String> {
    match text.split_once('=') {
        Some((role, _)) if !ALL.contains(&role) => Err(format!("the roles are {}", ALL.join(", "))),
        Some((role, file)) if !file.is_empty() => Ok((role.to_owned(), file.into())),
        _ => Err("a principal is ROLE=FILE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_has_a_known_role_and_a_file() {
        assert_eq!(with_file("auditor=a=b.pem").unwrap(), ("auditor".to_owned(), "a=b.pem".into()));
        assert!(with_file("admin=a.pem").unwrap_err().contains("security-officer"));
        assert!(with_file("auditor").is_err() && with_file("auditor=").is_err());
    }
}
