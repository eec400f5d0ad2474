//! The memory of a running process, and known bytes in it.
//!
//! Reading another process's memory takes root; whoever is not root is told so, and nothing is tested.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    os::unix::fs::FileExt,
};

/// Bytes of a page.
const PAGE: usize = 4096;
/// What is looked up at once.
const WORD: usize = 8;
/// Half of a key would do for an attacker.
const PART: usize = 16;

/// Bytes to look for: each half of a secret's forms, in either order and as hexadecimal digits.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) what: String,
    parts: Vec<Vec<u8>>,
}

impl Secret {
    pub(crate) fn new(what: &str, forms: &[&[u8]]) -> Self {
        let halves = forms.iter().flat_map(|bytes| [&bytes[..PART], &bytes[bytes.len() - PART..]]);
        let forms = halves.flat_map(|half| {
            let reversed: Vec<u8> = half.iter().rev().copied().collect();
            let digits = hex::encode(half);
            [half.to_vec(), reversed, digits.to_uppercase().into_bytes(), digits.into_bytes()]
        });
        Self { what: what.into(), parts: forms.collect() }
    }
}

/// Where a word stands in a part of a secret.
struct Word<'s> {
    secret: &'s Secret,
    part: &'s [u8],
    offset: usize,
}

/// The readable memory of a process that is not all zeros, in runs of pages.
pub(crate) struct Memory(Vec<Vec<u8>>);

/// Says that nothing was tested, for whoever may not look.
pub(crate) fn may_scan() -> bool {
    let may = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !may {
        eprintln!("not tested: reading another process's memory takes root");
    }
    may
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Self {
        let path = |name: &str| format!("/proc/{pid}/{name}");
        let memory = File::open(path("mem")).expect("root reads every process's memory");
        let mut runs = Vec::new();
        for line in fs::read_to_string(path("maps")).unwrap().lines() {
            let mut words = line.split_whitespace();
            let (range, access) = (words.next().unwrap(), words.next().unwrap());
            if !access.starts_with("rw") {
                continue;
            }
            let (start, end) = range.split_once('-').unwrap();
            let (mut at, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
            let mut run = Vec::new();
            let mut pages = vec![0; 256 * PAGE];
            while at < end {
                let length = pages.len().min((end - at) as usize);
                // Secret memory answers with an error; a mapping may go meanwhile.
                let Ok(read @ 1..) = memory.read_at(&mut pages[..length], at) else { break };
                for page in pages[..read].chunks(PAGE) {
                    if page == &[0; PAGE][..page.len()] {
                        runs.push(std::mem::take(&mut run));
                    } else {
                        run.extend_from_slice(page);
                    }
                }
                at += read as u64;
            }
            runs.push(run);
        }
        runs.retain(|run| !run.is_empty());
        Self(runs)
    }

    /// Whether one of the secret's parts is there.
    pub(crate) fn holds(&self, secret: &Secret) -> bool {
        !self.find(std::slice::from_ref(secret)).is_empty()
    }

    /// What of these is there.
    ///
    /// Wherever a part stands, it has a whole word at a multiple of eight: only those are looked at.
    pub(crate) fn find<'s>(&self, secrets: &'s [Secret]) -> BTreeSet<&'s str> {
        let mut words: HashMap<[u8; WORD], Vec<Word<'_>>> = HashMap::new();
        let mut begins = vec![false; 1 << 16];
        for secret in secrets {
            for part in &secret.parts {
                for offset in 0..=PART - WORD {
                    let word: [u8; WORD] = part[offset..offset + WORD].try_into().unwrap();
                    begins[begin(&word)] = true;
                    words.entry(word).or_default().push(Word { secret, part, offset });
                }
            }
        }
        let mut found = BTreeSet::new();
        for run in &self.0 {
            for (number, word) in run.chunks_exact(WORD).enumerate() {
                if !begins[begin(word)] {
                    continue;
                }
                for Word { secret, part, offset } in words.get(word).into_iter().flatten() {
                    let start = (number * WORD).checked_sub(*offset);
                    if start.is_some_and(|start| run[start..].starts_with(part)) {
                        found.insert(secret.what.as_str());
                    }
                }
            }
        }
        found
    }
}

fn begin(word: &[u8]) -> usize {
    usize::from(word[0]) | usize::from(word[1]) << 8
}

/// Every part is found wherever it stands, also at the very ends.
#[test]
fn the_search_finds_every_form_at_every_place() {
    let bytes: Vec<u8> = (100..132).collect();
    let secret = Secret::new("known", &[&bytes]);
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    let forms = [bytes.clone(), reversed, hex::encode(&bytes).into_bytes(), hex::encode_upper(&bytes).into_bytes()];
    for form in &forms {
        for half in form.chunks(form.len() / 2) {
            for at in 0..20 {
                let there = Memory(vec![[&vec![7; at], half].concat()]);
                assert!(there.holds(&secret), "at {at}");
                let mut almost = there.0[0].clone();
                almost[at + 15] ^= 1;
                assert!(half.len() > PART || !Memory(vec![almost]).holds(&secret));
            }
        }
    }
}
