//! The same client with a service behind the module.

use crate::{place::holds, shared::deployment};

fn holds_for_peer0(probe: &str) {
    holds(probe, &deployment().client_dir("org1-peer0").join("pkcs11.toml"));
}

#[test]
fn a_forked_child_signs_over_a_connection_of_its_own() {
    holds_for_peer0("forked_connected");
}

#[test]
fn a_read_only_session_changes_nothing_that_stays() {
    holds_for_peer0("read_only");
}

#[test]
fn every_attribute_is_answered_where_some_cant_be() {
    holds_for_peer0("attributes");
}
