//! What only an organization's records hold, looked for in anything: as it is, in hex and in base64.
//!
//! **Invariants**: what was known before, or said by whoever asks, is no trace. An answer is searched, not the traces
//! written in each form, so that no form's beginning or line length hides one.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// So many bytes on end are no coincidence.
const WIDTH: usize = 12;
/// Of those, so many that no text and few numbers have: part of a salt, a hash, a signature.
const RANDOM: usize = 4;

type Window = [u8; WIDTH];

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Each with what it is of.
pub(crate) struct Traces(HashMap<Window, String>);

fn windows(bytes: &[u8]) -> impl Iterator<Item = Window> {
    bytes.windows(WIDTH).map(|window| window.try_into().unwrap())
}

fn is_random(window: &Window) -> bool {
    window.iter().filter(|byte| **byte >= 0x80).count() >= RANDOM
}

/// The longest runs of bytes of a kind, as long as `least` at the least.
fn runs(bytes: &[u8], least: usize, kind: fn(u8) -> bool) -> impl Iterator<Item = &[u8]> {
    bytes.split(move |byte| !kind(*byte)).filter(move |run| run.len() >= least)
}

/// What bytes can be read as: themselves, and what stands in them in hex or base64, wherever it begins.
fn readings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![bytes.to_vec()];
    for run in runs(bytes, 2 * WIDTH, |byte| byte.is_ascii_hexdigit()) {
        all.extend((0..2).map(|start| hex::decode(&run[start..start + (run.len() - start) / 2 * 2]).unwrap()));
    }
    // Both alphabets.
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    for run in runs(bytes, WIDTH * 4 / 3, is_base64) {
        let standard = |byte: &u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        };
        let run: Vec<u8> = run.iter().map(standard).collect();
        let groups = (0..4).map(|start| &run[start..start + (run.len() - start) / 4 * 4]);
        all.extend(groups.map(|groups| BASE64.decode(groups).unwrap()));
    }
    all
}

impl Traces {
    /// Of the random bytes in records, and of all of these texts, what is not in `known`.
    pub(crate) fn new<'t>(
        records: impl Iterator<Item = (u64, &'t Vec<u8>)>,
        texts: impl Iterator<Item = &'t [u8]>,
        known: &[Vec<u8>],
    ) -> Self {
        let known: HashSet<Window> = known.iter().flat_map(|bytes| windows(bytes)).collect();
        let of_records = records.flat_map(|(index, bytes)| {
            windows(bytes).filter(is_random).map(move |window| (window, format!("record {index}")))
        });
        let of_texts = texts.flat_map(|text| {
            windows(text).map(|window| (window, String::from_utf8_lossy(text).into_owned())).collect::<Vec<_>>()
        });
        Self(of_records.chain(of_texts).filter(|(window, _)| !known.contains(window)).collect())
    }

    /// Of what there are traces.
    pub(crate) fn all(&self) -> BTreeSet<&str> {
        self.0.values().map(String::as_str).collect()
    }

    /// Of what there are traces in an answer.
    pub(crate) fn within(&self, answer: &[u8]) -> BTreeSet<&str> {
        let readings = readings(answer);
        let windows = readings.iter().flat_map(|reading| windows(reading));
        windows.filter_map(|window| self.0.get(&window)).map(String::as_str).collect()
    }
}

#[test]
fn a_trace_is_found_in_every_form_and_at_every_place() {
    let record: Vec<u8> = (0x80..0x90).collect();
    let traces = Traces::new([(7, &record)].into_iter(), ["a telling text".as_bytes()].into_iter(), &[]);
    let standard = base64::engine::general_purpose::STANDARD;
    for before in ["", "x", "xy", "xyz"] {
        for (of, bytes) in [("record 7", &record), ("a telling text", &b"a telling text".to_vec())] {
            let placed = [before.as_bytes(), bytes, b"?"].concat();
            for form in [
                placed.clone(),
                [before.as_bytes(), hex::encode_upper(bytes).as_bytes()].concat(),
                format!("{{\"{before}\":\"{}\"}}", standard.encode(&placed)).into_bytes(),
                format!("{before}{}", base64::engine::general_purpose::URL_SAFE.encode(bytes)).into_bytes(),
            ] {
                assert!(traces.within(&form).contains(of), "{of} in {}", String::from_utf8_lossy(&form));
            }
        }
    }
    assert!(traces.within(&record[..WIDTH - 1]).is_empty() && traces.within(b"a telling te").len() == 1);
    let known = Traces::new([(7, &record)].into_iter(), std::iter::empty(), std::slice::from_ref(&record));
    assert!(known.all().is_empty());
}
