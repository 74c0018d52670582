//! Tests of the XML reader.

use super::*;

const A: &str = include_str!("samples/a.xml");

#[test]
fn names_are_found_in_any_spelling() {
    let read_as = |text: &str| read(text).unwrap_or_else(|fault| panic!("{fault}: {text}"));
    let plain = read_as(A);
    assert_eq!(plain.len(), 1);
    let found = &plain[0];
    assert_eq!(found.network.as_deref(), Some("home"));
    assert_eq!(found.node.as_deref(), Some("00:11:22:33:44:55"));
    assert_eq!(found.time.as_deref(), Some("2017-03-19T23:00:00Z"));
    assert_eq!(found.rows.trim().lines().count(), 5);
    assert!(A[found.span.clone()].starts_with("<Node ") && A[found.span.clone()].ends_with("</Node>"));
    let rows = plain[0].rows.clone();
    let lower = A.to_lowercase();
    let spaced = A.replace("<Data>", "<Data xmlns=\"urn:bcg\" xmlns:x=\"urn:x\">");
    let prefixed =
        A.replace("</", "</b:").replace('<', "<b:").replace("<b:/b:", "</b:").replace("<b:?", "<?");
    let bare = A.split_once("?>\r\n").map(|(_, rest)| rest.to_owned()).unwrap();
    let quoted = A.replace('"', "'");
    let cdata = A.replace("sep=\",\">", "sep=\",\"><![CDATA[").replace("</Values>", "]]></Values>");
    for text in [lower, spaced, prefixed, bare, quoted, cdata] {
        let found = read_as(&text);
        assert_eq!(found[0].rows, rows, "{text}");
        assert_eq!(found[0].node.as_deref(), Some("00:11:22:33:44:55"), "{text}");
        assert!(
            found[0].time.as_deref().is_some_and(|time| time.eq_ignore_ascii_case("2017-03-19T23:00:00Z"))
        );
    }
}

#[test]
fn what_is_dangerous_ends_the_reading() {
    let laughs = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"{}\">]><Data>&lol2;</Data>",
        "&lol;".repeat(10)
    );
    assert_eq!(read(&laughs), Err(Fault::DocumentType));
    assert_eq!(read(&A.replace("120,61", "&lol;")), Err(Fault::Entity));
    assert_eq!(read(&A.replace("id=\"home\"", "id=\"&lol;\"")), Err(Fault::Entity));
    let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
    assert_eq!(read(&deep), Err(Fault::Depth));
    assert_eq!(read(&format!("{}{}", "<a>".repeat(16), "</a>".repeat(16))), Err(Fault::Rowless));
    let many = format!("<Data>{}</Data>", "<Values/>".repeat(257));
    assert_eq!(read(&many), Err(Fault::TooMany));
    for fault in [Fault::DocumentType, Fault::Entity, Fault::Depth, Fault::TooMany] {
        assert!(!fault.may_be_salvaged(), "{fault}");
    }
}

#[test]
fn references_that_xml_defines_are_read() {
    let text = A.replace("\n121", "&#13;&#10;121").replace("id=\"home\"", "id=\"a &amp; b\"");
    let found = read(&text).unwrap();
    assert_eq!(found[0].rows.trim().lines().count(), 5);
    assert_eq!(found[0].network.as_deref(), Some("a & b"));
}

#[test]
fn what_is_no_xml_says_so() {
    for text in ["", "hello", "17,61,14,55,31,912,1,978,1004,0\n", "<Data></Data>", "<Data/>"] {
        assert_eq!(read(text), Err(Fault::Rowless), "{text}");
    }
    for text in ["<Data", "<Data>", "<Data></Node>", "<Data><Values>1 & 2</Values></Data>", "</Data>"] {
        assert!(matches!(read(text), Err(Fault::Syntax(_))), "{text}: {:?}", read(text));
    }
}

#[test]
fn several_nodes_keep_their_own_places() {
    let node = |id: &str| {
        format!("<Node id=\"{id}\"><Measurement time=\"t\"><Values>1,2</Values></Measurement></Node>")
    };
    let text = format!("<Data><Network id=\"n\">{}{}</Network></Data>", node("a"), node("b"));
    let found = read(&text).unwrap();
    let nodes: Vec<_> = found.iter().map(|one| one.node.as_deref().unwrap()).collect();
    assert_eq!(nodes, ["a", "b"]);
    assert_eq!(text[found[0].span.clone()], node("a"));
    assert_eq!(text[found[1].span.clone()], node("b"));
}
