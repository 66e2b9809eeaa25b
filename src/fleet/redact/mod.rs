//! An export as somebody else may see it: secrets, names, free texts and public addresses replaced consistently, everything else
//! as it was, so that it gives the same findings on the same lines.
//!
//! Not a proof that nothing is left: what the grammar does not know as a place of names, and no look gives away, stays, and a
//! person reads the result before sending it. Invariants: every line stays where it was; equal things get equal words; nothing
//! in the result is computed from what it stands for, only counted or set by a fixed sequence; a text that is not understood is
//! refused rather than passed on.

mod address;
mod look;
mod name;
mod place;
mod scan;
mod secret;

use super::run::{self, Input, LARGEST, Options};
use crate::dialect::{self, grammar::SyntaxTable};
use crate::source::{self, FileId, Limits, Member, SOFT_NEWLINE, Source};
use crate::texts::texts;
use address::Addresses;
use name::{Kind, Names, Vocabulary};
use place::{Places, What};
use scan::Scan;
use secret::Secrets;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is counted, in the order in which it is told.
pub const KINDS: [&str; 7] = ["secrets", "names", "domains", "addresses", "texts", "identifiers", "keys"];

/// A text in which nothing tells whose box it is of.
#[derive(Debug)]
pub struct Redacted {
    /// The text, in UTF-8 with the line breaks it had.
    pub text: String,
    /// How many different things of each kind were replaced, in the order of [`KINDS`].
    pub counts: [usize; 7],
    /// How many public addresses are as they were, because others beside them leave no room.
    pub left: usize,
    /// Lines, from 1, at which something begins that the dialect does not know: a secret in it is known by its look alone.
    pub unread: Vec<usize>,
}

/// Replaces what tells whose box an export is of.
///
/// # Errors
/// A sentence in the language of the options, when the input is an archive, cannot be read or is not understood.
pub fn redact(input: &Input<'_>, options: &Options<'_>) -> Result<Redacted, String> {
    let fault = || texts().fill(options.lang, "run.refused.internal", &[&input.name]);
    catch_unwind(AssertUnwindSafe(|| whole(input, options))).unwrap_or_else(|_| Err(fault()))
}

fn whole(input: &Input<'_>, options: &Options<'_>) -> Result<Redacted, String> {
    let source = read(input, options)?;
    let mut source = unwrapped(source, options);
    let (_, wanted) = run::wanted(&source, options);
    let exports = run::exports(&mut source, wanted.as_deref());
    let text = source.clean();
    let mut parts = Vec::with_capacity(exports.len());
    for (range, detected) in exports {
        let known = detected.dialect.and_then(|d| Some((dialect::grammar(d)?, *dialect::all().get(d)?)));
        let Some((grammar, implementation)) = known else { return Err(refused(input, options)) };
        let tree = dialect::parse(grammar, source.id(), text, range.clone());
        let devices = dialect::read(implementation, &dialect::Input { tree: &tree, grammar, range });
        parts.push((grammar, tree, devices));
    }
    let (mut places, mut vocabulary, mut secrets) = (Places::default(), Vocabulary::default(), Secrets::default());
    for (grammar, tree, _) in &parts {
        vocabulary.learn(grammar);
        // Where every word is a statement of its own, names are too.
        if !matches!(grammar.file.syntax, SyntaxTable::Brace(_)) {
            let bare =
                |ix: usize| tree.statements().filter(move |n| !n.is_quoted(ix)).map(move |n| (n.word_or_empty(0), n.word_or_empty(ix)));
            vocabulary.learn_keywords(bare(0).map(|(word, _)| word));
            vocabulary.learn_keywords(bare(1).filter(|(first, _)| matches!(*first, "set" | "unset" | "config")).map(|(_, word)| word));
        }
    }
    for (grammar, tree, devices) in &parts {
        secrets.keep(grammar.names("mask_words").iter().chain(grammar.names("words_no_secret")));
        place::collect(grammar, tree, devices, &mut places);
    }
    let mut names = Names::new(text);
    let users: BTreeSet<&str> = parts.iter().flat_map(|p| &p.2).flat_map(|d| d.accounts.iter()).map(|a| a.name.as_str()).collect();
    let hosts: BTreeSet<&str> = parts.iter().flat_map(|p| &p.2).filter_map(|d| d.identity.hostname.as_deref()).collect();
    for (start, (end, what)) in &places.by_start {
        let value = text.get(*start..*end).unwrap_or_default();
        let kind = match (hosts.contains(value), users.contains(value)) {
            (true, _) => Kind::Host,
            (_, true) => Kind::User,
            _ => Kind::Name,
        };
        if matches!(what, What::Name) {
            names.declare(kind, value, &vocabulary);
        }
    }
    for (grammar, tree, devices) in &parts {
        place::tell_owner(grammar, tree, devices, &mut names, &vocabulary);
        place::declare(tree, devices, &mut names, &vocabulary);
    }
    elsewhere(text, &mut places, &names, &vocabulary);
    let walk = |addresses: &Addresses, names: &mut Names, secrets: &mut Secrets| {
        let (met, counts, out) = (BTreeSet::new(), BTreeMap::new(), String::with_capacity(text.len()));
        let mut scan = Scan { text, vocabulary: &vocabulary, names, secrets, addresses, met, counts, out };
        scan.run(&places);
        (scan.out, scan.met, scan.counts)
    };
    // The first walk meets every address and domain; the second knows them all.
    let (_, met, _) = walk(&Addresses::default(), &mut names, &mut secrets);
    let addresses = Addresses::new(&met);
    let (out, _, counts) = walk(&addresses, &mut names, &mut secrets);
    let counts = KINDS.map(|k| counts.get(k).map_or(0, BTreeSet::len));
    let regions = parts.iter().filter_map(|p| p.2.first()).flat_map(|d| &d.coverage.unrecognised);
    let unread = regions.map(|r| source.position(r.span.start).line).collect();
    Ok(Redacted { text: with_returns(source.text(), &out), counts, left: addresses.left(&met), unread })
}

/// The one text of an input.
fn read(input: &Input<'_>, options: &Options<'_>) -> Result<Source, String> {
    let bytes = (input.read)().map_err(|e| texts().fill(options.lang, "run.refused.unreadable", &[&e.to_string()]))?;
    if bytes.len() as u64 > LARGEST {
        return Err(texts().fill(options.lang, "run.refused.too_large", &["256 MiB"]));
    }
    let mut opened = source::open(&input.name, bytes, &Limits::STANDARD);
    if opened.members.len() > 1 {
        return Err(texts().fill(options.lang, "cli.redact.archive", &[&input.name]));
    }
    let member = opened.members.pop().filter(|_| opened.problems.is_empty()).ok_or_else(|| refused(input, options))?;
    Source::from_member(FileId(0), member).map_err(|_| refused(input, options))
}

/// Why an input is not understood, as the other commands say it.
fn refused(input: &Input<'_>, options: &Options<'_>) -> String {
    let said = run::whole(input, options);
    let error = said.iter().flat_map(|w| &w.report.errors).next();
    let mut out = error.map_or_else(|| texts().get(options.lang, "cli.redact.not_understood").to_owned(), |e| e.message.clone());
    if let Some(help) = error.and_then(|e| e.help.as_ref()) {
        out.push('\n');
        out.push_str(help);
    }
    out
}

/// Lines that a terminal cut are joined on the first of them; empty lines stand in for the others.
fn unwrapped(mut source: Source, options: &Options<'_>) -> Source {
    let (_, wanted) = run::wanted(&source, options);
    run::exports(&mut source, wanted.as_deref());
    if !source.clean().contains(SOFT_NEWLINE) {
        return source;
    }
    let mut out = String::with_capacity(source.clean().len());
    let mut owed = 0;
    for (at, c) in source.clean().char_indices() {
        match c {
            SOFT_NEWLINE => owed += usize::from(source.text().as_bytes().get(at) == Some(&b'\n')),
            '\n' => {
                out.extend(std::iter::repeat_n('\n', 1 + owed));
                owed = 0;
            }
            c => out.push(c),
        }
    }
    let member = Member { name: source.name().to_owned(), content: out.into_bytes() };
    Source::from_member(source.id(), member).unwrap_or(source)
}

/// Secrets that stand in other places too: passwords in comments, keys printed twice.
fn elsewhere<'t>(text: &'t str, places: &mut Places<'t>, names: &Names, vocabulary: &Vocabulary) {
    let secrets: Vec<std::ops::Range<usize>> =
        places.by_start.iter().filter(|(_, (_, w))| matches!(w, What::Secret(_))).map(|(s, (e, _))| *s..*e).collect();
    for found in source::occurrences(text, &secrets) {
        let value = text.get(found.clone()).unwrap_or_default();
        if !value.is_empty() && names.of(value).is_none() && !vocabulary.is_plain(value) {
            places.add_secret(found);
        }
    }
}

/// The line breaks of the text as it was read, of which cleaning left blanks.
fn with_returns(original: &str, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = original.split('\n');
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        let returns = before.next().is_some_and(|b| b.ends_with('\r'));
        match line.strip_suffix([' ', '\r']).filter(|_| returns) {
            Some(line) => {
                out.push_str(line);
                out.push('\r');
            }
            None => out.push_str(line),
        }
        if lines.peek().is_some() {
            out.push('\n');
        }
    }
    out
}
