//! Bytes to text. Recognises the encodings that exports of Japanese sites come in and decodes them to UTF-8.
//!
//! Not a general charset detector: the candidates are Unicode, the Japanese encodings, and Latin-1 as the last resort.
//! Invariants: every line of the input is a line of the output, nothing is dropped, and what could not be decoded is
//! counted. A wrong choice would be worse than a replaced character: the second byte of many Shift_JIS characters is
//! `\`, which read as ASCII escapes the quote behind it.

use std::borrow::Cow;
use std::fmt;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::DecoderResult;
use memchr::{memchr, memmem};

/// How much of the undecided lines is shown to the detector; more does not change its mind.
const SAMPLE: usize = 1 << 20;
/// How much of a file is looked at for the NUL pattern of UTF-16.
const HEAD: usize = 4096;

/// The encoding a file was read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// UTF-8 without a byte order mark; ASCII counts as UTF-8.
    Utf8,
    /// UTF-8 with a byte order mark.
    Utf8Bom,
    /// UTF-16, little endian, with or without a byte order mark.
    Utf16Le,
    /// UTF-16, big endian, with or without a byte order mark.
    Utf16Be,
    /// Shift_JIS as Windows writes it (CP932).
    ShiftJis,
    /// EUC-JP.
    EucJp,
    /// ISO-2022-JP ("JIS"), told by its escape sequences.
    Iso2022Jp,
    /// windows-1252, the superset of Latin-1: what is taken when nothing else fits.
    Windows1252,
    /// Lines in UTF-8 beside lines in Shift_JIS: two people with two terminals.
    Utf8AndShiftJis,
    /// Lines in UTF-8 beside lines in EUC-JP.
    Utf8AndEucJp,
    /// Lines in UTF-8 beside lines in windows-1252.
    Utf8AndWindows1252,
}

impl Encoding {
    /// The name for reports: the WHATWG label, with `-bom` or the second encoding where there is one.
    pub fn label(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf8Bom => "utf-8-bom",
            Encoding::Utf16Le => "utf-16le",
            Encoding::Utf16Be => "utf-16be",
            Encoding::ShiftJis => "shift_jis",
            Encoding::EucJp => "euc-jp",
            Encoding::Iso2022Jp => "iso-2022-jp",
            Encoding::Windows1252 => "windows-1252",
            Encoding::Utf8AndShiftJis => "utf-8+shift_jis",
            Encoding::Utf8AndEucJp => "utf-8+euc-jp",
            Encoding::Utf8AndWindows1252 => "utf-8+windows-1252",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A decoded file.
pub struct Decoded {
    /// The text, without a byte order mark at its head.
    pub text: String,
    /// What it was read as.
    pub encoding: Encoding,
    /// How many places could not be decoded; each is one U+FFFD in the text.
    pub replaced: usize,
}

impl fmt::Debug for Decoded {
    /// Shows no content: a configuration is full of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded")
            .field("bytes", &self.text.len())
            .field("encoding", &self.encoding)
            .field("replaced", &self.replaced)
            .finish()
    }
}

/// Decodes a file. Always gives a text; ask [`looks_binary`] before whether it makes sense to.
///
/// Order: byte order mark, UTF-16 by its NUL bytes, ISO-2022-JP by its escape sequences, strict UTF-8 (which takes the
/// buffer over without copying), then line by line between damaged UTF-8, Shift_JIS, EUC-JP and windows-1252.
pub fn decode(bytes: Vec<u8>) -> Decoded {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        return match std::str::from_utf8(rest) {
            Ok(text) => Decoded { text: text.to_owned(), encoding: Encoding::Utf8Bom, replaced: 0 },
            Err(_) => {
                let mut decoded = decode_lines(rest);
                if decoded.encoding == Encoding::Utf8 {
                    decoded.encoding = Encoding::Utf8Bom;
                }
                decoded
            }
        };
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        return decode_as(rest, Encoding::Utf16Le);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFE\xFF") {
        return decode_as(rest, Encoding::Utf16Be);
    }
    if let Some(encoding) = utf16_without_mark(&bytes) {
        return decode_as(&bytes, encoding);
    }
    if let Some(decoded) = iso_2022_jp(&bytes) {
        return decoded;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Decoded { text, encoding: Encoding::Utf8, replaced: 0 },
        Err(error) => decode_lines(error.as_bytes()),
    }
}

/// Whether the bytes are no text in any encoding: encrypted backups, compressed data, firmware.
///
/// Encrypted or compressed data holds about one control byte in ten that no text holds; text that went through a
/// telnet session holds NULs behind carriage returns, and pager noise. The line is drawn at one in fifty.
pub fn looks_binary(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || utf16_without_mark(bytes).is_some() {
        return false;
    }
    let mut odd = 0usize;
    let mut previous = 0u8;
    for &byte in bytes {
        let telnet = byte == 0 && previous == b'\r';
        odd += usize::from(NEVER_IN_TEXT[usize::from(byte)] && !telnet);
        previous = byte;
    }
    odd > bytes.len() / 50
}

/// Control bytes that neither text nor terminals produce: all of C0 and DEL but BEL, BS, TAB, LF, VT, FF, CR, ESC,
/// XON and XOFF, and ETX, which delimits banners.
const NEVER_IN_TEXT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = !matches!(byte, 0x03 | 0x07..=0x0D | 0x11 | 0x13 | 0x1B);
        byte += 1;
    }
    table[0x7F] = true;
    table
};

/// UTF-16 without a mark: a configuration is mostly ASCII, so nearly every second byte is NUL, always the same one.
fn utf16_without_mark(bytes: &[u8]) -> Option<Encoding> {
    let head = &bytes[..bytes.len().min(HEAD) & !1];
    memchr(0, head)?;
    let pairs = head.len() / 2;
    let mut first = 0;
    let mut second = 0;
    for pair in head.chunks_exact(2) {
        first += usize::from(pair[0] == 0);
        second += usize::from(pair[1] == 0);
    }
    // Two fifths, as values may be Japanese; and some kanji have a zero byte of their own, on the other side.
    let side = |nul: usize, other: usize| pairs >= 2 && nul * 5 >= pairs * 2 && other * 4 <= nul;
    if side(second, first) {
        Some(Encoding::Utf16Le)
    } else if side(first, second) {
        Some(Encoding::Utf16Be)
    } else {
        None
    }
}

/// ISO-2022-JP is plain ASCII bytes with escapes that switch to two-byte sets. Terminal colours use ESC too, so the
/// switch itself must be there and everything must decode.
fn iso_2022_jp(bytes: &[u8]) -> Option<Decoded> {
    memchr(0x1B, bytes)?;
    if memmem::find(bytes, b"\x1B$B").is_none() && memmem::find(bytes, b"\x1B$@").is_none() {
        return None;
    }
    let decoded = decode_as(bytes, Encoding::Iso2022Jp);
    (decoded.replaced == 0).then_some(decoded)
}

/// What a line that is not all ASCII looks like.
#[derive(Clone, Copy, PartialEq)]
enum LineKind {
    Ascii,
    /// UTF-8 with characters of three bytes or more, at most slightly damaged.
    Utf8,
    /// Half of it reads as UTF-8: a cut character, or Shift_JIS that looks so by accident. The other lines tell.
    Damaged,
    /// Valid UTF-8 of two-byte characters only, which two half-width katakana of Shift_JIS also are.
    Either,
    Legacy,
}

fn line_kind(line: &[u8]) -> LineKind {
    if line.is_ascii() {
        return LineKind::Ascii;
    }
    let mut long = 0usize;
    let mut broken = 0usize;
    for chunk in line.utf8_chunks() {
        long += chunk.valid().bytes().filter(|&byte| byte >= 0xE0).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    match (long, broken) {
        (0, 0) => LineKind::Either,
        (long, broken) if long > broken * 3 => LineKind::Utf8,
        (long, broken) if long > 0 && broken <= long => LineKind::Damaged,
        _ => LineKind::Legacy,
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n')
}

/// Bytes that are not valid UTF-8 as a whole.
fn decode_lines(bytes: &[u8]) -> Decoded {
    let (mut utf8, mut damaged, mut either, mut legacy) = (0usize, 0usize, 0usize, 0usize);
    for line in lines(bytes) {
        match line_kind(line) {
            LineKind::Ascii => {}
            LineKind::Utf8 => utf8 += 1,
            LineKind::Damaged => damaged += 1,
            LineKind::Either => either += 1,
            LineKind::Legacy => legacy += 1,
        }
    }
    let damaged_is_utf8 = utf8 >= damaged;
    *(if damaged_is_utf8 { &mut utf8 } else { &mut legacy }) += damaged;
    if either > legacy * 4 {
        utf8 += either;
    }
    if legacy == 0 {
        return utf8_with_replacement(bytes);
    }
    let is_legacy = |line: &[u8]| match line_kind(line) {
        LineKind::Legacy => true,
        LineKind::Damaged => !damaged_is_utf8,
        _ => false,
    };
    let mut sample = Vec::new();
    for line in lines(bytes).filter(|line| is_legacy(line)) {
        sample.extend_from_slice(&line[..line.len().min(SAMPLE)]);
        if sample.len() >= SAMPLE {
            break;
        }
    }
    let encoding = judge_legacy(&sample);
    // In a Shift_JIS or EUC-JP file a line that happens to be valid UTF-8 is a rare accident.
    if utf8 * 10 < utf8 + legacy {
        return decode_as(bytes, encoding);
    }
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 2);
    let mut replaced = 0;
    for line in lines(bytes) {
        replaced += if is_legacy(line) { decode_into(line, encoding, &mut text) } else { utf8_into(line, &mut text) };
    }
    let encoding = match encoding {
        Encoding::ShiftJis => Encoding::Utf8AndShiftJis,
        Encoding::EucJp => Encoding::Utf8AndEucJp,
        _ => Encoding::Utf8AndWindows1252,
    };
    Decoded { text, encoding, replaced }
}

/// Chooses between Shift_JIS, EUC-JP and windows-1252 for lines that are none of UTF-8.
///
/// An encoding is possible when it decodes the sample with (nearly) no error; between two possible ones chardetng
/// decides, told that the text is Japanese.
fn judge_legacy(sample: &[u8]) -> Encoding {
    let bytes = sample.iter().filter(|byte| !byte.is_ascii()).count();
    let possible = |encoding| {
        let mut scratch = String::new();
        let errors = decode_into(sample, encoding, &mut scratch);
        errors * 50 <= bytes || (errors == 1 && bytes >= 6)
    };
    let (shift_jis, euc_jp) = (possible(Encoding::ShiftJis), possible(Encoding::EucJp));
    if !shift_jis && !euc_jp {
        return Encoding::Windows1252;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    let guess = detector.guess(Some(b"jp"), Utf8Detection::Deny);
    if guess == encoding_rs::EUC_JP && euc_jp {
        Encoding::EucJp
    } else if guess == encoding_rs::SHIFT_JIS && shift_jis {
        Encoding::ShiftJis
    } else if guess.is_single_byte() {
        Encoding::Windows1252
    } else if euc_jp && (!shift_jis || mostly_half_width(sample)) {
        Encoding::EucJp
    } else {
        Encoding::ShiftJis
    }
}

/// Whether the text read as Shift_JIS would be mostly half-width katakana: the look of EUC-JP read wrongly.
fn mostly_half_width(sample: &[u8]) -> bool {
    let mut text = String::new();
    decode_into(sample, Encoding::ShiftJis, &mut text);
    let (mut half, mut full) = (0usize, 0usize);
    for character in text.chars().filter(|character| !character.is_ascii()) {
        match character {
            '\u{FF61}'..='\u{FF9F}' => half += 1,
            _ => full += 1,
        }
    }
    half > full * 2
}

fn codec(encoding: Encoding) -> &'static encoding_rs::Encoding {
    match encoding {
        Encoding::Utf8 | Encoding::Utf8Bom => encoding_rs::UTF_8,
        Encoding::Utf16Le => encoding_rs::UTF_16LE,
        Encoding::Utf16Be => encoding_rs::UTF_16BE,
        Encoding::ShiftJis | Encoding::Utf8AndShiftJis => encoding_rs::SHIFT_JIS,
        Encoding::EucJp | Encoding::Utf8AndEucJp => encoding_rs::EUC_JP,
        Encoding::Iso2022Jp => encoding_rs::ISO_2022_JP,
        Encoding::Windows1252 | Encoding::Utf8AndWindows1252 => encoding_rs::WINDOWS_1252,
    }
}

fn decode_as(bytes: &[u8], encoding: Encoding) -> Decoded {
    let mut text = String::new();
    let replaced = decode_into(bytes, encoding, &mut text);
    Decoded { text, encoding, replaced }
}

/// Appends the decoded bytes and returns how many places were replaced by U+FFFD.
fn decode_into(bytes: &[u8], encoding: Encoding, text: &mut String) -> usize {
    let mut decoder = codec(encoding).new_decoder_without_bom_handling();
    let mut replaced = 0;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let room = decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len() * 3 + 16);
        text.reserve(room.min(rest.len() * 3 + 16));
        let (result, read) = decoder.decode_to_string_without_replacement(rest, text, true);
        at += read;
        match result {
            DecoderResult::InputEmpty => return replaced,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, behind) => {
                // A terminal's escape among ISO-2022-JP is noise for the cleaner, not damage.
                let place = at.checked_sub(usize::from(length) + usize::from(behind)).and_then(|place| bytes.get(place));
                if encoding == Encoding::Iso2022Jp && place == Some(&0x1B) {
                    text.push('\u{1B}');
                } else {
                    text.push(char::REPLACEMENT_CHARACTER);
                    replaced += 1;
                }
            }
        }
    }
}

fn utf8_with_replacement(bytes: &[u8]) -> Decoded {
    let mut text = String::with_capacity(bytes.len() + 16);
    let replaced = utf8_into(bytes, &mut text);
    Decoded { text, encoding: Encoding::Utf8, replaced }
}

fn utf8_into(bytes: &[u8], text: &mut String) -> usize {
    let mut replaced = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            replaced += 1;
        }
    }
    replaced
}

/// Decodes a short name from inside an archive, with control characters made harmless. Names are only ever shown.
pub(super) fn decode_name(bytes: &[u8]) -> String {
    let text: Cow<'_, str> = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(decode(bytes.to_vec()).text),
    };
    text.chars().map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: &str =
        "# 本社ルータ\r\nip route default gateway pp 1\r\ndescription lan1 \"能登支店 表示ソフト\"\r\npp name PRV/1/フレッツ\r\nend\r\n";

    fn encoded(text: &str, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => {
                let (bytes, _, failed) = codec(encoding).encode(text);
                assert!(!failed, "{text} has no {encoding} form");
                bytes.into_owned()
            }
        }
    }

    fn check(bytes: Vec<u8>, text: &str, encoding: Encoding, replaced: usize) {
        let decoded = decode(bytes);
        assert_eq!((decoded.text.as_str(), decoded.encoding, decoded.replaced), (text, encoding, replaced));
    }

    #[test]
    fn every_encoding_of_a_japanese_export_comes_back() {
        for encoding in [Encoding::Utf8, Encoding::ShiftJis, Encoding::EucJp, Encoding::Iso2022Jp, Encoding::Utf16Le, Encoding::Utf16Be] {
            check(encoded(CONFIG, encoding), CONFIG, encoding, 0);
        }
    }

    #[test]
    fn a_single_japanese_word_in_a_file_is_enough() {
        // A lone kanji of EUC-JP can be valid UTF-8 and is then taken as such; two are hardly ever.
        for word in ["本社", "東京支店", "テスト用", "ルータ", "放射線科", "保守用VPN", "電子カルテ", "外来", "第２病棟", "リモート保守"]
        {
            for encoding in [Encoding::ShiftJis, Encoding::EucJp] {
                let text = format!("interface wan1\n description \"{word}\"\n no shutdown\n");
                let decoded = decode(encoded(&text, encoding));
                assert_eq!(decoded.text, text, "{word} in {encoding}, read as {}", decoded.encoding);
            }
        }
    }

    #[test]
    fn a_backslash_second_byte_does_not_escape_the_quote() {
        check(b"name \"\x94\x5C\"\n".to_vec(), "name \"能\"\n", Encoding::ShiftJis, 0);
    }

    #[test]
    fn half_width_katakana_is_shift_jis() {
        let text = "pp name \"ﾌﾚｯﾂ ﾎﾝｼｬ\"\npp name \"ｾﾝﾀｰ\"\n";
        check(encoded(text, Encoding::ShiftJis), text, Encoding::ShiftJis, 0);
    }

    #[test]
    fn byte_order_marks_are_taken_off() {
        check([b"\xEF\xBB\xBF".as_slice(), CONFIG.as_bytes()].concat(), CONFIG, Encoding::Utf8Bom, 0);
        check([b"\xFF\xFE".to_vec(), encoded(CONFIG, Encoding::Utf16Le)].concat(), CONFIG, Encoding::Utf16Le, 0);
        check([b"\xFE\xFF".to_vec(), encoded(CONFIG, Encoding::Utf16Be)].concat(), CONFIG, Encoding::Utf16Be, 0);
    }

    #[test]
    fn western_text_is_not_read_as_japanese() {
        for text in
            ["description Zweigstelle München\n", "banner Général Société à l'hôtel\n", "descr Größe für Büro Köln\n", "name café\n"]
        {
            check(encoded(text, Encoding::Windows1252), text, Encoding::Windows1252, 0);
        }
    }

    #[test]
    fn two_terminals_in_one_file_are_both_read() {
        let mut bytes = "alias 本社\nset a b\nalias 支店\n".as_bytes().to_vec();
        bytes.extend(encoded("set comment \"放射線科の能\"\nset comment \"検査室\"\n", Encoding::ShiftJis));
        check(
            bytes,
            "alias 本社\nset a b\nalias 支店\nset comment \"放射線科の能\"\nset comment \"検査室\"\n",
            Encoding::Utf8AndShiftJis,
            0,
        );
    }

    #[test]
    fn a_character_cut_in_two_stays_utf8() {
        let mut bytes = "# 本社ルータ\n# 支店ル".as_bytes().to_vec();
        bytes.pop();
        check(bytes, "# 本社ルータ\n# 支店\u{FFFD}", Encoding::Utf8, 1);
        let mut bytes = encoded(CONFIG, Encoding::ShiftJis);
        bytes.extend(b"# \x96");
        let decoded = decode(bytes);
        assert_eq!((decoded.encoding, decoded.replaced), (Encoding::ShiftJis, 1));
        assert!(decoded.text.starts_with(CONFIG));
    }

    #[test]
    fn terminal_escapes_are_not_iso_2022_jp() {
        check(b"\x1B[0mset a\x1B(B\n".to_vec(), "\u{1B}[0mset a\u{1B}(B\n", Encoding::Utf8, 0);
        let mut bytes = b"\x1B[0m".to_vec();
        bytes.extend(encoded("# 本社\n", Encoding::Iso2022Jp));
        check(bytes, "\u{1B}[0m# 本社\n", Encoding::Iso2022Jp, 0);
    }

    #[test]
    fn valid_utf8_is_taken_over_without_copying() {
        let bytes = CONFIG.as_bytes().to_vec();
        let place = bytes.as_ptr();
        assert_eq!(decode(bytes).text.as_ptr(), place);
    }

    /// Bytes as a cipher makes them, from a fixed generator.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(length)
        .collect()
    }

    #[test]
    fn encrypted_bodies_look_binary_and_text_does_not() {
        assert!(looks_binary(&noise(300)));
        let mut bytes = b"#config-version=FGT60F-7.4.4-FW-build2573-240101:opmode=0:vdom=0:user=admin\n".to_vec();
        bytes.extend(noise(4000));
        assert!(looks_binary(&bytes));
        for encoding in [Encoding::Utf8, Encoding::ShiftJis, Encoding::EucJp, Encoding::Iso2022Jp, Encoding::Utf16Le, Encoding::Utf16Be] {
            assert!(!looks_binary(&encoded(CONFIG, encoding)), "{encoding}");
        }
        assert!(!looks_binary(b"show run\r\0\r\0\r\0--More--\x08\x08\x08\x08   \r\0"));
        assert!(!looks_binary(b""));
    }

    #[test]
    fn debug_shows_no_content() {
        assert!(!format!("{:?}", decode(b"password hunter2".to_vec())).contains("hunter2"));
    }

    #[test]
    fn names_carry_no_control_characters() {
        assert_eq!(decode_name(b"a\x1B[2Jb\n"), "a\u{FFFD}[2Jb\u{FFFD}");
        assert_eq!(decode_name(&encoded("設定/本社.txt", Encoding::ShiftJis)), "設定/本社.txt");
    }

    proptest! {
        #[test]
        fn any_bytes_decode_and_keep_their_lines(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            looks_binary(&bytes);
            let decoded = decode(bytes.clone());
            if !matches!(decoded.encoding, Encoding::Utf16Le | Encoding::Utf16Be) {
                prop_assert_eq!(memchr::memchr_iter(b'\n', &bytes).count(), memchr::memchr_iter(b'\n', decoded.text.as_bytes()).count());
            }
        }

        #[test]
        fn japanese_lines_come_back(
            words in prop::collection::vec("(set|ip|name|alias) [a-z0-9]{1,8} \"[ぁ-んァ-ヶ一二三四五東西南北本社支店病院外来放射線検査室電子保守用回線]{3,10}\"", 3..12),
            which in 0usize..5,
        ) {
            let encoding = [Encoding::Utf8, Encoding::ShiftJis, Encoding::EucJp, Encoding::Utf16Le, Encoding::Utf16Be][which];
            let text = words.join("\n");
            let encodable = !codec(encoding).encode(&text).2;
            prop_assume!(encodable);
            let decoded = decode(encoded(&text, encoding));
            prop_assert_eq!(decoded.text, text);
            prop_assert_eq!(decoded.encoding, encoding);
        }
    }
}
