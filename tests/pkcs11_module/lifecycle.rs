//! Initializing, sessions, login, fork, unloading and the end of a process: each probe is a process of its own. No service
//! runs: that all this works without one is part of what is tested.

use crate::place::Place;

#[test]
fn initialize_and_finalize_cycle_and_handles_are_never_given_twice() {
    Place::new().holds("lifecycle");
}

#[test]
fn slots_count_from_one_and_tokens_have_their_labels() {
    Place::new().holds("slots");
}

#[test]
fn the_pin_is_checked_first_and_the_last_session_takes_the_login_with_it() {
    Place::new().holds("logins");
}

#[test]
fn there_may_be_thousands_of_sessions() {
    Place::new().holds("sessions");
}

#[test]
fn a_second_initialize_and_login_are_borne_where_the_slot_says_so() {
    let place = Place::new();
    let lenient = Place::configuration().replace("[]", r#"["lenient_initialize", "lenient_login"]"#);
    place.write("pkcs11.toml", &lenient);
    place.holds("lenient");
}

#[test]
fn a_forked_child_has_no_module_until_it_initializes_its_own() {
    Place::new().holds("forked");
}

#[test]
fn finalize_and_fork_are_safe_while_other_threads_are_in_calls() {
    Place::new().holds("threads");
}

#[test]
fn unloading_without_finalize_leaves_the_module_as_it_was() {
    Place::new().holds("unloaded");
}

#[test]
fn finalize_may_come_as_late_as_the_process_likes() {
    let place = Place::new();
    place.holds("at_exit");
    place.holds("in_destructor");
}

#[test]
fn finalize_answers_who_waits_for_a_service_that_is_not_there() {
    let place = Place::new();
    place.write("pkcs11.toml", &Place::configuration().replace("\"1s\"", "\"50s\""));
    place.holds("waiting");
}
