//! What is told by its look alone, wherever it stands: addresses, domain and mail names, hardware addresses, identifiers.
//!
//! Each function looks at one place of a text and says how long what stands there is. None looks further than a line.

use super::name::lists;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address, also with stars for its last numbers (`192.0.2.*`): the address, its length, and how many stars.
pub(super) fn ipv4(text: &str, at: usize) -> Option<(Ipv4Addr, usize, usize)> {
    let rest = text.get(at..)?.as_bytes();
    let (mut octets, mut stars, mut place) = ([0u8; 4], 0, 0);
    for (ix, octet) in octets.iter_mut().enumerate() {
        if ix > 0 {
            (rest.get(place) == Some(&b'.')).then_some(())?;
            place += 1;
        }
        if ix > 0 && rest.get(place) == Some(&b'*') {
            stars += 1;
            place += 1;
            continue;
        }
        let digits = rest.get(place..)?.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        (stars == 0 && (1..=3).contains(&digits)).then_some(())?;
        *octet = std::str::from_utf8(rest.get(place..place + digits)?).ok()?.parse().ok()?;
        place += digits;
    }
    let next = rest.get(place).copied().unwrap_or(b' ');
    // `9.17.15.03a`, `1.2.3.4.SPA.bin` are releases.
    let goes_on = next.is_ascii_alphanumeric() || next == b'.' && rest.get(place + 1).is_some_and(u8::is_ascii_alphanumeric);
    (!goes_on).then_some((Ipv4Addr::from(octets), place, stars))
}

/// An IPv6 address and its length.
pub(super) fn ipv6(text: &str, at: usize) -> Option<(Ipv6Addr, usize)> {
    let rest = text.get(at..)?;
    let most = rest.bytes().take(46).take_while(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')).count();
    let run = rest.get(..most)?.trim_end_matches('.');
    let after = rest.get(run.len()..)?.chars().next();
    if run.matches(':').count() < 2 || after.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
        return None;
    }
    let whole = run.parse().ok().map(|a| (a, run.len()));
    // `2001:db8::1:` ends a clause.
    whole.or_else(|| run.strip_suffix(':').and_then(|r| Some((r.parse().ok()?, r.len()))))
}

/// A hardware address: `00:11:22:33:44:55`, `00-11-22-33-44-55`, `0011.2233.4455`; its length.
pub(super) fn hardware(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?.as_bytes();
    let form = |group: usize, groups: usize, sign: u8| {
        let length = groups * (group + 1) - 1;
        let bytes = rest.get(..length)?;
        let fits = bytes.iter().enumerate().all(|(ix, b)| if ix % (group + 1) == group { *b == sign } else { b.is_ascii_hexdigit() });
        let ends = rest.get(length).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != sign);
        (fits && ends).then_some(length)
    };
    // With blanks between them they are told from a list of numbers by a letter.
    let lettered = |length: &usize| rest.iter().take(*length).any(u8::is_ascii_alphabetic);
    let spaced = || form(2, 7, b' ').or_else(|| form(2, 6, b' ')).filter(lettered);
    form(2, 6, b':').or_else(|| form(2, 6, b'-')).or_else(|| form(4, 3, b'.')).or_else(spaced)
}

/// Whether a hardware address belongs to no single box: zeros, broadcast, multicast, locally administered.
pub(super) fn is_shared_hardware(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let second = digits.chars().nth(1).and_then(|c| c.to_digit(16)).unwrap_or(0);
    digits.bytes().all(|b| b == b'0') || second & 3 != 0
}

/// A UUID: 8-4-4-4-12 hexadecimal digits.
pub(super) fn is_uuid(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|g| g.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a word is a domain name of at least two parts, told by the last.
pub(super) fn is_domain(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let Some((before, last)) = word.rsplit_once('.') else { return false };
    let label = |l: &str| !l.is_empty() && l.len() <= 63 && l.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    // `Vendor.Cloud` is a name of something else.
    let one_case = !last.bytes().any(|b| b.is_ascii_uppercase()) || !last.bytes().any(|b| b.is_ascii_lowercase());
    let known = || lists().domains.last.contains(&last.to_lowercase());
    // The two letters of a country, where they are not the end of a file's name.
    let country = || last.len() == 2 && last.bytes().all(|b| b.is_ascii_alphabetic()) && before.contains('.');
    let masked = word.bytes().all(|b| matches!(b, b'x' | b'X' | b'.'));
    one_case && !masked && (known() || country()) && before.split('.').all(label) && before.chars().any(char::is_alphabetic)
}

/// Whether a domain name is one that everybody knows.
pub(super) fn is_known_domain(word: &str) -> bool {
    let lower = word.trim_end_matches('.').to_lowercase();
    let known = |name: &str| lists().domains.keep.contains(name);
    is_given(&lower) || known(&lower) || lower.match_indices('.').any(|(at, _)| lower.get(at + 1..).is_some_and(known))
}

/// Whether a domain name stands for another one already.
fn is_given(lower: &str) -> bool {
    let number = lower.strip_prefix("domain-").and_then(|l| l.strip_suffix(".example"));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a word is encoded data: long, of letters of both cases and digits.
pub(super) fn is_encoded(word: &str) -> bool {
    word.len() >= 40
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
        && word.bytes().any(|b| b.is_ascii_digit())
        && (word.bytes().any(|b| b.is_ascii_lowercase()) && word.bytes().any(|b| b.is_ascii_uppercase())
            || word.trim_end_matches('=').bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether the words before a place say that a number with dots is a version and no address.
pub(super) fn speaks_of_version(line: &str) -> bool {
    let last = line.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    ["version", "ver", "rev", "revision", "release", "firmware", "build", "v"].iter().any(|w| last.eq_ignore_ascii_case(w))
}

/// An address that stands at a place, with its length and how many of its numbers are stars.
pub(super) fn address(text: &str, at: usize) -> Option<(IpAddr, usize, usize)> {
    match ipv6(text, at) {
        Some((address, length)) => Some((IpAddr::V6(address), length, 0)),
        None => ipv4(text, at).map(|(address, length, stars)| (IpAddr::V4(address), length, stars)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_versions_and_identifiers_are_told_apart() {
        assert_eq!(ipv4("192.0.2.1/24", 0).map(|a| (a.1, a.2)), Some((9, 0)));
        assert_eq!(ipv4("192.0.2.*", 0).map(|a| (a.1, a.2)), Some((9, 1)));
        assert!(ipv4("1.3.6.1.4.1", 0).is_none() && ipv4("10.2.0", 0).is_none() && ipv4("1.2.3.1234", 0).is_none());
        assert!(speaks_of_version("Version ") && speaks_of_version("Rev.") && !speaks_of_version("address "));
    }

    #[test]
    fn ipv6_is_no_time_and_no_hardware_address() {
        assert!(ipv6("2001:db8::1/64", 0).is_some_and(|a| a.1 == 11));
        assert!(ipv6("12:34:56", 0).is_none() && ipv6("00:11:22:33:44:55", 0).is_none());
        assert_eq!(hardware("00:11:22:33:44:55 ", 0), Some(17));
        assert_eq!(hardware("0011.2233.4455", 0), Some(14));
        assert!(hardware("00:11:22:33:44:55:66:77", 0).is_none());
    }

    #[test]
    fn domains_end_like_domains() {
        assert!(is_domain("fw.hospital.or.jp") && is_domain("karte.local"));
        assert!(!is_domain("ssl.root") && !is_domain("7.0.5") && !is_domain("hospital"));
        assert!(is_known_domain("openssh.com") && is_known_domain("domain-3.example") && !is_known_domain("hospital.or.jp"));
    }
}
