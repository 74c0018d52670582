//! The bodies of pushes, in every spelling of `sca11h.md §9`, and bodies that are none. Pure.

use std::fmt::Write as _;

use bytes::Bytes;

use super::night::Second;

/// How a body is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Samples A to C.
    Plain,
    /// Sample D among good rows: too few fields, no index, no number, empty fields.
    Damaged,
    /// Sample E: names in lower case,
    LowerCase,
    /// a default namespace,
    Namespace,
    /// one with a prefix,
    Prefix,
    /// a byte order mark,
    Bom,
    /// rows by line feeds,
    LineFeeds,
    /// by blanks,
    Blanks,
    /// by line feeds with indentation,
    Indented,
    /// no XML declaration,
    NoDeclaration,
    /// rows in CDATA,
    CData,
    /// attributes in single quotes.
    SingleQuotes,
    /// Two measurements in one message.
    Two,
    /// Sample F: rows, and nothing around them that says whose they are.
    Bare,
}

impl Spelling {
    /// Each of them.
    pub(super) const ALL: [Self; 14] = [
        Self::Plain,
        Self::Damaged,
        Self::LowerCase,
        Self::Namespace,
        Self::Prefix,
        Self::Bom,
        Self::LineFeeds,
        Self::Blanks,
        Self::Indented,
        Self::NoDeclaration,
        Self::CData,
        Self::SingleQuotes,
        Self::Two,
        Self::Bare,
    ];
}

/// What stands around the rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    pub(super) network: &'a str,
    pub(super) node: &'a str,
    pub(super) time: &'a str,
}

/// A body: rows with their indexes, in a spelling.
pub(super) fn body(spelling: Spelling, around: &Around<'_>, rows: &[(u32, Second)]) -> Bytes {
    let (end, indent) = ends(spelling);
    let text = |rows: &[(u32, Second)]| {
        let mut text = String::with_capacity(rows.len() * 40);
        for (index, second) in rows {
            text.push_str(indent);
            row(&mut text, *index, second, spelling == Spelling::Damaged);
            text.push_str(end);
        }
        text
    };
    if spelling == Spelling::Bare {
        return text(rows).into();
    }
    let halves =
        if spelling == Spelling::Two { rows.split_at(rows.len() / 2) } else { (rows, [].as_slice()) };
    let mut xml = String::with_capacity(500 + rows.len() * 40);
    for part in [halves.0, halves.1].into_iter().filter(|part| !part.is_empty()) {
        let rows = text(part);
        let rows = if spelling == Spelling::CData {
            format!("<![CDATA[{end}{rows}]]>")
        } else {
            format!("{end}{rows}")
        };
        // A string takes whatever is written to it.
        let _ = write!(
            xml,
            r#"<Measurement time="{}">{COMPONENTS}<Values sep=",">{rows}</Values></Measurement>"#,
            around.time
        );
    }
    let (network, node) = (around.network, around.node);
    let xml = format!(
        r#"<Data><Network id="{network}"><Node id="{node}"><Sensor id="BCG">{xml}</Sensor></Node></Network></Data>"#
    );
    let declared = |xml: &str| format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n{xml}");
    match spelling {
        Spelling::NoDeclaration => xml,
        Spelling::Bom => format!("\u{feff}{}", declared(&xml)),
        Spelling::LowerCase => NAMES.iter().fold(declared(&xml), |xml, name| {
            let low = name.to_ascii_lowercase();
            xml.replace(&format!("<{name}"), &format!("<{low}"))
                .replace(&format!("</{name}"), &format!("</{low}"))
        }),
        Spelling::Prefix => declared(&NAMES.iter().fold(xml, |xml, name| {
            xml.replace(&format!("<{name}"), &format!("<b:{name}"))
                .replace(&format!("</{name}"), &format!("</b:{name}"))
        }))
        .replace("<b:Data>", r#"<b:Data xmlns:b="urn:example:bcg">"#),
        Spelling::Namespace => declared(&xml).replace("<Data>", r#"<Data xmlns="urn:example:bcg">"#),
        Spelling::SingleQuotes => declared(&xml.replace('"', "'")),
        Spelling::Plain
        | Spelling::Damaged
        | Spelling::LineFeeds
        | Spelling::Blanks
        | Spelling::Indented
        | Spelling::CData
        | Spelling::Two
        | Spelling::Bare => declared(&xml),
    }
    .into()
}

/// What stands after each row, and before it.
const fn ends(spelling: Spelling) -> (&'static str, &'static str) {
    match spelling {
        Spelling::LineFeeds | Spelling::Bare => ("\n", ""),
        Spelling::Indented => ("\n", "          "),
        Spelling::Blanks => (" ", ""),
        Spelling::Plain
        | Spelling::Damaged
        | Spelling::LowerCase
        | Spelling::Namespace
        | Spelling::Prefix
        | Spelling::Bom
        | Spelling::NoDeclaration
        | Spelling::CData
        | Spelling::SingleQuotes
        | Spelling::Two => ("\r\n", ""),
    }
}

/// One row; a damaged body has others before it that cannot be read, and leaves fields empty that have no value.
fn row(text: &mut String, index: u32, second: &Second, damaged: bool) {
    let Second { hr, rr, sv, hrv, strength, status, beats: [b0, b1, b2] } = *second;
    if !damaged {
        // A string takes whatever is written to it.
        let _ = write!(text, "{index},{hr},{rr},{sv},{hrv},{strength},{status},{b0},{b1},{b2}");
        return;
    }
    match index % 4 {
        0 => {
            let _ = write!(text, "{index},61,14\r\n");
        }
        1 => text.push_str(",60,14,56,29,930,1,1012,0,0\r\n"),
        2 => {
            let _ = write!(text, "{index},x,14,56,29,930,1,1012,0,0\r\n");
        }
        _ => {}
    }
    let some = |value: u32| if value == 0 { String::new() } else { value.to_string() };
    let [hr, rr, sv, hrv, b0, b1, b2] = [hr, rr, sv, hrv, b0, b1, b2].map(some);
    let _ = write!(text, "{index},{hr},{rr},{sv},{hrv},{strength},{status},{b0},{b1},{b2}");
}

/// A body that is none, or none of much use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Garbage {
    /// White space.
    Blank,
    /// Bytes that are no text.
    Noise,
    /// Something else's JSON.
    Json,
    /// A page of a web server.
    Html,
    /// XML without a node.
    Hollow,
    /// Entities that would fill the memory.
    Laughs,
    /// A node whose rows cannot be read.
    Rowless,
}

impl Garbage {
    /// Each of them.
    pub(super) const ALL: [Self; 7] =
        [Self::Blank, Self::Noise, Self::Json, Self::Html, Self::Hollow, Self::Laughs, Self::Rowless];
}

/// Such a body; `place` makes it another one than those before.
pub(super) fn garbage(kind: Garbage, around: &Around<'_>, place: u32) -> Bytes {
    let Around { node, time, .. } = around;
    match kind {
        // Each node's and each time's another.
        Garbage::Blank => {
            let bits = node.bytes().chain(place.to_le_bytes()).flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
            bits.map(|bit| if bit == 0 { ' ' } else { '\t' }).collect::<String>().into()
        }
        Garbage::Noise => {
            let mut noise = vec![0xFE, 0x00, 0xC3, 0x28, 0xFF];
            noise.extend_from_slice(&place.to_le_bytes());
            noise.extend_from_slice(node.as_bytes());
            noise.into()
        }
        Garbage::Json => format!(r#"{{"node":"{node}","place":{place}}}"#).into(),
        Garbage::Html => format!("<html><body><p>{node} {place}</body></html>").into(),
        Garbage::Hollow => format!(r#"<Data><Network id="{node} {place}"/></Data>"#).into(),
        Garbage::Laughs => {
            let mut entities = String::new();
            for level in 1..10 {
                let inner = format!("&l{};", level - 1).repeat(10);
                // A string takes whatever is written to it.
                let _ = write!(entities, "<!ENTITY l{level} \"{inner}\">");
            }
            format!("<!DOCTYPE Data [<!ENTITY l0 \"{place}\">{entities}]><Data><Node id=\"{node}\">&l9;</Node></Data>").into()
        }
        Garbage::Rowless => format!(
            r#"<Data><Network id="n"><Node id="{node}"><Sensor><Measurement time="{time}"><Values sep=",">{place},1,2</Values></Measurement></Sensor></Node></Network></Data>"#
        )
        .into(),
    }
}

/// Nine columns after the index; the names of the last three are placeholders (§9).
const COMPONENTS: &str = r#"<Component id="HR"/><Component id="RR"/><Component id="SV"/><Component id="HRV"/><Component id="SS"/><Component id="ST"/><Component id="B2B0"/><Component id="B2B1"/><Component id="B2B2"/>"#;
const NAMES: [&str; 7] = ["Data", "Network", "Node", "Sensor", "Measurement", "Component", "Values"];
