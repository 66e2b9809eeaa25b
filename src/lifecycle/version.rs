//! Versions of products and how they compare.
//!
//! Each product names its order in the data; no order is right for all: `11.1.4-h33` is mended where `11.1.5` is not, `6.42rc27` comes
//! before `6.42`, and `22.3R2-S2` is no later than `22.3R3-S1`. What an order cannot read has no place in it: nothing is guessed.

use serde::Deserialize;
use std::cmp::Ordering;

/// How the versions of a product compare.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Numbers, most significant first: `7.2.10`, `9.16(4)85`.
    Numbers,
    /// Numbers that letters may follow: `17.09.04a`, `15.7(3)M8`. Letters come after none; leading zeros mean nothing.
    NumbersAndLetters,
    /// Numbers that a mark for a version before the release may follow: `6.42rc27`, `7.1beta6`.
    PreReleases,
    /// Year, number, kind, then service release: `22.3R2-S2.5`, `12.3X48-D101`. The number after the last dot is another build of the same.
    ServiceReleases,
    /// Three numbers and a hotfix: `11.1.4-h33`.
    Hotfixes,
}

/// A version in the order of its product: numbers, most significant first. A missing one counts as zero.
#[derive(Clone, Debug)]
pub struct Place(Vec<u64>);

impl Place {
    fn at(&self, ix: usize) -> u64 {
        self.0.get(ix).copied().unwrap_or(0)
    }

    /// Whether the version begins with all numbers of a train.
    pub fn within(&self, train: &Place) -> bool {
        (0..train.0.len()).all(|ix| self.at(ix) == train.at(ix))
    }

    /// Whether a fix for the same release is in it: all but the last number are equal, and the last is not less.
    pub fn has_fix(&self, fix: &Place) -> bool {
        let last = fix.0.len().saturating_sub(1);
        (0..last.max(self.0.len())).filter(|ix| *ix != last).all(|ix| self.at(ix) == fix.at(ix)) && self.at(last) >= fix.at(last)
    }

    /// The first two numbers: what vendors call a train.
    pub fn train(&self) -> (u64, u64) {
        (self.at(0), self.at(1))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Place) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Place) -> Ordering {
        let differs = (0..self.0.len().max(other.0.len())).map(|ix| self.at(ix).cmp(&other.at(ix)));
        differs.into_iter().find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Marks of versions before a release, in their order; the release itself comes after them.
const BEFORE_RELEASE: [&str; 3] = ["alpha", "beta", "rc"];
/// Longest version that is read, in bytes.
const LONGEST: usize = 64;

impl Order {
    /// The place of a version as an export or the data writes it; `None`: this order cannot read it.
    pub fn place(self, text: &str) -> Option<Place> {
        let text = text.trim();
        if text.len() > LONGEST || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let numbers = match self {
            Order::Numbers => numbers(text)?,
            Order::NumbersAndLetters => numbers_and_letters(text)?,
            Order::PreReleases => pre_release(text)?,
            Order::ServiceReleases => service_release(text)?,
            Order::Hotfixes => {
                let (base, hotfix) = text.split_once("-h").unwrap_or((text, "0"));
                let mut out = numbers(base)?;
                if out.len() > 3 {
                    return None;
                }
                out.resize(3, 0);
                out.push(hotfix.parse().ok()?);
                out
            }
        };
        Some(Place(numbers))
    }

    /// The place of a train: only the numbers that are written.
    pub fn train(self, text: &str) -> Option<Place> {
        match self {
            Order::ServiceReleases if text.contains('X') => self.place(text).map(|p| Place(p.0.into_iter().take(3).collect())),
            _ => numbers(text.trim()).map(Place),
        }
    }
}

/// `9.16(4)85`: every group of digits; between them stand a dot or parentheses.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let text = text.strip_suffix(')').unwrap_or(text);
    text.split(['.', '(', ')']).map(|n| n.parse().ok().filter(|_| n.bytes().all(|b| b.is_ascii_digit()))).collect()
}

/// `17.09.04a`: digits give a number, each letter a number above every digit's use.
fn numbers_and_letters(text: &str) -> Option<Vec<u64>> {
    let mut out: Vec<u64> = Vec::new();
    let mut digits: Option<u64> = None;
    for c in text.chars() {
        match c {
            '0'..='9' => digits = Some(digits.unwrap_or(0).checked_mul(10)?.checked_add(u64::from(c) - u64::from('0'))?),
            '.' | '(' | ')' => out.extend(digits.take()),
            'a'..='z' | 'A'..='Z' => {
                out.extend(digits.take());
                // Above any number of a rebuild: 17.9.4a is another thing than 17.9.4.97.
                out.push(u64::from(u32::MAX) + u64::from(c.to_ascii_lowercase()));
            }
            _ => return None,
        }
    }
    out.extend(digits);
    Some(out)
}

/// `6.42rc27`: three numbers, whether it is the release, and the number of the mark.
fn pre_release(text: &str) -> Option<Vec<u64>> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (release, mark) = text.split_at(split);
    let mut out = numbers(release.trim_end_matches(['-', '.']))?;
    if out.len() > 3 {
        return None;
    }
    out.resize(3, 0);
    if mark.is_empty() {
        out.push(BEFORE_RELEASE.len() as u64);
        return Some(out);
    }
    let (rank, rest) = BEFORE_RELEASE.iter().enumerate().find_map(|(rank, word)| Some((rank, mark.strip_prefix(word)?)))?;
    out.push(rank as u64);
    let rest = rest.trim_start_matches(['-', '.']);
    out.push(if rest.is_empty() { 0 } else { rest.parse().ok()? });
    Some(out)
}

/// `22.3R2-S2.5` or `12.3X48-D101.4`: year, number, special train, release, service release.
fn service_release(text: &str) -> Option<Vec<u64>> {
    let (train, rest) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut out = numbers(train)?;
    if out.len() != 2 {
        return None;
    }
    // The number of another build of the same release.
    let plain = |text: &str| {
        let (number, build) = text.split_once('.').unwrap_or((text, "0"));
        build.parse::<u64>().ok()?;
        number.parse::<u64>().ok()
    };
    if rest.is_empty() {
        out.extend([0, 0, 0]);
    } else if let Some(rest) = rest.strip_prefix('R') {
        let (release, service) = rest.split_once("-S").unwrap_or((rest, "0"));
        out.extend([0, plain(release)?, plain(service)?]);
    } else if let Some(rest) = rest.strip_prefix('X') {
        let (special, day) = rest.split_once("-D").unwrap_or((rest, "0"));
        out.extend([special.parse().ok()?, plain(day)?, 0]);
    } else {
        return None;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn rises(order: Order, versions: &[&str]) {
        for pair in versions.windows(2) {
            let place = |v: &str| order.place(v).unwrap_or_else(|| panic!("{v} cannot be read"));
            assert!(place(pair[0]) < place(pair[1]), "{} before {}", pair[0], pair[1]);
        }
    }

    fn same(order: Order, a: &str, b: &str) -> bool {
        order.place(a).is_some() && order.place(a) == order.place(b)
    }

    #[test]
    fn numbers_compare_as_numbers_and_not_as_text() {
        rises(Order::Numbers, &["6.0.4", "6.0.17", "7.2.9", "7.2.10", "7.4.0", "26.1.11"]);
        rises(Order::Numbers, &["9.8(4)19", "9.8(4)20", "9.12(3)9", "9.16(4)85", "9.16.4.86"]);
        assert!(same(Order::Numbers, "9.16(4)85", "9.16.4.85"));
        assert!(same(Order::Numbers, "9.16(4)", "9.16.4.0"));
    }

    #[test]
    fn a_letter_after_a_release_is_a_later_build_and_leading_zeros_mean_nothing() {
        rises(Order::NumbersAndLetters, &["17.9.4", "17.9.4a", "17.9.5", "17.12.1", "17.12.1a"]);
        rises(Order::NumbersAndLetters, &["17.9.1", "17.9.1x", "17.9.1x1", "17.9.1y", "17.9.1y1"]);
        assert!(same(Order::NumbersAndLetters, "17.09.04a", "17.9.4a"));
        assert!(same(Order::NumbersAndLetters, "03.16.04b.S", "3.16.4bS"));
        assert!(!same(Order::NumbersAndLetters, "17.9.4.97", "17.9.4a"));
    }

    #[test]
    fn a_candidate_comes_before_its_release() {
        rises(Order::PreReleases, &["6.41.3", "6.42rc1", "6.42rc27", "6.42", "6.42.1", "7.1beta6", "7.1rc1", "7.1", "7.20", "7.20.1"]);
    }

    #[test]
    fn service_releases_belong_to_their_release() {
        rises(Order::ServiceReleases, &["20.4R3-S8", "20.4R3-S9", "22.3R2-S1", "22.3R2-S2", "22.3R3", "22.3R3-S1", "23.2R1"]);
        rises(Order::ServiceReleases, &["12.3R12-S16", "12.3X48-D95", "12.3X48-D101", "15.1R7-S7", "15.1X49-D211"]);
        assert!(same(Order::ServiceReleases, "21.2R3-S9.21", "21.2R3-S9"));
        assert!(same(Order::ServiceReleases, "12.1X47-D45.4", "12.1X47-D45"));
        for strange in ["15.1F6", "21.4R3-EVO", "18.2-20190101.0", "R3"] {
            assert!(Order::ServiceReleases.place(strange).is_none(), "{strange}");
        }
    }

    #[test]
    fn a_fix_counts_for_its_own_release_alone() {
        let has = |order: Order, version: &str, fix: &str| order.place(version).unwrap().has_fix(&order.place(fix).unwrap());
        assert!(has(Order::ServiceReleases, "22.3R2-S2", "22.3R2-S2"));
        assert!(has(Order::ServiceReleases, "22.3R2-S3.4", "22.3R2-S2"));
        assert!(!has(Order::ServiceReleases, "22.3R2-S1", "22.3R2-S2"));
        assert!(!has(Order::ServiceReleases, "22.3R3", "22.3R2-S2"), "a later release without the fix");
        assert!(has(Order::Hotfixes, "11.1.4-h33", "11.1.4-h33"));
        assert!(has(Order::Hotfixes, "11.1.4-h34", "11.1.4-h33"));
        assert!(!has(Order::Hotfixes, "11.1.4-h9", "11.1.4-h33"));
        assert!(!has(Order::Hotfixes, "11.1.5", "11.1.4-h33"), "numerically newer, yet not mended");
    }

    #[test]
    fn a_train_is_no_beginning_of_a_text() {
        let within = |order: Order, version: &str, train: &str| order.place(version).unwrap().within(&order.train(train).unwrap());
        assert!(within(Order::Numbers, "7.2.11", "7.2"));
        assert!(!within(Order::Numbers, "7.20.1", "7.2"));
        assert!(within(Order::PreReleases, "6.40.9", "6.40"));
        assert!(!within(Order::PreReleases, "6.40.9", "6.4"));
        assert!(within(Order::ServiceReleases, "21.1R3-S5", "21.1"));
        assert!(within(Order::ServiceReleases, "12.3X48-D5", "12.3X48"));
        assert!(!within(Order::ServiceReleases, "12.3X49-D5", "12.3X48"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            for order in [Order::Numbers, Order::NumbersAndLetters, Order::PreReleases, Order::ServiceReleases, Order::Hotfixes] {
                let _ = (order.place(&text), order.train(&text));
            }
        }

        #[test]
        fn the_order_is_total(a in "[0-9]{1,2}\\.[0-9](R[0-9](-S[0-9])?|X4[0-9](-D[0-9])?)?", b in "[0-9]{1,2}\\.[0-9](R[0-9](-S[0-9])?|X4[0-9](-D[0-9])?)?") {
            let (a, b) = (Order::ServiceReleases.place(&a).unwrap(), Order::ServiceReleases.place(&b).unwrap());
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        }
    }
}
