//! Tests of whole bodies: the samples of `sca11h.md §9` in every spelling, and what is broken.

use super::*;

const A: &str = include_str!("samples/a.xml");
const B: &str = include_str!("samples/b.xml");
const C: &str = include_str!("samples/c.xml");

fn said(text: impl AsRef<[u8]>) -> Message {
    read(&Bytes::copy_from_slice(text.as_ref()))
}

fn only(message: &Message) -> &Said {
    let [said] = &message.nodes[..] else { panic!("{message:?}") };
    said
}

#[test]
fn the_samples_have_their_sizes() {
    assert_eq!((A.len(), B.len(), C.len()), (573, 538, 704));
    for (text, rows) in [(A, 5), (B, 5), (C, 10)] {
        let message = said(text);
        assert_eq!(message.fault, None);
        assert_eq!((only(&message).rows_count(), only(&message).skipped), (rows, 0));
        assert_eq!(only(&message).own, None);
    }
}

#[test]
fn every_spelling_parses_alike() {
    // sca11h.md §9 E
    let wanted = said(A).nodes;
    let lines = |between: &str| A.replace("\r\n", between);
    let wide: Vec<u8> =
        "\u{FEFF}".encode_utf16().chain(A.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let wide_be: Vec<u8> =
        "\u{FEFF}".encode_utf16().chain(A.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let spellings: Vec<Vec<u8>> = vec![
        format!("\u{FEFF}{A}").into(),
        format!(" \r\n\t{A}\r\n").into(),
        lines("\n").into(),
        lines("\n      ").into(),
        lines(" ").into(),
        A.replace("<Data>", "<Data xmlns='http://example.com/bcg'>").into(),
        A.replace("sep=\",\">", "sep=','><![CDATA[").replace("</Values>", "]]></Values>").into(),
        A.replace('"', "'").into(),
        wide,
        wide_be,
    ];
    for spelling in spellings {
        let message = said(&spelling);
        let text = String::from_utf8_lossy(&spelling);
        assert_eq!(message.fault, None, "{text}");
        assert_eq!(message.nodes, wanted, "{text}");
    }
    let lower = said(A.to_lowercase());
    assert_eq!(only(&lower).measured[0].rows, wanted[0].measured[0].rows);
    assert_eq!(only(&lower).node, wanted[0].node);
}

#[test]
fn bare_rows_are_a_message_of_nobody() {
    // sca11h.md §9 F
    let message = said("17,61,14,55,31,912,1,978,1004,0\n");
    assert_eq!(message.fault, None);
    assert_eq!((only(&message).node.as_deref(), only(&message).measured[0].rows[0].index), (None, Some(17)));
    for nothing in ["", " \r\n", "hello", "{}", "a=b&c=d", "1,2,3"] {
        assert_eq!(said(nothing).nodes, [], "{nothing}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_do_not_hide_the_rows() {
    let mut bytes = A.as_bytes().to_vec();
    let at = A.find("home").unwrap();
    bytes[at] = 0xE4;
    let message = said(&bytes);
    assert_eq!(message.fault, None);
    assert_eq!(only(&message).network.as_deref(), Some("äome"));
    assert_eq!(only(&message).rows_count(), 5);
}

#[test]
fn what_is_broken_is_salvaged() {
    let wanted = said(A).nodes[0].clone();
    let unclosed = A.replace("</Measurement></Sensor>", "");
    let ampersand = A.replace("id=\"BCG\"", "id=\"B & C\"").replace("<Component id=\"HR\"/>", "<x>a & b</x>");
    let multipart = format!("--x\r\nContent-Type: text/xml\r\n\r\n{A}\r\n--x--\r\n");
    for text in [unclosed, ampersand, multipart] {
        let message = said(&text);
        let found = only(&message);
        assert_eq!(found.node, wanted.node, "{text}");
        assert_eq!(found.measured, wanted.measured, "{text}");
    }
}

#[test]
fn a_body_that_was_cut_off_loses_its_last_row_alone() {
    let cut = &A[..A.find("0,0\r\n</Values>").unwrap()];
    for end in 0..=cut.len() {
        let message = said(&cut[..end]);
        for row in message.nodes.iter().flat_map(|said| &said.measured).flat_map(|measured| &measured.rows) {
            assert!((120..124).contains(&row.index.unwrap()), "{end}: {row:?}");
            assert!(row.hr.is_some_and(|hr| hr >= 60), "{end}: {row:?}");
        }
    }
    let message = said(cut);
    assert_eq!(only(&message).rows_count(), 4);
    assert!(matches!(message.fault, Some(Fault::Syntax(_))));
}

#[test]
fn what_is_dangerous_is_not_salvaged() {
    for text in [
        A.replace("<Data>", "<!DOCTYPE Data [<!ENTITY a \"b\">]><Data>"),
        A.replace("120,61", "&a;"),
        A.replace("<Data>", &format!("<Data>{}", "<a>".repeat(20))),
    ] {
        let message = said(&text);
        assert_eq!(message.nodes, [], "{text}");
        assert!(message.fault.is_some());
    }
}

#[test]
fn nodes_of_one_message_are_told_apart() {
    let node = A.find("<Node").unwrap()..A.find("</Network>").unwrap();
    let other = A[node.clone()].replace("00:11:22:33:44:55", "bed 2").replace("120,", "220,");
    let text = format!("{}{}{other}{}", &A[..node.end], "", &A[node.end..]);
    let message = said(&text);
    let [one, two] = &message.nodes[..] else { panic!("{message:?}") };
    assert_eq!((one.node.as_deref(), two.node.as_deref()), (Some("00:11:22:33:44:55"), Some("bed 2")));
    assert_eq!(two.own.as_deref(), Some(other.as_bytes()));
    assert_eq!(two.measured[0].rows[0].index, Some(220));
    // What was kept of the second one can be read again.
    assert_eq!(only(&read(two.own.as_ref().unwrap())).measured, two.measured);
    let twice = A.replace(
        "</Sensor>",
        "</Sensor><Sensor><Measurement time='t2'><Values>1,2,3,4,5,6,1,0,0,0</Values></Measurement></Sensor>",
    );
    let message = said(&twice);
    assert_eq!(only(&message).measured.len(), 2);
    assert_eq!(only(&message).measured[1].time.as_deref(), Some("t2"));
}

#[test]
fn rows_of_one_message_have_an_end() {
    let rows = "1,61,14,55,31,912,1,978,1004,0\n".repeat(5000);
    let message = said(A.replace("120,61,14,55,31,912,1,978,1004,0\r\n", &rows));
    assert_eq!((only(&message).rows_count(), only(&message).skipped), (3600, 1404));
}

#[test]
fn hostile_text_takes_no_time() {
    // Each of these would take minutes if a step looked at the rest of the text anew.
    for piece in ["<", "<a", "<values>", "<node id=", ">", "&", "<values ", "a=", "]]>", "<![CDATA["] {
        let text = piece.repeat(200_000 / piece.len());
        drop(said(&text));
        drop(said(format!("<Data>{text}")));
    }
}
