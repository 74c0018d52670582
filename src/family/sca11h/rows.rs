//! The text of `Values` → rows, tolerantly (`sca11h.md §4.3, §4.4`). Pure.

use super::columns::{COLUMNS, Column, Columns};

/// One row. `None` where its field was empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// The counter of seconds; `None` in rows of nine fields.
    pub(super) index: Option<i64>,
    /// Heart rate.
    pub(super) hr: Option<i64>,
    /// Respiration rate.
    pub(super) rr: Option<i64>,
    /// Stroke volume.
    pub(super) sv: Option<i64>,
    /// Heart rate variability.
    pub(super) hrv: Option<i64>,
    /// Signal strength.
    pub(super) ss: Option<i64>,
    /// The status code.
    pub(super) status: Option<i64>,
    /// Beat-to-beat intervals, the newest first.
    pub(super) beats: [Option<i64>; 3],
}

/// What a text held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// Those that could be read, in the text's order.
    pub(super) rows: Vec<Row>,
    /// How many could not.
    pub(super) skipped: usize,
}

/// Reads rows separated by line ends or blanks. A row has ten fields; nine mean that there is no index, and are taken
/// only where no row of the text has ten.
pub(super) fn read(text: &str, columns: &Columns, rows_max: usize) -> Rows {
    let nine = !pieces(text).any(|piece| fields(piece) == COLUMNS);
    let mut found = Rows::default();
    for piece in pieces(text) {
        match row(piece, columns, nine) {
            Some(row) if found.rows.len() < rows_max => found.rows.push(row),
            Some(_) | None => found.skipped += 1,
        }
    }
    found
}

/// The rows as text: lines, and where a line holds several with blanks between them, those.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r']).flat_map(|line| {
        let line = line.trim();
        let blanks = if fields(line) != COLUMNS && line.contains(char::is_whitespace) {
            whole(line.split_whitespace())
        } else {
            0
        };
        // `1, 2, 3` is one row with blanks in it; `1,2,3 4,5,6` are two.
        let (several, one) = if blanks > 0 { (line, "") } else { ("", line) };
        several.split_whitespace().chain((!one.is_empty()).then_some(one))
    })
}

fn whole<'a>(pieces: impl Iterator<Item = &'a str>) -> usize {
    pieces.filter(|piece| matches!(fields(piece), 9 | COLUMNS)).count()
}

fn fields(piece: &str) -> usize {
    if piece.is_empty() { 0 } else { 1 + piece.bytes().filter(|byte| *byte == b',').count() }
}

fn row(piece: &str, columns: &Columns, nine: bool) -> Option<Row> {
    let count = fields(piece);
    let without_index = nine && count == COLUMNS - 1;
    if count != COLUMNS && !without_index {
        return None;
    }
    let order = columns.0.iter().filter(|column| !without_index || **column != Column::Index);
    let mut row = Row::default();
    for (column, field) in order.zip(piece.split(',')) {
        let value = number(field.trim()).ok()?;
        let place = match column {
            Column::Index => &mut row.index,
            Column::Hr => &mut row.hr,
            Column::Rr => &mut row.rr,
            Column::Sv => &mut row.sv,
            Column::Hrv => &mut row.hrv,
            Column::Ss => &mut row.ss,
            Column::Status => &mut row.status,
            Column::Beat => &mut row.beats[0],
            Column::BeatBefore => &mut row.beats[1],
            Column::BeatBeforeThat => &mut row.beats[2],
        };
        *place = value;
    }
    (without_index || row.index.is_some()).then_some(row)
}

/// A field that is no number.
#[derive(Debug, PartialEq, Eq)]
struct NoNumber;

/// A field: empty, or a whole number with up to ten digits.
fn number(field: &str) -> Result<Option<i64>, NoNumber> {
    if field.is_empty() {
        return Ok(None);
    }
    let (negative, digits) = match field.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 10 {
        return Err(NoNumber);
    }
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(NoNumber);
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Ok(Some(if negative { -value } else { value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Rows {
        read(text, &Columns::default(), 100)
    }

    fn indexes(text: &str) -> (Vec<Option<i64>>, usize) {
        let rows = found(text);
        (rows.rows.iter().map(|row| row.index).collect(), rows.skipped)
    }

    const D: &str = "\r\n40,61,14,55,31,912,1,978,1004,0\r\n41,61,14\r\n,60,14,56,29,930,1,1012,0,0\r\n\
                     43,,14,56,,930,1,,,\r\n44,x,14,56,29,930,1,1012,0,0\r\n45,61,14,55,31,912,7,978,0,0\r\n";

    #[test]
    fn damaged_rows_are_skipped_and_the_others_stay() {
        // sca11h.md §9 D
        let rows = found(D);
        assert_eq!(rows.skipped, 3);
        let [first, fourth, sixth] = rows.rows[..] else { panic!("{rows:?}") };
        assert_eq!(
            first,
            Row {
                index: Some(40),
                hr: Some(61),
                rr: Some(14),
                sv: Some(55),
                hrv: Some(31),
                ss: Some(912),
                status: Some(1),
                beats: [Some(978), Some(1004), Some(0)],
            }
        );
        assert_eq!((fourth.index, fourth.hr, fourth.rr, fourth.hrv), (Some(43), None, Some(14), None));
        assert_eq!(fourth.beats, [None; 3]);
        assert_eq!(sixth.status, Some(7));
    }

    #[test]
    fn rows_are_told_apart_by_line_ends_and_by_blanks() {
        let (one, two) = ("1,2,3,4,5,6,1,8,9,0", "2,2,3,4,5,6,1,8,9,0");
        for between in ["\r\n", "\n", "\r", " ", "   ", "\n        ", "\t", "\r\n\r\n"] {
            let text = format!("{between}{one}{between}{two}{between}");
            assert_eq!(indexes(&text), (vec![Some(1), Some(2)], 0), "{between:?}");
        }
        assert_eq!(indexes("1, 2, 3,4 ,5,6,1 , 8,9,0\n2 ,2,3,4,5,6,1,8,9, 0").0.len(), 2);
        assert_eq!(indexes(""), (vec![], 0));
        assert_eq!(indexes(" \r\n "), (vec![], 0));
        assert_eq!(indexes("hello"), (vec![], 1));
    }

    #[test]
    fn nine_fields_are_a_row_where_none_has_ten() {
        assert_eq!(indexes("2,3,4,5,6,1,8,9,0\n2,3,4,5,6,1,8,9,0"), (vec![None, None], 0));
        assert_eq!(indexes("1,2,3,4,5,6,1,8,9,0\n2,2,3,4,5,6,1,8,9").1, 1, "a row that was cut off");
        assert_eq!(found("2,3,4,5,6,1,8,9,0").rows[0].hr, Some(2));
    }

    #[test]
    fn numbers_have_a_sign_and_ten_digits_at_most() {
        assert_eq!(number("+0060"), Ok(Some(60)));
        assert_eq!(number(""), Ok(None));
        assert_eq!(number("-1"), Ok(Some(-1)));
        assert_eq!(number("4294967295"), Ok(Some(4_294_967_295)));
        for bad in ["42949672950", "-", "+", "1.5", "x", "1 2", "١"] {
            assert_eq!(number(bad), Err(NoNumber), "{bad}");
        }
    }

    #[test]
    fn rows_beyond_the_most_are_counted() {
        let text = "1,2,3,4,5,6,1,8,9,0\n".repeat(7);
        let rows = read(&text, &Columns::default(), 5);
        assert_eq!((rows.rows.len(), rows.skipped), (5, 2));
    }
}
