//! Where else the values of secrets stand in a text: passwords pasted into comments, keys printed twice.
//!
//! Not a detector of secrets: it is told them. Invariant: one pass over the text, with bounded work per byte.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A secret shorter than this is only masked where it stands: as a search word it would blot out half the file.
const SHORTEST_SEARCHED: usize = 8;
/// Long values are searched in pieces of this many bytes, which bounds the work per byte of text.
const PIECE: usize = 64;

/// Every place where the value of a secret stands, the secrets themselves among them, as far as it is long enough to be told
/// from an everyday word; of a very long one pieces. Rising, and on the bounds of characters.
pub fn occurrences(text: &str, secrets: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    find_words(text.as_bytes(), &search_words(text, secrets), |range| {
        if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
            found.push(range);
        }
    });
    found
}

/// The words to look for elsewhere: each line of each secret, and a wrapped secret in one piece.
pub(super) fn search_words(text: &str, hidden: &[Range<usize>]) -> HashSet<Vec<u8>> {
    let mut words = HashSet::new();
    let mut add = |word: &str| {
        if word.chars().take(SHORTEST_SEARCHED).count() < SHORTEST_SEARCHED || word.bytes().all(|byte| byte == b'*') {
            return;
        }
        let bytes = word.as_bytes();
        if bytes.len() < 2 * PIECE {
            words.insert(bytes.to_vec());
        } else {
            words.extend(bytes.chunks(PIECE).filter(|piece| piece.len() == PIECE).map(<[u8]>::to_vec));
            words.extend(bytes.last_chunk::<PIECE>().map(|piece| piece.to_vec()));
        }
    };
    for range in hidden {
        let value = text.get(range.clone()).unwrap_or("");
        for line in value.split(['\r', '\n']) {
            add(line.trim());
        }
        if value.contains('\n') && value.len() <= 16 * PIECE {
            add(&value.split(['\r', '\n']).collect::<String>());
        }
    }
    words
}

/// Calls `found` for every place where a word stands, the longest there. One pass: eight bytes are looked up at each
/// place in a bitmap, then in the table of word heads; words are shorter than two pieces, so work per byte is bounded.
pub(super) fn find_words(text: &[u8], words: &HashSet<Vec<u8>>, mut found: impl FnMut(Range<usize>)) {
    if words.is_empty() {
        return;
    }
    let slot = |head: u64| (head.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize;
    let mut bitmap = vec![0u64; 1024];
    let mut lengths: HashMap<u64, Vec<usize>> = HashMap::new();
    for word in words {
        let Some(head) = word.first_chunk().map(|head| u64::from_le_bytes(*head)) else { continue };
        if let Some(bits) = bitmap.get_mut(slot(head) / 64) {
            *bits |= 1 << (slot(head) % 64);
        }
        let known = lengths.entry(head).or_default();
        if !known.contains(&word.len()) {
            known.push(word.len());
        }
    }
    for known in lengths.values_mut() {
        known.sort_unstable_by_key(|&length| std::cmp::Reverse(length));
    }
    for (place, window) in text.windows(8).enumerate() {
        let Some(head) = window.first_chunk().map(|head| u64::from_le_bytes(*head)) else { continue };
        let hit = bitmap.get(slot(head) / 64).is_some_and(|bits| bits >> (slot(head) % 64) & 1 == 1);
        if !hit {
            continue;
        }
        for &length in lengths.get(&head).into_iter().flatten() {
            if text.get(place..place + length).is_some_and(|candidate| words.contains(candidate)) {
                found(place..place + length);
                break;
            }
        }
    }
}
