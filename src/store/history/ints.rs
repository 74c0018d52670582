//! Rows of whole numbers in few bytes: as they are, as differences or as differences of those; each written singly, in
//! runs, or packed into as many bits as the widest needs. The writer takes what is shortest.

use super::wire::{Bytes, fold, length, low_byte, put_count, put_signed};

/// Writes a row. Its length is not written: who reads knows it.
pub(super) fn write(out: &mut Vec<u8>, numbers: &[i64]) {
    let Some((first, rest)) = numbers.split_first() else { return };
    if rest.iter().all(|number| number == first) {
        return write_as(out, Form { depth: 0, coding: Coding::Runs }, numbers);
    }
    // Most rows are short: those are worked on without asking for memory.
    let (mut few, mut many) = ([0; FEW], Vec::new());
    let row = if let Some(row) = few.get_mut(..numbers.len()) {
        row
    } else {
        many.resize(numbers.len(), 0);
        many.as_mut_slice()
    };
    row.copy_from_slice(numbers);
    let mut best: Option<(usize, Form)> = None;
    let mut heads = 0;
    for depth in 0..=DEPTH_MAX {
        let residuals = row.get(usize::from(depth)..).unwrap_or_default();
        for (size, coding) in sizes(residuals) {
            if best.is_none_or(|(least, _)| heads + size < least) {
                best = Some((heads + size, Form { depth, coding }));
            }
        }
        if usize::from(depth) + 1 > numbers.len() {
            break;
        }
        heads += row.get(usize::from(depth)).map_or(0, |head| length(fold(*head)));
        difference(row, usize::from(depth));
    }
    if let Some((_, form)) = best {
        row.copy_from_slice(numbers);
        for place in 0..usize::from(form.depth) {
            difference(row, place);
        }
        write_as(out, form, row);
    }
}

/// Writes a row of so many noughts.
pub(super) fn write_zeros(out: &mut Vec<u8>, count: usize) {
    if count > 0 {
        out.push(Form { depth: 0, coding: Coding::Runs }.code());
        put_count(out, count);
        put_signed(out, 0);
    }
}

/// Reads a row of `count` numbers.
pub(super) fn read(from: &mut Bytes<'_>, count: usize) -> Option<Vec<i64>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let form = Form::read(from.byte()?)?;
    let depth = usize::from(form.depth);
    if depth > count {
        return None;
    }
    // A byte may stand for many numbers; who calls bounds the count.
    let mut row = Vec::with_capacity(count);
    for _ in 0..depth {
        row.push(from.signed()?);
    }
    match form.coding {
        Coding::Singly => {
            for _ in depth..count {
                row.push(from.signed()?);
            }
        }
        Coding::Runs => {
            while row.len() < count {
                let run = from.count(count - row.len())?;
                let number = from.signed()?;
                if run == 0 {
                    return None;
                }
                row.resize(row.len() + run, number);
            }
        }
        Coding::Packed => unpack(from, &mut row, count)?,
    }
    for place in (0..depth).rev() {
        integrate(&mut row, place);
    }
    Some(row)
}

/// How a row is written.
#[derive(Clone, Copy)]
struct Form {
    /// How often differences were taken.
    depth: u8,
    coding: Coding,
}

#[derive(Clone, Copy)]
enum Coding {
    Singly,
    Runs,
    Packed,
}

impl Form {
    const fn code(self) -> u8 {
        let coding = match self.coding {
            Coding::Singly => 0,
            Coding::Runs => 1,
            Coding::Packed => 2,
        };
        self.depth * CODINGS + coding
    }

    const fn read(code: u8) -> Option<Self> {
        let depth = code / CODINGS;
        if depth > DEPTH_MAX {
            return None;
        }
        let coding = match code % CODINGS {
            0 => Coding::Singly,
            1 => Coding::Runs,
            _ => Coding::Packed,
        };
        Some(Self { depth, coding })
    }
}

/// Writes a row of which differences were taken.
fn write_as(out: &mut Vec<u8>, form: Form, row: &[i64]) {
    out.push(form.code());
    let depth = usize::from(form.depth);
    let (heads, residuals) = row.split_at(depth.min(row.len()));
    for head in heads {
        put_signed(out, *head);
    }
    match form.coding {
        Coding::Singly => {
            for number in residuals {
                put_signed(out, *number);
            }
        }
        Coding::Runs => {
            for run in residuals.chunk_by(|one, next| one == next) {
                put_count(out, run.len());
                put_signed(out, run.first().copied().unwrap_or_default());
            }
        }
        Coding::Packed => pack(out, residuals),
    }
}

/// Puts differences in the place of all numbers behind `place`.
fn difference(row: &mut [i64], place: usize) {
    let Some(row) = row.get_mut(place..) else { return };
    let mut before = 0;
    for (nth, number) in row.iter_mut().enumerate() {
        let here = *number;
        if nth > 0 {
            *number = here.wrapping_sub(before);
        }
        before = here;
    }
}

fn integrate(row: &mut [i64], place: usize) {
    let Some(row) = row.get_mut(place..) else { return };
    let mut so_far: i64 = 0;
    for number in row {
        so_far = so_far.wrapping_add(*number);
        *number = so_far;
    }
}

/// The sizes of the three codings of a row.
fn sizes(row: &[i64]) -> [(usize, Coding); 3] {
    let (mut singly, mut runs) = (0, 0);
    let (mut least, mut most) =
        (row.first().copied().unwrap_or_default(), row.first().copied().unwrap_or_default());
    let (mut before, mut equal) = (None, 0_u64);
    for number in row {
        let size = length(fold(*number));
        singly += size;
        least = least.min(*number);
        most = most.max(*number);
        if before == Some(*number) {
            equal += 1;
        } else {
            // The run before ends.
            runs += size + if equal > 0 { length(equal) } else { 0 };
            (before, equal) = (Some(*number), 1);
        }
    }
    runs += if equal > 0 { length(equal) } else { 0 };
    let width = width(least, most);
    let packed = length(fold(least)) + 1 + (row.len() * usize::from(width)).div_ceil(8);
    [(singly, Coding::Singly), (runs, Coding::Runs), (packed, Coding::Packed)]
}

/// The least of a row, and how many bits each number's distance from it takes.
fn frame(row: &[i64]) -> (i64, u8) {
    let least = row.iter().copied().min().unwrap_or_default();
    let most = row.iter().copied().max().unwrap_or_default();
    (least, width(least, most))
}

fn width(least: i64, most: i64) -> u8 {
    let span = most.wrapping_sub(least).cast_unsigned();
    low_byte(u64::from(64 - span.leading_zeros()))
}

fn pack(out: &mut Vec<u8>, row: &[i64]) {
    let (least, width) = frame(row);
    put_signed(out, least);
    out.push(width);
    let (mut held, mut bits) = (0_u128, 0_u32);
    for number in row {
        held |= u128::from(number.wrapping_sub(least).cast_unsigned()) << bits;
        bits += u32::from(width);
        while bits >= 8 {
            out.push((held & 0xff) as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push((held & 0xff) as u8);
    }
}

/// Reads packed numbers until the row has `count`.
fn unpack(from: &mut Bytes<'_>, row: &mut Vec<i64>, count: usize) -> Option<()> {
    let least = from.signed()?;
    let width = from.byte().filter(|width| *width <= 64)?;
    let missing = count - row.len();
    let mut packed = from.take((missing * usize::from(width)).div_ceil(8))?.iter();
    let mask = (1_u128 << width) - 1;
    let (mut held, mut bits) = (0_u128, 0_u32);
    for _ in 0..missing {
        while bits < u32::from(width) {
            held |= u128::from(*packed.next()?) << bits;
            bits += 8;
        }
        let low = u64::try_from(held & mask).ok()?;
        row.push(least.wrapping_add(low.cast_signed()));
        held >>= width;
        bits -= u32::from(width);
    }
    // What fills the last byte is nothing.
    (held == 0).then_some(())
}

const CODINGS: u8 = 3;
const DEPTH_MAX: u8 = 2;
/// What a filing makes of a device's messages is mostly shorter than this.
const FEW: usize = 64;

/// Writes numbers with a point: as whole ones where a power of ten makes them so, else bit by bit.
pub(super) fn write_reals(out: &mut Vec<u8>, numbers: &[f64]) {
    if numbers.is_empty() {
        return;
    }
    for (places, scale) in (0_u8..).zip(SCALES) {
        if let Some(whole) = numbers.iter().map(|number| scaled(*number, scale)).collect::<Option<Vec<_>>>() {
            out.push(places);
            return write(out, &whole);
        }
    }
    out.push(EXACT);
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
}

/// Reads `count` numbers with a point.
pub(super) fn read_reals(from: &mut Bytes<'_>, count: usize) -> Option<Vec<f64>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let places = from.byte()?;
    if places == EXACT {
        let exact = from.take(count.checked_mul(8)?)?;
        let (exact, _) = exact.as_chunks::<8>();
        return Some(exact.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect());
    }
    let scale = *SCALES.get(usize::from(places))?;
    Some(read(from, count)?.into_iter().map(|whole| unscaled(whole, scale)).collect())
}

/// The whole number that stands for a number at this scale, if it comes back as the very same.
#[expect(clippy::cast_possible_truncation, reason = "what does not come back the same is not taken")]
fn scaled(number: f64, scale: f64) -> Option<i64> {
    let whole = (number * scale).round();
    if whole.is_nan() || whole.abs() > WHOLE_MAX {
        return None;
    }
    let whole = whole as i64;
    (unscaled(whole, scale).to_bits() == number.to_bits()).then_some(whole)
}

#[expect(clippy::cast_precision_loss, reason = "whole numbers up to 2^53 are exact, others are not written")]
fn unscaled(whole: i64, scale: f64) -> f64 {
    whole as f64 / scale
}

const SCALES: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
const EXACT: u8 = 0xff;
/// 2^53: up to it every whole number is a float.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
