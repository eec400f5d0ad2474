//! How deep a policy's expressions may be.
//!
//! **Invariant**: whatever is parsed fits on the stack. Cedar's parser and what walks over its trees call themselves as
//! deep as expressions lie in one another, and a stack that overflows ends the process. So this is asked of a text before
//! anything else reads it.

/// Brackets in one another.
const MOST_BRACKETS: usize = 32;
/// What joins or follows expressions in one policy: each may put all before it one level deeper. Evaluation needs more stack
/// than parsing; it stops in time, and what it stops denies.
const MOST_JOINTS: usize = 128;

/// Where a text is deeper than policies may be (a byte offset), and what to do.
pub(super) fn too_deep(text: &str) -> Option<(usize, String)> {
    let (mut brackets, mut joints) = (0_usize, 0_usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'"' => at = end_of_string(bytes, at),
            b'/' if bytes.get(at) == Some(&b'/') => at = end_of_line(bytes, at),
            b'(' | b'{' | b'[' => {
                brackets += 1;
                joints += usize::from(bytes[start] == b'[');
            }
            b')' | b'}' | b']' => brackets = brackets.saturating_sub(1),
            b';' => joints = 0,
            b'&' | b'|' => {
                at += usize::from(bytes.get(at) == Some(&bytes[start]));
                joints += 1;
            }
            b'+' | b'-' | b'*' | b'.' | b'!' => joints += 1,
            c if is_word(c) => {
                at = start + bytes[start..].iter().take_while(|c| is_word(**c)).count();
                joints += usize::from(matches!(&text[start..at], "if" | "when" | "unless"));
            }
            _ => {}
        }
        if brackets > MOST_BRACKETS {
            return Some((start, format!("more than {MOST_BRACKETS} brackets are open: write it flatter")));
        }
        if joints > MOST_JOINTS {
            let why = format!("the policy has more than {MOST_JOINTS} operators and clauses: make several of it");
            return Some((start, why));
        }
    }
    None
}

fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_'
}

/// Behind the quotation mark that ends a string.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(c) = bytes.get(at) {
        at += match c {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    bytes.len()
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    // Cedar's comments end at a line feed or a carriage return.
    at + bytes[at..].iter().take_while(|c| !matches!(c, b'\n' | b'\r')).count()
}
