//! A strict JSON scanner over bytes: says whether a text is one JSON value and where its parts stand, so that
//! a checksum can be taken over exactly what was sent.
//!
//! Bytes above 0x7F inside strings pass unread: equipment knows 8-bit characters, not UTF-8 (`cwm-oke.md §4.1`).

use std::borrow::Cow;
use std::ops::Range;

/// Why a text is not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// A byte that cannot stand where it does, or the text's end too early.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    /// Nested deeper than allowed.
    #[error("nested too deep at byte {0}")]
    Depth(usize),
    /// One value, but not of the kind wanted.
    #[error("not a JSON object")]
    NotObject,
}

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    /// Its name with escapes resolved.
    pub(super) name: Cow<'a, str>,
    /// Where its value stands in the text.
    pub(super) value: Range<usize>,
}

/// The members of the object that the text is, in order, repeats included. White space around it is allowed.
pub(super) fn members(text: &[u8], depth_max: usize) -> Result<Vec<Member<'_>>, Fault> {
    let mut scanner = Scanner { text, at: 0, depth_max, deepest: 0, within: None };
    let mut found = Vec::with_capacity(MEMBERS_LIKELY);
    scanner.space();
    if scanner.peek() != Some(b'{') {
        scanner.value(0)?;
        return Err(Fault::NotObject);
    }
    scanner.object(0, Some(&mut found))?;
    scanner.end()?;
    Ok(found)
}

/// An object that is a member of another, found in the same pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inner<'a> {
    /// Where it stands in the text.
    pub(super) place: Range<usize>,
    /// Its members; where their values stand is counted from its own beginning.
    pub(super) members: Vec<Member<'a>>,
    /// Levels of objects and arrays in it, itself counted.
    pub(super) levels: usize,
}

/// The members of the object that the text is, and those of the first member of this name, if that is an object.
pub(super) fn members_within<'a>(
    text: &'a [u8],
    depth_max: usize,
    name: &str,
) -> Result<(Vec<Member<'a>>, Option<Inner<'a>>), Fault> {
    let mut scanner =
        Scanner { text, at: 0, depth_max, deepest: 0, within: Some(Within { name, inner: None }) };
    let mut found = Vec::with_capacity(MEMBERS_LIKELY);
    scanner.space();
    if scanner.peek() != Some(b'{') {
        return Err(Fault::NotObject);
    }
    scanner.object(0, Some(&mut found))?;
    scanner.end()?;
    Ok((found, scanner.within.and_then(|within| within.inner)))
}

/// Where the elements of the array that the text is stand; `None` when it is another value.
pub(super) fn elements(text: &[u8], depth_max: usize) -> Result<Option<Vec<Range<usize>>>, Fault> {
    let mut scanner = Scanner { text, at: 0, depth_max, deepest: 0, within: None };
    let mut found = Vec::new();
    scanner.space();
    if scanner.peek() != Some(b'[') {
        scanner.value(0)?;
        scanner.end()?;
        return Ok(None);
    }
    scanner.array(0, Some(&mut found))?;
    scanner.end()?;
    Ok(Some(found))
}

/// The text as characters: UTF-8 if it is that, else one character a byte.
pub(super) fn characters(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(text.iter().copied().map(char::from).collect()),
    }
}

/// The content of a string literal (with its quotes); `None` when it is none.
pub(super) fn string(literal: &[u8]) -> Option<Cow<'_, str>> {
    match literal {
        // Most have nothing to be resolved in them.
        [b'"', inside @ .., b'"'] if inside.iter().all(|byte| is_plain(*byte)) => Some(characters(inside)),
        [b'"', ..] => serde_json::from_str(&characters(literal)).ok().map(Cow::Owned),
        _ => None,
    }
}

/// Whether a byte may stand in a string literal and means itself.
fn is_plain(byte: u8) -> bool {
    PLAIN.get(usize::from(byte)).copied().unwrap_or_default()
}

/// One look-up instead of three comparisons, for the most frequent question of all.
#[expect(clippy::indexing_slicing, reason = "made by the compiler, which would say so")]
static PLAIN: [bool; 256] = {
    let mut all = [true; 256];
    let mut control = 0;
    while control < 0x20 {
        all[control] = false;
        control += 1;
    }
    all[b'"' as usize] = false;
    all[b'\\' as usize] = false;
    all
};

struct Scanner<'a, 'n> {
    text: &'a [u8],
    at: usize,
    depth_max: usize,
    /// The deepest level so far.
    deepest: usize,
    within: Option<Within<'a, 'n>>,
}

/// Whose members are wanted beside those of the whole.
struct Within<'a, 'n> {
    name: &'n str,
    inner: Option<Inner<'a>>,
}

impl<'a> Scanner<'a, '_> {
    fn value(&mut self, depth: usize) -> Result<Range<usize>, Fault> {
        self.space();
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.object(depth, None)?,
            Some(b'[') => self.array(depth, None)?,
            Some(b'"') => {
                self.string()?;
            }
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            _ => self.number()?,
        }
        Ok(start..self.at)
    }

    fn object(&mut self, depth: usize, mut found: Option<&mut Vec<Member<'a>>>) -> Result<(), Fault> {
        self.deeper(depth)?;
        self.at += 1;
        self.space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            let name = self.at;
            if self.peek() != Some(b'"') {
                return Err(Fault::Syntax(self.at));
            }
            let escaped = self.string()?;
            let text: &'a [u8] = self.text;
            let literal = text.get(name..self.at).unwrap_or_default();
            // Inside another value nobody asks for the name; but an escape in it may be no character.
            let name = match (&found, escaped) {
                (None, false) => Cow::Borrowed(""),
                (Some(_), false) => characters(literal.get(1..literal.len() - 1).unwrap_or_default()),
                (Some(_) | None, true) => string(literal).ok_or(Fault::Syntax(name))?,
            };
            self.space();
            self.must(b':')?;
            let value = if depth == 0 && self.wants(&name) { self.inner()? } else { self.value(depth + 1)? };
            if let Some(found) = &mut found {
                found.push(Member { name, value });
            }
            self.space();
            if self.take(b'}') {
                return Ok(());
            }
            self.must(b',')?;
        }
    }

    /// Whether the members of the value that follows are wanted.
    fn wants(&self, name: &str) -> bool {
        self.within.as_ref().is_some_and(|within| within.name == name && within.inner.is_none())
    }

    /// Passes a member of the whole whose own members are wanted, if it is an object.
    fn inner(&mut self) -> Result<Range<usize>, Fault> {
        self.space();
        if self.peek() != Some(b'{') {
            return self.value(1);
        }
        let start = self.at;
        let outside = std::mem::replace(&mut self.deepest, 0);
        let mut members = Vec::with_capacity(MEMBERS_LIKELY);
        self.object(1, Some(&mut members))?;
        for member in &mut members {
            member.value = member.value.start - start..member.value.end - start;
        }
        let place = start..self.at;
        let inner = Inner { place: place.clone(), members, levels: self.deepest };
        self.deepest = self.deepest.max(outside);
        if let Some(within) = &mut self.within {
            within.inner = Some(inner);
        }
        Ok(place)
    }

    fn array(&mut self, depth: usize, mut found: Option<&mut Vec<Range<usize>>>) -> Result<(), Fault> {
        self.deeper(depth)?;
        self.at += 1;
        self.space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            let value = self.value(depth + 1)?;
            if let Some(found) = &mut found {
                found.push(value);
            }
            self.space();
            if self.take(b']') {
                return Ok(());
            }
            self.must(b',')?;
        }
    }

    /// Passes a string; says whether it has escapes.
    fn string(&mut self) -> Result<bool, Fault> {
        self.at += 1;
        let mut escaped = false;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(Fault::Syntax(self.at)),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(Fault::Syntax(self.at));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(Fault::Syntax(self.at)),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.take(b'-');
        if !self.take(b'0') {
            self.figures()?;
        }
        if self.take(b'.') {
            self.figures()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.figures()?;
        }
        Ok(())
    }

    fn figures(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(Fault::Syntax(start)) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self.text.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(Fault::Syntax(self.at));
        }
        self.at += word.len();
        Ok(())
    }

    /// Nothing but white space may follow, and the NUL that ends a message on the serial link (§4.1).
    fn end(&mut self) -> Result<(), Fault> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r' | 0)) {
            self.at += 1;
        }
        if self.at == self.text.len() { Ok(()) } else { Err(Fault::Syntax(self.at)) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn deeper(&mut self, depth: usize) -> Result<(), Fault> {
        self.deepest = self.deepest.max(depth);
        if depth < self.depth_max { Ok(()) } else { Err(Fault::Depth(self.at)) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn must(&mut self, byte: u8) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { Err(Fault::Syntax(self.at)) }
    }
}

/// A message has seven members or eight.
const MEMBERS_LIKELY: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_stand_where_they_are_said_to() {
        let text = br#" {"a" : [1,{"a":2}] ,"\u0062":"x\"}","a":null} "#;
        let found = members(text, 8).unwrap();
        let shown: Vec<(&str, &[u8])> =
            found.iter().map(|member| (&*member.name, &text[member.value.clone()])).collect();
        assert_eq!(shown, [("a", &br#"[1,{"a":2}]"#[..]), ("b", &br#""x\"}""#[..]), ("a", &b"null"[..])]);
    }

    #[test]
    fn members_of_a_member_are_found_on_the_way() {
        let text = br#" {"ts":[[[1]]],"okm": {"a":1,"b":{"c":[2]}},"okm":{"x":1}} "#;
        let (all, inner) = members_within(text, 8, "okm").unwrap();
        assert_eq!(all, members(text, 8).unwrap());
        let inner = inner.unwrap();
        assert_eq!(inner.place, all[1].value);
        assert_eq!(inner.members, members(&text[inner.place.clone()], 8).unwrap());
        assert_eq!(inner.levels, 3);
        for (text, sound) in [(&b"{\"okm\":[{}]}"[..], true), (b"{\"a\":{\"okm\":{}}}", true), (b"[]", false)]
        {
            assert_eq!(members_within(text, 8, "okm").ok().map(|(_, inner)| inner), sound.then_some(None));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(elements(&deep(8), 8).is_ok());
        assert_eq!(elements(&deep(9), 8), Err(Fault::Depth(8)));
        assert_eq!(elements(&deep(1_000_000), 32), Err(Fault::Depth(32)));
    }

    #[test]
    fn a_nul_may_follow_and_nothing_else() {
        assert!(members(b"{}\0", 8).is_ok());
        assert_eq!(members(b"{}x", 8), Err(Fault::Syntax(2)));
        assert_eq!(members(b"[]", 8), Err(Fault::NotObject));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_about_what_is_json(text in r#"[\[\]{}:,"\\a0-9eE+.\- tfn]{0,24}"#) {
            let strict: Result<Box<serde_json::value::RawValue>, _> = serde_json::from_str(&text);
            prop_assert_eq!(elements(text.as_bytes(), 64).is_ok(), strict.is_ok());
        }

        #[test]
        fn one_pass_finds_what_two_find(value in r#"[{}:,"a1 \[\]]{0,24}"#) {
            let text = format!(r#"{{"okm":{{"a":{value}}},"ts":1}}"#);
            let one = members_within(text.as_bytes(), 64, "okm");
            prop_assert_eq!(one.as_ref().ok().map(|(all, _)| all.clone()), members(text.as_bytes(), 64).ok());
            if let Ok((_, Some(inner))) = one {
                let alone = &text.as_bytes()[inner.place.clone()];
                for depth_max in 0..6 {
                    let sound = members(alone, depth_max);
                    prop_assert_eq!(sound.is_ok(), inner.levels <= depth_max);
                    prop_assert!(sound.is_err() || sound.as_ref() == Ok(&inner.members));
                }
            }
        }

        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop((members(&text, 4), elements(&text, 4)));
        }
    }
}
