//! Handles, indexes, and what listings may undo.

use super::*;
use crate::{
    module::config::Sm2Profile,
    objects::{
        listing::{Listed, Listing},
        search::Search,
    },
};

/// What a search without a match gives.
const NOTHING: [CK_OBJECT_HANDLE; 0] = [];

fn halves() -> Vec<v1::Object> {
    vec![object(ObjectClass::PublicKeyObject, "public"), object(ObjectClass::PrivateKeyObject, "private")]
}

fn listing(objects: Vec<v1::Object>) -> Listing {
    let mut listing = Listing::default().of(Sm2Profile::Sansec);
    list(&mut listing, objects);
    listing
}

fn list(listing: &mut Listing, objects: Vec<v1::Object>) {
    let begun = listing.begin();
    listing.finish(&begun, Listed::Objects(objects, b"revision".to_vec()));
}

fn find<const N: usize>(listing: &Listing, attributes: [(CK_ATTRIBUTE_TYPE, &[u8]); N]) -> Vec<CK_OBJECT_HANDLE> {
    Search::new(&template(attributes), true).run(listing)
}

const PRIVATE: &[u8] = &CKO_PRIVATE_KEY.to_ne_bytes();
const PUBLIC: &[u8] = &CKO_PUBLIC_KEY.to_ne_bytes();

#[test]
fn what_matches_is_found_by_any_attribute() {
    let listing = listing(halves());
    let [public, private] = find(&listing, [])[..] else { panic!("not two objects") };
    assert!(public < private, "in the order in which they were given out");
    assert_eq!(find(&listing, [(CKA_CLASS, PRIVATE), (CKA_ID, b"x")]), [private]);
    assert_eq!(find(&listing, [(CKA_ID, b"x"), (CKA_CLASS, PUBLIC), (CKA_KEY_TYPE, &CKK_EC.to_ne_bytes())]), [public]);
    assert_eq!(find(&listing, [(CKA_LABEL, b"x")]), [public, private]);
    assert_eq!(find(&listing, [(CKA_SIGN, &[1])]), [private]);
    assert_eq!(find(&listing, [(CKA_TOKEN, &[1]), (CKA_PRIVATE, &[0])]), [public]);
    for nothing in [
        find(&listing, [(CKA_ID, b"X")]),
        find(&listing, [(CKA_ID, b"")]),
        find(&listing, [(CKA_CLASS, &[3])]),
        find(&listing, [(CKA_TOKEN, &[0])]),
        find(&listing, [(CKA_VALUE, b"")]),
        find(&listing, [(CKA_ID, b"x"), (CKA_LABEL, b"y")]),
    ] {
        assert_eq!(nothing, NOTHING);
    }
}

/// Whoever steals a client's certificate puts no key of its own before the client's, whatever it is called.
#[test]
fn the_oldest_key_is_found_first() {
    let made = |name: &str, seconds| {
        let mut object = object(ObjectClass::PrivateKeyObject, "private");
        object.name = format!("organizations/org1/keys/{name}/versions/1/objects/private");
        object.create_time.get_or_insert_default().seconds = seconds;
        object
    };
    let listing = listing(vec![made("0", 2), made("peer0", 1)]);
    let times = |handles: Vec<_>| -> Vec<_> {
        let entry = |handle| listing.entry(handle).and_then(|entry| entry.made()).unwrap().0;
        handles.into_iter().map(entry).collect()
    };
    assert_eq!(times(find(&listing, [(CKA_ID, b"x")])), [1, 2]);
    assert_eq!(times(find(&listing, [])), [1, 2]);
}

#[test]
fn private_objects_need_a_login() {
    let listing = listing(halves());
    let search = |attributes: &Template| Search::new(attributes, false).run(&listing);
    let public = find(&listing, [(CKA_CLASS, PUBLIC)]);
    assert_eq!(search(&Template::default()), public);
    assert_eq!(search(&template([(CKA_CLASS, PRIVATE), (CKA_ID, b"x")])), NOTHING);
}

/// Of these the service knows nothing that this process does not: it is not asked.
#[test]
fn the_service_is_asked_only_where_it_could_know() {
    let none = CKO_DATA.to_ne_bytes();
    for (attributes, logged_in, concerns) in [
        (template([]), true, true),
        (template([]), false, true),
        (template([(CKA_CLASS, PRIVATE)]), true, true),
        (template([(CKA_CLASS, PRIVATE)]), false, false),
        (template([(CKA_CLASS, &none)]), true, false),
        (template([(CKA_TOKEN, &[0])]), true, false),
        (template([(CKA_TOKEN, &[1])]), true, true),
    ] {
        assert_eq!(Search::new(&attributes, logged_in).concerns_service(), concerns);
    }
}

/// A node keeps its handle while an officer suspends, changes or hides the key for a while.
#[test]
fn a_handle_stays_with_its_name() {
    let mut listing = listing(halves());
    let handles = find(&listing, []);
    let mut renamed = halves();
    renamed[1].id = b"y".to_vec();
    list(&mut listing, renamed);
    assert_eq!(find(&listing, [(CKA_ID, b"y")]), handles[1..]);
    assert_eq!(find(&listing, [(CKA_ID, b"x")]), handles[..1]);
    list(&mut listing, Vec::new());
    assert_eq!(find(&listing, []), NOTHING);
    assert!(listing.entry(handles[1]).is_none());
    list(&mut listing, halves());
    assert_eq!(find(&listing, []), handles);
    let mut later = listing.forgotten();
    assert_eq!(find(&later, []), NOTHING);
    list(&mut later, halves());
    assert_eq!(find(&later, []), handles);
}

/// What was dropped is gone: another object of that name is another.
#[test]
fn a_dropped_handle_never_comes_back() {
    let mut listing = listing(halves());
    let handles = find(&listing, []);
    listing.remove(handles[0]);
    list(&mut listing, halves());
    let after = find(&listing, []);
    assert!(!after.contains(&handles[0]) && after.len() == 2, "{handles:?} {after:?}");
}

/// A listing that began before a change does not know of it.
#[test]
fn a_listing_undoes_no_change_that_is_newer() {
    let mut listing = listing(halves());
    let handles = find(&listing, []);
    let begun = listing.begin();
    let changed = v1::Object { id: b"ski".to_vec(), ..halves()[0].clone() };
    listing.change(changed, None);
    listing.remove(handles[1]);
    let made = v1::Object { name: format!("{VERSION}/objects/private-2"), ..halves()[1].clone() };
    let copy = listing.change(made, None);
    listing.finish(&begun, Listed::Objects(halves(), b"older".to_vec()));
    assert_eq!(find(&listing, []), [handles[0], copy]);
    assert_eq!(find(&listing, [(CKA_ID, b"ski")]), [handles[0]]);
    // The next one does.
    list(&mut listing, halves());
    assert_eq!(find(&listing, [(CKA_ID, b"x")]).len(), 2);
}

#[test]
fn an_unchanged_listing_changes_nothing() {
    let mut listing = listing(halves());
    let handles = find(&listing, []);
    let begun = listing.begin();
    assert_eq!(begun.revision, b"revision");
    listing.finish(&begun, Listed::Unchanged);
    assert_eq!(find(&listing, []), handles);
}

fn session(mut objects: Vec<v1::Object>) -> Vec<v1::Object> {
    objects.iter_mut().for_each(|object| object.set_standing(Standing::Session));
    objects
}

/// CKA_TOKEN false: another process of the same principal does not see it, this one does until its session ends.
#[test]
fn session_keys_are_shown_by_their_process_alone() {
    let mut other = listing(session(halves()));
    assert_eq!(find(&other, []), NOTHING);
    let own: Vec<_> = session(halves()).into_iter().map(|object| other.change(object, Some(7))).collect();
    list(&mut other, session(halves()));
    assert_eq!(find(&other, [(CKA_TOKEN, &[0])]), own);
    assert!(other.has_session_keys());
    assert_eq!(other.end_session(6), [""; 0]);
    assert_eq!(other.end_session(7), [format!("{VERSION}/objects/private")]);
    assert_eq!(find(&other, []), NOTHING);
    assert!(!other.has_session_keys());
    list(&mut other, session(halves()));
    assert_eq!(find(&other, []), NOTHING, "it is about to be dropped at the service");
}

/// Java's keytool copies a session key to keep it: the public half stays with it when the session ends.
#[test]
fn a_session_key_that_was_kept_outlives_the_session() {
    let mut listing = listing(Vec::new());
    let halves: Vec<_> = session(halves()).into_iter().map(|object| listing.change(object, Some(7))).collect();
    let copy =
        v1::Object { name: format!("{VERSION}/objects/private-2"), ..object(ObjectClass::PrivateKeyObject, "x") };
    listing.stand(&copy);
    let copy = listing.change(copy, None);
    assert!(!listing.has_session_keys());
    assert_eq!(find(&listing, [(CKA_TOKEN, &[1])]), [copy], "the originals end with the session still");
    assert_eq!(listing.end_session(7), [format!("{VERSION}/objects/private")]);
    assert_eq!(find(&listing, [(CKA_TOKEN, &[1])]), [halves[0], copy]);
}

/// Clients drop both halves, whatever became of the second by dropping the first.
#[test]
fn a_half_that_went_along_is_dropped_once_more() {
    let mut listing = listing(halves());
    let handles = find(&listing, []);
    listing.remove(handles[1]);
    listing.remove_version(VERSION);
    assert_eq!(find(&listing, []), NOTHING);
    assert!(listing.went_along(handles[0]));
    assert!(!listing.went_along(handles[0]), "only once");
}
