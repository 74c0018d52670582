//! Murata's formula for adaptive calibration (`sca11h.md §6.2`): an empty and an occupied stretch in, six parameters
//! out. Pure.

use serde::Serialize;

use super::pars::{FIELDS, Pars};

/// What the formula looks at. Seconds of movement are left out before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretches {
    /// Signal strength of the empty bed, one number for each second.
    pub(super) empty_ss: Vec<i64>,
    /// Signal strength of the occupied bed.
    pub(super) occupied_ss: Vec<i64>,
    /// Stroke-volume index of the occupied bed; 0 where the node had none.
    pub(super) occupied_sv: Vec<i64>,
}

/// What the formula made of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Computed {
    /// The parameters, each within its range.
    #[serde(skip)]
    pub(super) pars: Pars,
    /// Half of the empty bed's signal strengths are at most this.
    pub(super) empty: i64,
    /// The empty bed's standard deviation of signal strength.
    pub(super) empty_deviation: f64,
    /// The lower quarter of the occupied bed's signal strengths that are not zero.
    pub(super) ss: i64,
    /// The same of the stroke-volume index.
    pub(super) sv: i64,
    /// Whether the stroke-volume index is alive enough to be believed.
    pub(super) use_sv: bool,
    /// What was out of range, and was moved to its end.
    pub(super) clamps: Vec<Clamp>,
}

/// A parameter that the formula would have put outside of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Clamp {
    /// Which.
    pub(super) field: &'static str,
    /// What the formula says.
    pub(super) computed: i64,
    /// The end of the range that is taken instead.
    pub(super) used: i64,
}

/// How far parameters are from those before (§6.2 step 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Quality {
    /// Nothing changes that would matter.
    Good,
    /// It may stay as it is.
    Acceptable,
    /// It is worth another round.
    Bad,
}

/// Applies the formula.
pub(super) fn compute(from: &Stretches) -> Computed {
    let empty = quantile(from.empty_ss.clone(), 2);
    let ss = quantile(without_zeros(&from.occupied_ss), 4);
    let beating = without_zeros(&from.occupied_sv);
    let use_sv = is_alive(&beating, from.occupied_sv.len());
    let sv = quantile(beating, 4);
    let (base, strong, silent) = (real(ss), real(sv), real(empty));
    let signal_range = if use_sv { 45.0 * strong } else { 2.7 * base };
    let stroke_vol = 2.6 * signal_range;
    let high = f64::max(4000.0, 7.0 * base);
    let high = if high > 15_000.0 { 15_000.0 + (high - 15_000.0) / 2.0 } else { high };
    let low = silent + 0.25 * (base - silent);
    let wanted = [high, low, stroke_vol, stroke_vol, signal_range, TO_MICRO_G].map(whole);
    let mut clamps = Vec::new();
    let mut values = wanted;
    for (field, value) in FIELDS.iter().zip(&mut values) {
        let used = (*value).clamp(field.least, field.most);
        if used != *value {
            clamps.push(Clamp { field: field.name, computed: *value, used });
            *value = used;
        }
    }
    Computed {
        pars: Pars::new(values),
        empty,
        empty_deviation: deviation(&from.empty_ss),
        ss,
        sv,
        use_sv,
        clamps,
    }
}

impl Computed {
    /// What speaks against it, in sentences.
    pub(super) fn doubts(&self, from: &Stretches) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.empty > EMPTY_MEDIAN_MAX {
            doubts.push(format!(
                "the empty bed's signal strength is {} in the middle, more than {EMPTY_MEDIAN_MAX}: external vibration, or nobody left",
                self.empty
            ));
        }
        if self.empty_deviation > EMPTY_DEVIATION_MAX {
            doubts.push(format!(
                "the empty bed's signal strength varies by {:.0}, more than {EMPTY_DEVIATION_MAX}: external vibration",
                self.empty_deviation
            ));
        }
        if self.ss <= self.empty {
            doubts.push(format!(
                "the occupied bed's signal ({}) is not above the empty one's ({}): were the periods mixed up?",
                self.ss, self.empty
            ));
        }
        if !self.use_sv && !from.occupied_sv.is_empty() {
            doubts.push(
                "the stroke-volume index is missing or stands still: the amplitude is taken from the signal strength"
                    .to_owned(),
            );
        }
        doubts
    }

    /// Compares with the parameters that the node has now.
    pub(super) fn quality(&self, now: Pars) -> (Quality, i64) {
        let pairs = self.pars.values().into_iter().zip(now.values());
        let change = pairs.skip(2).take(3).map(|(new, old)| new.abs_diff(old)).max().unwrap_or(0);
        let quality = match change {
            0..150 => Quality::Good,
            150..400 => Quality::Acceptable,
            400.. => Quality::Bad,
        };
        (quality, i64::try_from(change).unwrap_or(i64::MAX))
    }
}

/// The element at an `n`th of the sorted list, counted from one, at least the first; 0 of an empty list.
fn quantile(mut list: Vec<i64>, n: usize) -> i64 {
    list.sort_unstable();
    list.get((list.len() / n).max(1) - 1).copied().unwrap_or(0)
}

fn without_zeros(list: &[i64]) -> Vec<i64> {
    list.iter().copied().filter(|value| *value != 0).collect()
}

/// Whether the stroke-volume index moves from second to second, and is there most of the time. The mean is over the
/// values, not over the differences between them, as Murata has it.
fn is_alive(beating: &[i64], of: usize) -> bool {
    let moved: u64 =
        beating.windows(2).map(|two| two.first().zip(two.last()).map_or(0, |(a, b)| a.abs_diff(*b))).sum();
    let count = beating.len() as u64;
    // Whole numbers: moved / count > 0.25, and count / of > 0.5.
    moved * 4 > count && beating.len() * 2 > of
}

fn deviation(list: &[i64]) -> f64 {
    if list.is_empty() {
        return 0.0;
    }
    let count = real(i64::try_from(list.len()).unwrap_or(i64::MAX));
    let mean = list.iter().map(|value| real(*value)).sum::<f64>() / count;
    (list.iter().map(|value| (real(*value) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// Ten digits at most (§4.4), so nothing is lost.
#[expect(clippy::cast_precision_loss, reason = "a value has at most ten digits")]
const fn real(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and every value is clamped after it")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// Left at what every public parameter set has (§6).
const TO_MICRO_G: f64 = 7.0;
/// §6.2 step 1.
pub(super) const EMPTY_MEDIAN_MAX: i64 = 800;
/// §6.2 step 1.
pub(super) const EMPTY_DEVIATION_MAX: f64 = 400.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(empty: &[i64], strength: &[i64], strokes: &[i64]) -> Stretches {
        Stretches { empty_ss: empty.to_vec(), occupied_ss: strength.to_vec(), occupied_sv: strokes.to_vec() }
    }

    #[test]
    fn quantiles_count_from_one_and_never_below_the_first() {
        assert_eq!(quantile(vec![], 2), 0);
        assert_eq!(quantile(vec![9], 2), 9);
        assert_eq!(quantile(vec![9, 10], 2), 9);
        assert_eq!(quantile(vec![100, 20, 3], 2), 3, "sorted as numbers: 3, 20, 100; the 1st");
        assert_eq!(quantile(vec![5, 4, 3, 2, 1], 2), 2, "floor(2.5) is the 2nd");
        assert_eq!(quantile((1..=8).collect(), 4), 2);
        assert_eq!(quantile((1..=7).collect(), 4), 1);
    }

    /// Each line worked out by hand from §6.2.
    #[test]
    fn the_formula_gives_what_it_gives_by_hand() {
        // Empty: sorted 138 139 141 144 150, the 2nd. Occupied SS sorted 897 905 912 930 930, the 1st. No SV moves:
        // |55-55| + |55-56| + |56-55| + |55-54| = 3, 3/5 = 0.6 > 0.25, so SV is used: sorted 54 55 55 55 56, the 1st.
        let a = compute(&stretches(
            &[141, 138, 150, 139, 144],
            &[912, 897, 930, 930, 905],
            &[55, 55, 56, 55, 54],
        ));
        assert_eq!((a.empty, a.ss, a.sv, a.use_sv), (139, 897, 54, true));
        // 7*897 = 6279; 139 + (897-139)/4 = 328.5 -> 329; 2.6*2430 = 6318; 45*54 = 2430.
        assert_eq!(a.pars.to_string(), "6279,329,6318,6318,2430,7");
        assert_eq!(a.clamps, []);

        // SV stands still: the amplitude comes from SS: 2.7*897 = 2421.9 -> 2422; 2.6*2421.9 = 6296.94 -> 6297.
        let b = compute(&stretches(&[141, 138, 150, 139, 144], &[912, 897, 930, 930, 905], &[55; 5]));
        assert!(!b.use_sv);
        assert_eq!(b.pars.to_string(), "6279,329,6297,6297,2422,7");

        // A strong bed: 7*3000 = 21000, of the 6000 above 15000 half stays; 2.7*3000 = 8100; 2.6*8100 = 21060 is
        // above 20000.
        let c = compute(&stretches(&[200; 4], &[3000; 8], &[]));
        assert_eq!(c.pars.to_string(), "18000,900,20000,20000,8100,7");
        let clamp = |field| Clamp { field, computed: 21_060, used: 20_000 };
        assert_eq!(c.clamps, [clamp("stroke_vol"), clamp("tentative_stroke_vol")]);

        // A weak one: 7*300 is below 4000; zeros are left out; 40 + 65 = 105; 810; 2106.
        let d = compute(&stretches(&[40], &[0, 0, 300, 300], &[0, 0, 0, 0]));
        assert_eq!(d.pars.to_string(), "4000,105,2106,2106,810,7");
    }

    #[test]
    fn the_index_must_be_there_more_than_half_of_the_time_and_move() {
        assert!(!is_alive(&[1, 5], 4), "half is not more than half");
        assert!(is_alive(&[1, 5, 1], 5));
        assert!(!is_alive(&[5, 5, 5, 6], 4), "1/4 is not more than 0.25");
        assert!(is_alive(&[5, 5, 6], 3), "1/3, over the values; over the differences it would be 1/2");
        assert!(!is_alive(&[], 0));
    }

    #[test]
    fn nothing_at_all_gives_the_least_a_node_takes() {
        let nothing = compute(&Stretches::default());
        assert_eq!(nothing.pars.to_string(), "4000,100,500,0,100,7");
        assert_eq!(nothing.clamps.len(), 3);
        assert!(nothing.pars.check().is_ok());
    }

    #[test]
    fn doubts_are_told_and_quality_is_the_largest_change_of_the_three() {
        let quiet = stretches(&[100, 110, 120, 100], &[900; 4], &[50, 60, 50, 60]);
        assert_eq!(compute(&quiet).doubts(&quiet), Vec::<String>::new());
        let loud = stretches(&[100, 3000, 900, 3000], &[800; 4], &[0; 4]);
        assert_eq!(compute(&loud).doubts(&loud).len(), 4);
        let computed = compute(&quiet);
        let now = computed.pars.values();
        for (by, quality) in
            [(0, Quality::Good), (149, Quality::Good), (150, Quality::Acceptable), (400, Quality::Bad)]
        {
            let mut before = now;
            for (at, by) in [(0, 5000), (1, 5000), (3, -by), (5, 1)] {
                before[at] += by;
            }
            let before = Pars::new(before);
            assert_eq!(computed.quality(before), (quality, by));
        }
    }
}
