//! Stored hashes, and whether a word gives one. The cryptography is that of well-kept crates; here are only the forms: which
//! text is which, where its salt stands, and what one try costs.
//!
//! Costs are units of work, about a microsecond each on an ordinary computer, fixed by the form alone: a budget in units means
//! the same tries everywhere. A form whose construction is not published is not here.

use base64::Engine;
use base64::alphabet::{CRYPT, STANDARD};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, PAD};
use md4::{Digest, Md4};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

const PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD);
/// The alphabet of `crypt`, read as base64.
const CRYPT64: GeneralPurpose = GeneralPurpose::new(
    &CRYPT,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Appended to the password by the two salted forms of one maker (published with John the Ripper's formats Fortigate and Fortigate256).
const APPENDED: [u8; 24] = [
    0xa3, 0x88, 0xba, 0x2e, 0x42, 0x4c, 0xb0, 0x4a, 0x53, 0x79, 0x30, 0xc1, 0x31, 0x07, 0xcc, 0x3f, 0xa1, 0x32, 0x90, 0x29, 0xa9, 0x81,
    0x5b, 0x70,
];
/// Bytes of salt before the digest in those forms.
const SALT: usize = 12;

/// The form of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The oldest `crypt`, 25 rounds of DES.
    Des,
    /// `$1$`.
    Md5Crypt,
    /// `$sha1$`.
    Sha1Crypt,
    /// `$5$` and `$6$`.
    ShaCrypt,
    /// `$2a$`, `$2b$`, `$2y$`.
    Bcrypt,
    /// `$8$`: PBKDF2 of SHA-256, 20000 rounds.
    Pbkdf2Sha256,
    /// `$9$`: scrypt with N 16384, r 1, p 1.
    Scrypt,
    /// `$sha512$`: PBKDF2 of SHA-512, with its rounds.
    Pbkdf2Sha512,
    /// 43 characters: SHA-256 without salt.
    PlainSha256,
    /// 16 characters: MD5 of 16 or 32 bytes, filled up with zeros, the first four of the user's name behind the password.
    Md5Named,
    /// `AK1`: SHA-1, salted, with an appendix.
    SaltedSha1,
    /// `SH2`: SHA-256, salted, with an appendix.
    SaltedSha256,
    /// 32 hexadecimal digits: MD5, or MD4 of the password in UTF-16.
    Hex128,
    /// 40, 64 or 128 hexadecimal digits: SHA-1, SHA-256, SHA-512.
    HexSha,
    /// MD4 of the password in UTF-16, in base64.
    NtBase64,
}

fn is_crypt(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
}

/// The form of a stored hash, and the units one try costs; `None` where it is none of these, or damaged.
pub fn form(text: &str) -> Option<(Form, u64)> {
    let parts: Vec<&str> = text.split('$').collect();
    let rounds = |text: &str| text.parse::<u64>().ok().filter(|r| *r > 0);
    match parts.as_slice() {
        ["", "1", _, digest] if digest.len() == 22 => Some((Form::Md5Crypt, 300)),
        ["", "sha1", r, _, digest] if digest.len() == 28 => Some((Form::Sha1Crypt, rounds(r)?)),
        ["", "5", .., digest] if digest.len() == 43 => Some((Form::ShaCrypt, crypt_rounds(&parts)?)),
        ["", "6", .., digest] if digest.len() == 86 => Some((Form::ShaCrypt, crypt_rounds(&parts)?)),
        ["", "2a" | "2b" | "2y", cost, digest] if digest.len() == 53 => {
            let cost = cost.parse::<u32>().ok().filter(|c| (4..=31).contains(c))?;
            Some((Form::Bcrypt, 50 << cost))
        }
        ["", "8", salt, digest] if salt.len() == 14 && digest.len() == 43 => Some((Form::Pbkdf2Sha256, 10_000)),
        ["", "9", salt, digest] if salt.len() == 14 && digest.len() == 43 => Some((Form::Scrypt, 10_000)),
        ["", "sha512", r, salt, digest] if salt.len() == 24 && digest.len() == 24 => Some((Form::Pbkdf2Sha512, rounds(r)?)),
        [word] => {
            let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
            match word.len() {
                32 if hex => Some((Form::Hex128, 2)),
                40 | 64 | 128 if hex => Some((Form::HexSha, 1)),
                47 if word.starts_with("AK1") => Some((Form::SaltedSha1, 1)),
                63 if word.starts_with("SH2") => Some((Form::SaltedSha256, 1)),
                24 if word.ends_with("==") => Some((Form::NtBase64, 1)),
                13 if is_crypt(word) => Some((Form::Des, 100)),
                16 if is_crypt(word) => Some((Form::Md5Named, 1)),
                43 if is_crypt(word) => Some((Form::PlainSha256, 1)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Rounds of `$5$` and `$6$`: 5000 where none are written.
fn crypt_rounds(parts: &[&str]) -> Option<u64> {
    match parts {
        [_, _, _, _] => Some(5000),
        [_, _, rounds, _, _] => rounds.strip_prefix("rounds=")?.parse::<u64>().ok().filter(|r| *r >= 1000),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn nt(word: &str) -> Vec<u8> {
    let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Md4::digest(&wide).to_vec()
}

/// Whether a word gives a stored hash of a form. `owner` is the name of the account, where the form needs it.
pub fn verify(form: Form, text: &str, word: &str, owner: &str) -> bool {
    try_verify(form, text, word, owner).unwrap_or(false)
}

fn try_verify(form: Form, text: &str, word: &str, owner: &str) -> Option<bool> {
    let bytes = word.as_bytes();
    let part = |ix: usize| text.split('$').nth(ix);
    Some(match form {
        Form::Des => pwhash::unix_crypt::verify(bytes, text),
        Form::Md5Crypt => pwhash::md5_crypt::verify(bytes, text),
        Form::Sha1Crypt => pwhash::sha1_crypt::verify(bytes, text),
        Form::ShaCrypt if text.starts_with("$5") => pwhash::sha256_crypt::verify(bytes, text),
        Form::ShaCrypt => pwhash::sha512_crypt::verify(bytes, text),
        Form::Bcrypt => bcrypt::verify(bytes, text).ok()?,
        Form::Pbkdf2Sha256 => {
            let mut out = [0; 32];
            pbkdf2(bytes, part(2)?.as_bytes(), pbkdf2::Algorithm::Pbkdf2Sha256, 20_000, &mut out)?;
            CRYPT64.encode(out) == part(3)?
        }
        Form::Scrypt => {
            let mut out = [0; 32];
            let parameters = scrypt::Params::new(14, 1, 1).ok()?;
            scrypt::scrypt(bytes, part(2)?.as_bytes(), &parameters, &mut out).ok()?;
            CRYPT64.encode(out) == part(3)?
        }
        Form::Pbkdf2Sha512 => {
            let mut out = [0; 16];
            let salt = PADDED.decode(part(3)?).ok()?;
            pbkdf2(bytes, &salt, pbkdf2::Algorithm::Pbkdf2Sha512, part(2)?.parse().ok()?, &mut out)?;
            PADDED.encode(out) == part(4)?
        }
        Form::PlainSha256 => CRYPT64.encode(Sha256::digest(bytes)) == text,
        Form::Md5Named => [owner, ""].iter().any(|name| md5_named(bytes, name) == text),
        Form::SaltedSha1 | Form::SaltedSha256 => {
            let stored = PADDED.decode(text.get(3..)?).ok()?;
            let (salt, digest) = stored.split_at_checked(SALT)?;
            let input = [salt, bytes, &APPENDED].concat();
            if form == Form::SaltedSha1 { Sha1::digest(&input).as_slice() == digest } else { Sha256::digest(&input).as_slice() == digest }
        }
        Form::Hex128 => {
            let stored = text.to_ascii_lowercase();
            hex(&Md5::digest(bytes)) == stored || hex(&nt(word)) == stored
        }
        Form::HexSha => {
            let stored = text.to_ascii_lowercase();
            stored
                == match stored.len() {
                    40 => hex(&Sha1::digest(bytes)),
                    64 => hex(&Sha256::digest(bytes)),
                    _ => hex(&Sha512::digest(bytes)),
                }
        }
        Form::NtBase64 => PADDED.encode(nt(word)) == text,
    })
}

fn pbkdf2(word: &[u8], salt: &[u8], algorithm: pbkdf2::Algorithm, rounds: u32, out: &mut [u8]) -> Option<()> {
    pbkdf2::pbkdf2_hmac_with_params(word, salt, algorithm, pbkdf2::Params::new(rounds).ok()?, out);
    Some(())
}

/// Three bytes of every four of the digest, each group in four characters, least significant bits first.
fn md5_named(word: &[u8], owner: &str) -> String {
    const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut block: Vec<u8> = word.iter().copied().chain(owner.bytes().take(4)).take(32).collect();
    block.resize(if block.len() <= 16 { 16 } else { 32 }, 0);
    let digest = Md5::digest(&block);
    let mut out = String::with_capacity(16);
    for group in digest.chunks(4) {
        let value = group.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        out.extend((0..4).map(|n| char::from(LETTERS[(value >> (6 * n) & 63) as usize])));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Form, stored hash, password, owner. Sources: hashcat's page "example hashes" (password `hashcat`), the specification of
    /// SHA-crypt by U. Drepper, the PHP manual's page of `crypt`, Openwall's crypt_blowfish, the tests of John the Ripper
    /// (Fortigate256, pix-md5), passlib's page of sha1_crypt, Microsoft's MS-NLMP for the NT hash; the last PBKDF2 is what an ASAv 9.7(1) writes for no password.
    const KNOWN: &[(Form, &str, &str, &str)] = &[
        (Form::Des, "rl.3StKT.4T8M", "rasmuslerdorf", ""),
        (Form::Md5Crypt, "$1$rasmusle$rISCgZzpwk3UhDidwXvin0", "rasmuslerdorf", ""),
        (Form::Md5Crypt, "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", "hashcat", ""),
        (Form::Sha1Crypt, "$sha1$19703$iVdJqfSE$v4qYKl1zqYThwpjJAoKX6UvlHq/a", "password", ""),
        (Form::ShaCrypt, "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!", ""),
        (Form::ShaCrypt, "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!", ""),
        (
            Form::ShaCrypt,
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            "Hello world!",
            "",
        ),
        (Form::Bcrypt, "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", ""),
        (Form::Bcrypt, "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\u{ff}\u{ff}\u{a3}", ""),
        (Form::Pbkdf2Sha256, "$8$TnGX/fE4KGHOVU$pEhnEvxrvaynpi8j4f.EMHr6M.FzU8xnZnBr/tJdFWk", "hashcat", ""),
        (Form::Scrypt, "$9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6", "hashcat", ""),
        (Form::Pbkdf2Sha512, "$sha512$5000$uVo7mQJnnj35qWt+LCLb8w==$YdUyvqvvj9wI0qCvrKAqoQ==", "", ""),
        (Form::PlainSha256, "2btjjy78REtmYkkW0csHUbJZOstRXoWdX1mGrmmfeHI", "hashcat", ""),
        (Form::Md5Named, "dRRVnUmUHXOTt9nk", "hashcat", ""),
        (Form::Md5Named, "02dMBMYkTdC5Ziyp", "hashcat", "36"),
        (Form::Md5Named, "2KFQnbNIdI.2KYOU", "cisco", ""),
        (Form::Md5Named, ".7nfVBEIEu4KbF/1", "0123456789abcdef", ""),
        (Form::SaltedSha1, "AK1AAECAwQFBgcICRARNGqgeC3is8gv2xWWRony9NJnDgE=", "hashcat", ""),
        (Form::SaltedSha256, "SH2+n+OiTlautpJQF1NBcMU2H1otOvlAz9g5wzxwHw+4il3Aiixv9oPtKnRgCc=", "a", ""),
        (Form::Hex128, "8743b52063cd84097a65d1633f5c74f5", "hashcat", ""),
        (Form::Hex128, "8846F7EAEE8FB117AD06BDD830B7586C", "password", ""),
        (Form::HexSha, "b89eaac7e61417341b710b727768294d0e6a277b", "hashcat", ""),
        (Form::HexSha, "127e6fbfe24a750e72930c220a8e138275656b8e5d8f48a98c3c92df2caba935", "hashcat", ""),
    ];

    #[test]
    fn published_hashes_are_verified() {
        for (expected, stored, word, owner) in KNOWN {
            // Openwall's vector is of bytes that are no UTF-8; the crate is asked for it below.
            if word.contains('\u{ff}') {
                assert!(bcrypt::verify([0xff, 0xff, 0xa3], stored).expect("a hash"), "{stored}");
                continue;
            }
            let (form, cost) = form(stored).unwrap_or_else(|| panic!("{stored}"));
            assert_eq!(form, *expected, "{stored}");
            assert!(cost > 0);
            assert!(verify(form, stored, word, owner), "{stored}");
            assert!(!verify(form, stored, &format!("x{word}"), owner), "{stored}");
        }
    }

    #[test]
    fn damaged_hashes_are_no_form_or_match_nothing() {
        for text in ["", "$", "$1$", "$1$a$b", "$6$rounds=x$s$d", "$2a$99$x", "$8$short$d", "AK1", "SH2=", "KANARI-4Rf6Tg8Yh0", "é"] {
            assert!(form(text).is_none_or(|(f, _)| !verify(f, text, "admin", "")), "{text}");
        }
        // Right lengths, wrong content.
        for text in [format!("$1$bad!salt${}", "é".repeat(11)), format!("SH2{}", "é".repeat(30)), format!("$2a$05${}", "*".repeat(53))] {
            assert!(form(&text).is_none_or(|(f, _)| !verify(f, &text, "admin", "é")), "{text}");
        }
    }

    #[test]
    fn rounds_that_are_too_many_cost_too_much_to_try() {
        let (_, cost) = form(&format!("$6$rounds=999999999$saltstring${}", "a".repeat(86))).expect("a form");
        assert_eq!(cost, 999_999_999);
    }
}
