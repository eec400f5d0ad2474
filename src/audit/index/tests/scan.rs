//! Random logs and queries: the index and a plain scan agree.

use super::{Log, SECOND, pages, record};
use crate::audit::index::{Index, Query};
use chancery_audit::merkle::{Frontier, leaf_hash};
use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message;

fn text(of: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    option::of(select(of).prop_map(str::to_owned))
}

prop_compose! {
    fn query()(
        organization in select(&["org1", "org2", "org3", "", "org"][..]),
        limit in 1usize..40,
        newest_first: bool,
        key in text(&[
            "organizations/org1/keys/a",
            "organizations/org2/keys/a/versions/1",
            "organizations/org1/keys/ab",
            "organizations/org1",
            "",
        ]),
        principal in option::of((select(&["org1", "org2"][..]), select(&["peer0", "peer1"][..]))),
        since in option::of(0i64..1100),
        until in option::of(0i64..1100),
        action in text(&["Sign", "Verify", "Rotate", ""]),
        outcome in option::of(0i32..5),
        request_id in text(&["id-0", "id-6", "id-99"]),
    ) -> Query {
        Query {
            organization: organization.to_owned(),
            from: 0,
            limit,
            newest_first,
            key,
            principal: principal.map(|(organization, name)| (organization.to_owned(), name.to_owned())),
            since: since.map(|since| since * SECOND),
            until: until.map(|until| until * SECOND),
            action,
            outcome,
            request_id,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn index_and_scan_agree(
        seeds in vec(any::<u32>(), 1..400),
        ends in vec(1u64..400, 0..6),
        queries in vec(query(), 1..24),
        from_files: bool,
    ) {
        let log = Log::write(seeds.into_iter().map(|seed| record(seed.into())).collect(), ends);
        // With files that are written, or, most of the time, while they are.
        let index = if from_files { log.settled() } else { log.index() };
        for query in &queries {
            prop_assert_eq!(pages(&index, query), log.scan(query), "{:?}", query);
        }
    }
}

/// A log that grows under a listing, over the end of a segment too.
#[test]
fn pages_stay_valid_while_the_log_grows() {
    let log = Log::write((0..150).map(|seed| record(seed * 7)).collect(), vec![40, 90]);
    let index = log.settled();
    let of = |newest_first| Query { organization: "org1".into(), limit: 5, newest_first, ..Query::default() };
    let newest = Query { from: u64::MAX, ..of(true) };
    let first = index.page(&newest).unwrap();
    let oldest = index.page(&of(false)).unwrap();
    let before = log.scan(&newest);
    grow(&index, &log, 150, 70);

    let rest = index.page(&Query { from: first.next.unwrap(), limit: 1000, ..of(true) }).unwrap();
    let seen = first.records.iter().chain(&rest.records).map(|record| record.index);
    assert_eq!(seen.collect::<Vec<_>>(), before, "newest first: what was there when it began, once each");

    let rest = index.page(&Query { from: oldest.next.unwrap(), limit: 1000, ..of(false) }).unwrap();
    let seen: Vec<_> = oldest.records.iter().chain(&rest.records).map(|record| record.index).collect();
    let mut expected = before;
    expected.reverse();
    assert_eq!(seen[..expected.len()], expected, "oldest first: all that was there");
    assert!(seen.len() > expected.len() && seen.is_sorted(), "and what came meanwhile");
    assert_eq!((rest.next, rest.end), (None, 220));
}

/// Closes the open segment and puts records in the next, on disk and in the index, as the writer does.
fn grow(index: &Index, log: &Log, first: u64, records: u64) {
    let mut tree = Frontier::default();
    log.records.iter().for_each(|record| tree.push(leaf_hash(&record.encode_to_vec())));
    let grown = Log::write(
        log.records.iter().cloned().chain((first..first + records).map(|seed| record(seed * 7))).collect(),
        vec![40, 90, first],
    );
    let name = chancery_audit::segment::file_name(first);
    std::fs::copy(grown.folders().log.join(&name), log.folders().log.join(&name)).unwrap();
    let mut offset = chancery_audit::segment::Header::LENGTH as u64;
    let new: Vec<_> = grown.records[usize::try_from(first).unwrap()..]
        .iter()
        .map(|record| {
            let at = offset;
            offset += (chancery_audit::segment::FRAME_OVERHEAD + record.encoded_len()) as u64;
            (record, at)
        })
        .collect();
    let watched = index.watch();
    for batch in new.chunks(9) {
        index.extend(first, &tree, batch.iter().copied());
    }
    assert!(watched.has_changed().unwrap() && *watched.borrow() == first + records);
}

/// Work for one page is bounded: it may be empty, and still says where to go on.
#[test]
fn a_page_that_finds_little_stops_and_says_where() {
    let mut records: Vec<_> = (0..60_000).map(|_| record(3)).collect();
    records[59_999].request_id = "last".into();
    let organization = records[0].principal.as_ref().unwrap().organization.clone();
    let log = Log::write(records, vec![]);
    let index = log.index();
    // No term says what lies below a whole organization's name: each record is looked at.
    let query = Query { organization, limit: 10, key: Some("organizations/none".into()), ..Query::default() };
    let page = index.page(&query).unwrap();
    assert!(page.records.is_empty() && page.next.is_some_and(|next| next < 60_000), "{:?}", page.next);
    assert_eq!(pages(&index, &query), Vec::<u64>::new());
}
