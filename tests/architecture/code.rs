//! Rust text without what is not code: enough of a lexer to find paths in it.

/// `text` with comments and the content of string and character literals blanked out; lines stay where they are.
pub(crate) fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        let blanked = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !before.is_alphanumeric() && before != '_' => prefixed_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        let (gone, left) = rest.split_at(blanked);
        code.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = left;
        if blanked == 0 {
            code.push(next);
            before = next;
            rest = &rest[next.len_utf8()..];
        } else {
            before = ' ';
        }
    }
    code
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            match rest.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return text.len(),
            }
        }
        if depth == 0 {
            return at;
        }
    }
}

/// A literal from its opening quote to its closing one.
fn string(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"…"`, `br#"…"#`, `b"…"`, `c"…"`; 0 for anything else.
fn prefixed_string(text: &str) -> usize {
    let prefix = text.len() - text.trim_start_matches(['r', 'b', 'c']).len();
    let rest = &text[prefix..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let raw = text[..prefix].contains('r');
    if prefix > 2 || !rest[hashes..].starts_with('"') || (hashes > 0 && !raw) {
        return 0;
    }
    if !raw {
        return prefix + string(rest);
    }
    let open = prefix + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    text[open..].find(&close).map_or(text.len(), |at| open + at + close.len())
}

/// `'x'` or `'\n'`; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |at| 3 + at + 1),
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// The identifiers of a text, with where each begins.
pub(crate) fn identifiers(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_part)?;
        let end = code[start..].find(|c| !is_part(c)).map_or(code.len(), |length| start + length);
        at = end;
        Some((start, &code[start..end]))
    })
}

#[test]
fn comments_and_literals_are_blanked_and_code_stays() {
    let text = r####"
        use crate::a; // use crate::b;
        /* crate::c /* crate::d */ crate::e */ use crate::f;
        let s = "crate::g \" crate::h"; let r = r#"crate::i " crate::j"#; let b = b"crate::k";
        fn x<'a>(y: &'a str) -> char { '"' } use crate::l; let q = '\''; use crate::m;
    "####;
    let code = without_comments_and_literals(text);
    let found: Vec<_> = identifiers(&code).map(|(_, word)| word).filter(|word| word.len() == 1).collect();
    assert_eq!(found, ["a", "f", "s", "r", "b", "x", "a", "y", "a", "l", "q", "m"]);
    assert_eq!(code.lines().count(), text.lines().count());
}
